use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Conclusion, JobLife, JobState, merge_outputs, roll_up};
use crate::{
    ids::{JobId, JobKey},
    plan::{Expansion, NeedResult, PlannedJob, expand},
    syntax::{Diagnostic, Workflow},
};

#[cfg(test)]
mod tests;

/// What has become of one `jobs.<id>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "group", rename_all = "snake_case")]
pub enum Group {
    /// For its needs.
    Waiting,
    Skipped {
        name: String,
        at: Timestamp,
    },
    /// An expression in it failed.
    Invalid {
        diagnostic: Box<Diagnostic>,
        at: Timestamp,
    },
    Expanded {
        rows: u32,
    },
}

/// One job as [`advance`] needs to see it.
#[derive(Debug, Clone, Copy)]
pub struct JobView<'a> {
    pub planned: &'a PlannedJob,
    pub life: &'a JobLife,
    pub outputs: &'a IndexMap<String, String>,
}

/// A run at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    pub workflow: &'a Workflow,
    /// `github`, `vars`, `inputs`.
    pub contexts: &'a IndexMap<String, Value>,
    /// One for each job of the workflow.
    pub groups: &'a IndexMap<JobId, Group>,
    pub jobs: &'a [JobView<'a>],
    /// Why the run was cancelled; none where it was not.
    pub cancel: Option<&'a str>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    Skip { job: JobId, name: String },
    Invalid { job: JobId, diagnostic: Box<Diagnostic> },
    Expand { job: JobId, rows: Vec<PlannedJob> },
    Offer(JobKey),
    Cancel { key: JobKey, reason: String },
    Conclude(Conclusion),
}

/// What is to be done next; empty while all that can be done is to wait. Asked again after each of
/// its decisions was carried out, it reaches a conclusion once every job has ended.
pub fn advance(snapshot: &Snapshot<'_>) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for (job, group) in snapshot.groups {
        match group {
            Group::Waiting => decisions.extend(snapshot.expand(job)),
            Group::Expanded { .. } => snapshot.tend(job, &mut decisions),
            Group::Skipped { .. } | Group::Invalid { .. } => {}
        }
    }
    if decisions.is_empty()
        && let Some(conclusion) = snapshot.conclusion()
    {
        decisions.push(Decision::Conclude(conclusion));
    }
    decisions
}

/// How the jobs that `job` needs, directly or through others, have ended; none while one has not.
pub fn need_results(snapshot: &Snapshot<'_>, job: &JobId) -> Option<IndexMap<JobId, NeedResult>> {
    let mut results = IndexMap::new();
    let mut open: Vec<&JobId> = snapshot.workflow.jobs.get(job)?.needs.iter().map(|need| &need.value).collect();
    while let Some(need) = open.pop() {
        if results.contains_key(need) {
            continue;
        }
        results.insert(need.clone(), snapshot.result(need)?);
        open.extend(snapshot.workflow.jobs.get(need)?.needs.iter().map(|need| &need.value));
    }
    Some(results)
}

impl<'a> Snapshot<'a> {
    fn rows(&self, job: &'a JobId) -> impl Iterator<Item = &'a JobView<'a>> + use<'a> {
        self.jobs.iter().filter(move |view| view.planned.id == *job)
    }

    fn expand(&self, job: &JobId) -> Option<Decision> {
        let needs = need_results(self, job)?;
        let job = job.clone();
        Some(match expand(self.workflow, &job, self.contexts, &needs, self.cancel.is_some()) {
            Expansion::Skipped { name } => Decision::Skip { job, name },
            Expansion::Jobs(rows) => Decision::Expand { job, rows },
            Expansion::Invalid(diagnostic) => Decision::Invalid { job, diagnostic },
        })
    }

    /// Offers rows as far as `max-parallel` lets, and stops what `fail-fast` or a cancellation ends.
    fn tend(&self, job: &'a JobId, decisions: &mut Vec<Decision>) {
        let reason = |view: &JobView<'_>| match self.cancel {
            Some(reason) if !view.life.after_cancel => Some(reason.to_owned()),
            Some(_) | None => self.failed_row(job).map(|name| format!("fail-fast: {name} failed")),
        };
        let mut room = self.room(job);
        for view in self.rows(job) {
            let key = view.planned.key.clone();
            match (&view.life.state, reason(view)) {
                (JobState::Completed { .. }, _) => {}
                (JobState::Running { .. }, Some(reason)) if view.life.cancel.is_none() => {
                    decisions.push(Decision::Cancel { key, reason });
                }
                (JobState::Waiting | JobState::Queued { .. }, Some(reason)) => {
                    decisions.push(Decision::Cancel { key, reason });
                }
                (JobState::Waiting, None) if room > 0 => {
                    room -= 1;
                    decisions.push(Decision::Offer(key));
                }
                (JobState::Waiting | JobState::Queued { .. }, None) | (JobState::Running { .. }, _) => {}
            }
        }
    }

    /// How many more rows may be under way.
    fn room(&self, job: &'a JobId) -> u64 {
        let limit = self.rows(job).next().and_then(|view| view.planned.strategy.get("max-parallel"));
        let limit = limit.and_then(Value::as_f64).filter(|limit| *limit >= 1.0).map_or(u64::MAX, |limit| limit as u64);
        let active = self.rows(job).filter(|view| match view.life.state {
            JobState::Queued { .. } | JobState::Running { .. } => true,
            JobState::Waiting | JobState::Completed { .. } => false,
        });
        limit.saturating_sub(active.count() as u64)
    }

    /// A row whose failure ends its siblings.
    fn failed_row(&self, job: &'a JobId) -> Option<&'a str> {
        self.rows(job).find_map(|view| {
            let fails = matches!(view.life.conclusion(), Some(Conclusion::Failure | Conclusion::TimedOut));
            let fast = view.planned.strategy.get("fail-fast").and_then(Value::as_bool).unwrap_or(true);
            (fails && fast && !view.planned.continue_on_error).then_some(view.planned.name.as_str())
        })
    }

    fn result(&self, job: &'a JobId) -> Option<NeedResult> {
        match self.groups.get(job)? {
            Group::Waiting => None,
            Group::Skipped { .. } => Some(NeedResult { result: Conclusion::Skipped, outputs: IndexMap::new() }),
            Group::Invalid { .. } => Some(NeedResult { result: Conclusion::Failure, outputs: IndexMap::new() }),
            Group::Expanded { rows } => {
                let views: Vec<_> = self.rows(job).collect();
                if views.len() < *rows as usize {
                    return None;
                }
                let mut ended = Vec::with_capacity(views.len());
                for view in &views {
                    ended.push((view.life.conclusion()?, view.planned.continue_on_error));
                }
                let outputs = merge_outputs(views.iter().map(|view| view.outputs));
                Some(NeedResult { result: roll_up(ended), outputs })
            }
        }
    }

    fn conclusion(&self) -> Option<Conclusion> {
        let mut ended = Vec::with_capacity(self.groups.len());
        for job in self.groups.keys() {
            ended.push((self.result(job)?.result, false));
        }
        Some(roll_up(ended))
    }
}
