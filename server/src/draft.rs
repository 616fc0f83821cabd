//! A run and its jobs in memory, changed by decisions and then written in one commit.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value;
use workflows::{
    ids::JobKey,
    plan::PlannedJob,
    run::{
        CallEvent, Conclusion, Decision, Group, JobEvent, JobLife, JobView, Snapshot, advance, call_lives, tell_call,
    },
};

use crate::{
    runs::Workflows,
    store::{
        Change, Stored, keys,
        records::{Job, JobRef, Queued, Run, RunState},
    },
};

pub struct Draft {
    pub run: Run,
    /// In the order of their keys.
    pub jobs: Vec<DraftJob>,
    pub run_changed: bool,
    /// Calls whose places are free now.
    pub ended_calls: Vec<JobKey>,
}

pub struct DraftJob {
    pub job: Job,
    /// As it was read; none where it is new.
    read: Option<Stored<()>>,
    queued_since: Option<Timestamp>,
    changed: bool,
}

impl DraftJob {
    pub fn read(stored: Stored<Job>) -> Self {
        let queued_since = stored.record.life.queued_since();
        let read = Some(Stored { key: stored.key, record: (), rev: stored.rev });
        Self { job: stored.record, read, queued_since, changed: false }
    }
}

impl Draft {
    pub fn new(run: Run, jobs: Vec<DraftJob>) -> Self {
        Self { run, jobs, run_changed: false, ended_calls: vec![] }
    }

    /// Decides and carries out until there is nothing left to decide.
    pub fn advance(&mut self, workflows: &Workflows, contexts: &IndexMap<String, Value>, now: Timestamp) {
        loop {
            let decisions = self.with_snapshot(workflows, contexts, advance);
            if decisions.is_empty() || self.run.conclusion().is_some() {
                return;
            }
            for decision in decisions {
                self.carry_out(decision, now);
            }
        }
    }

    /// The run as it stands, for a question about it.
    pub fn with_snapshot<T>(
        &self,
        workflows: &Workflows,
        contexts: &IndexMap<String, Value>,
        ask: impl FnOnce(&Snapshot<'_>) -> T,
    ) -> T {
        let none = IndexMap::new();
        let jobs: Vec<JobView<'_>> = self
            .jobs
            .iter()
            .map(|DraftJob { job, .. }| JobView {
                planned: &job.planned,
                life: &job.life,
                outputs: job.result.as_ref().map_or(&none, |result| &result.outputs),
            })
            .collect();
        let cancel = self.run.cancel.as_ref().map(|cancel| cancel.reason.as_str());
        ask(&Snapshot {
            workflow: &workflows.own,
            called: &workflows.called,
            contexts,
            groups: &self.run.groups,
            jobs: &jobs,
            cancel,
        })
    }

    fn carry_out(&mut self, decision: Decision, now: Timestamp) {
        match decision {
            Decision::Skip { job, name } => self.set_group(job, Group::Skipped { name, at: now }),
            Decision::Invalid { job, diagnostic } => self.set_group(job, Group::Invalid { diagnostic, at: now }),
            Decision::Expand { job, rows, after_cancel } => {
                self.set_group(job, Group::Expanded { rows: rows.len() as u32 });
                for planned in rows {
                    // Left by an attempt that was cut short: it may be running already.
                    if self.jobs.iter().any(|own| own.job.planned.key == planned.key) {
                        continue;
                    }
                    let id = self.job_ref(planned.key.clone());
                    let life = JobLife::new(after_cancel || planned.outlives_cancel);
                    let job = Job { id, planned, life, steps: vec![], runner: None, gpus: vec![], result: None };
                    self.jobs.push(DraftJob { job, read: None, queued_since: None, changed: true });
                }
            }
            Decision::Call { job, called, inside } => {
                self.set_group(job, called);
                inside.into_iter().for_each(|group| self.set_group(group, Group::Waiting));
            }
            Decision::TellCall { call, event } => self.tell_call(call, event, now),
            Decision::AskPlace(key) => self.apply(&key, JobEvent::PlaceAsked, now),
            Decision::Offer(key) => self.apply(&key, JobEvent::Offered, now),
            Decision::Cancel { key, reason } => self.apply(&key, JobEvent::CancelAsked(reason), now),
            Decision::Conclude(conclusion) => {
                let started_at = match self.run.state {
                    RunState::Pending { since } => since,
                    RunState::InProgress { started_at } | RunState::Completed { started_at, .. } => started_at,
                };
                self.run.state = RunState::Completed { started_at, finished_at: now, conclusion };
                self.run_changed = true;
            }
        }
    }

    fn job_ref(&self, key: JobKey) -> JobRef {
        JobRef { repo: self.run.repo.clone(), run: self.run.number, attempt: self.run.attempt, key }
    }

    fn set_group(&mut self, job: JobKey, group: Group) {
        self.run.groups.insert(job, group);
        self.run_changed = true;
    }

    fn apply(&mut self, key: &JobKey, event: JobEvent, now: Timestamp) {
        let Some(own) = self.jobs.iter_mut().find(|own| own.job.planned.key == *key) else { return };
        match own.job.life.clone().apply(event, now) {
            Ok(life) => {
                own.job.life = life;
                own.changed = true;
            }
            Err(illegal) => tracing::error!(%illegal, job = own.job.id.external_id(), "a decision that cannot be"),
        }
    }

    fn tell_call(&mut self, call: JobKey, event: CallEvent, now: Timestamp) {
        let is_over = matches!(event, CallEvent::Ended | CallEvent::Dropped(_));
        match tell_call(&mut self.run.groups, &call, event, now) {
            Ok(()) => self.run_changed = true,
            Err(illegal) => tracing::error!(%illegal, %call, run = self.run.number, "a decision that cannot be"),
        }
        if is_over {
            self.ended_calls.push(call);
        }
    }

    /// Whether a job or a call waits for a place in its concurrency group.
    pub fn asks_for_places(&self) -> bool {
        let calls = call_lives(&self.run.groups).any(|life| life.asks().is_some());
        calls || self.jobs.iter().any(|own| own.job.life.asks().is_some())
    }

    /// Jobs that are to be written.
    pub fn changed_jobs(&self) -> usize {
        self.jobs.iter().filter(|own| own.changed).count()
    }

    /// Writes the run, and up to `most` changed jobs; says whether all changes are in. The run itself
    /// is written only with the last of its jobs, since it says how many there are.
    pub fn write(&self, change: &mut Change, most: usize) -> bool {
        let changed = self.jobs.iter().filter(|own| own.changed);
        let all = self.changed_jobs() <= most;
        for own in changed.take(most) {
            write_job(change, own);
        }
        if all {
            self.write_run(change);
        }
        all
    }

    fn write_run(&self, change: &mut Change) {
        let Run { repo, number, branch, .. } = &self.run;
        change.put(keys::run(repo, *number), &self.run);
        if let Some(conclusion) = self.run.conclusion() {
            change.delete(&keys::open_run(repo, *number));
            for key in conclusion_keys(&self.run, branch, conclusion) {
                change.mark(key);
            }
        }
    }
}

/// Keys by which a concluded run is found.
pub fn conclusion_keys(run: &Run, branch: &str, conclusion: Conclusion) -> [keys::Key; 2] {
    [
        keys::run_of(&run.repo, None, Some(conclusion), run.number),
        keys::run_of(&run.repo, Some(branch), Some(conclusion), run.number),
    ]
}

/// Keys in a commit that one job may need: check, record, queue entry put or deleted.
pub const KEYS_PER_JOB: usize = 4;

fn write_job(change: &mut Change, own: &DraftJob) {
    let DraftJob { job, read, queued_since: was, .. } = own;
    let key = keys::job(&job.id);
    change.same(&key, read.as_ref()).put(key, job);
    write_queue(change, job, *was);
}

/// Moves a job into or out of the queue, as its state says. `was`: since when it has been there.
pub fn write_queue(change: &mut Change, job: &Job, was: Option<Timestamp>) {
    let is = job.life.queued_since();
    if was == is {
        return;
    }
    if let Some(since) = was {
        change.delete(&keys::queued(since, &job.id));
    }
    if let Some(since) = is {
        let PlannedJob { runs_on, gpus, gpu_memory_bytes, gpu_name, .. } = job.planned.clone();
        let queued = Queued { job: job.id.clone(), runs_on, gpus, gpu_memory_bytes, gpu_name };
        change.put(keys::queued(since, &job.id), &queued);
    }
}
