//! Concurrency groups: runs, jobs and calls of workflows ask for a place, and go on when they have it. Who gets it,
//! [`Places`] decides; here the records are read and written.

mod calls;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value;
use workflows::{
    ids::{JobKey, RepoName},
    plan::{self, JobConcurrency},
    run::{
        Answer, CallState, Conclusion, JobEvent, Place, Places, Refusal, Seat, TOP_LEVEL, call_life, deadlock, full,
    },
    syntax::{Queue, Workflow},
};

pub use self::calls::{enter as enter_calls, leave as leave_calls};
use crate::{
    app::App,
    draft::{conclusion_keys, write_queue},
    reconcile::Nudge,
    runs,
    store::{
        Change, Stored, keys,
        records::{Cancellation, ConcurrencyGroup, Job, JobRef, Member, Run, RunState},
    },
};

/// Puts a new run into the group that its workflow names. A name that cannot be made is no reason not to run.
pub fn assign(run: &mut Run, workflow: &Workflow, contexts: &IndexMap<String, Value>, now: Timestamp) {
    let Some(concurrency) = &workflow.concurrency else { return };
    match plan::group_name(concurrency, contexts) {
        Ok(group) if !group.is_empty() => {
            run.group = Some(group);
            run.state = RunState::Pending { since: now };
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, run = run.number, "the concurrency group cannot be evaluated"),
    }
}

/// Lets a pending run start if its group is free, else it waits or ends; true where the run changed and is to be looked
/// at again.
pub async fn enter(app: &App, run: &Stored<Run>, since: Timestamp) -> anyhow::Result<bool> {
    let record = &run.record;
    if let Some(cancel) = &record.cancel {
        return conclude_cancelled(app, run, cancel.reason.clone()).await;
    }
    let key = keys::run(&record.repo, record.number);
    let started = Run { state: RunState::InProgress { started_at: app.clock.now() }, ..record.clone() };
    let mut change = Change::default();
    change.at(run).put(key, &started);
    let Some(name) = &record.group else {
        app.store.commit(change).await?;
        return Ok(true);
    };
    let member = Member { run: record.number, attempt: record.attempt, job: None };
    let wanted = wanted(app, record, name).await?;
    let asks = Asks { repo: &record.repo, wanted: &wanted, seat: Seat { member, asked: since } };
    match asks.turn(app, change).await? {
        Turn::LookAgain => Ok(true),
        Turn::Waits => Ok(false),
        Turn::Ends(reason) => conclude_cancelled(app, run, reason).await,
    }
}

/// Lets a job that asks be offered if its group is free, else it waits or ends; true where the job changed and its run
/// is to be looked at again.
pub async fn enter_job(app: &App, job: &Stored<Job>) -> anyhow::Result<bool> {
    let Job { id, life, planned, .. } = &job.record;
    let (Some(asked), Some(wanted)) = (life.asks(), &planned.concurrency) else { return Ok(false) };
    let life = life.clone().apply(JobEvent::PlaceGiven, app.clock.now())?;
    let mut change = Change::default();
    change.at(job).put(keys::job(id), &Job { life, ..job.record.clone() });
    let asks = Asks { repo: &id.repo, wanted, seat: Seat { member: Member::of(id), asked } };
    match asks.turn(app, change).await? {
        Turn::LookAgain => Ok(true),
        Turn::Waits => Ok(false),
        Turn::Ends(reason) => {
            cancel_job(app, id, reason).await?;
            Ok(true)
        }
    }
}

/// What became of a member that asked.
enum Turn {
    /// It has its place, or something changed meanwhile.
    LookAgain,
    Waits,
    /// For this reason.
    Ends(String),
}

/// One member that asks for a place.
struct Asks<'a> {
    repo: &'a RepoName,
    wanted: &'a JobConcurrency,
    seat: Seat<Member>,
}

impl Asks<'_> {
    /// `admit` is committed with the place, where it is given.
    async fn turn(&self, app: &App, admit: Change) -> anyhow::Result<Turn> {
        let key = keys::group(self.repo, &self.wanted.group);
        let stored = app.store.get::<ConcurrencyGroup>(&key).await?;
        let mut places = stored.as_ref().map(|stored| stored.record.places.clone()).unwrap_or_default();
        self.drop_ended(app, &mut places).await?;
        let JobConcurrency { cancel_in_progress, queue, .. } = *self.wanted;
        let around = |holder: &Member| self.seat.member.is_within(holder);
        let (cancel, mut change) = match places.ask(self.seat.clone(), cancel_in_progress, queue, around) {
            Answer::Given => (None, admit),
            Answer::Waits { cancel } => (Some(cancel), Change::default()),
            Answer::Refused(refusal) => return Ok(Turn::Ends(self.reason(refusal))),
        };
        let group = ConcurrencyGroup { places };
        if cancel.is_none() || stored.as_ref().is_none_or(|stored| stored.record != group) {
            change.same(&key, stored.as_ref()).put(key, &group);
            if !app.store.commit(change).await? {
                return Ok(Turn::LookAgain);
            }
        }
        let Some(cancel) = cancel else { return Ok(Turn::LookAgain) };
        for member in &cancel {
            self.end(app, member).await?;
        }
        // It has become the holder without knowing.
        let before = stored.as_ref().and_then(|stored| stored.record.places.running.as_ref());
        if let Some(holder) = group.places.running.as_ref().filter(|holder| Some(*holder) != before) {
            app.nudges.nudge(Nudge::Run { repo: self.repo.clone(), number: holder.member.run });
        }
        Ok(Turn::Waits)
    }

    async fn drop_ended(&self, app: &App, places: &mut Places<Member>) -> anyhow::Result<()> {
        if let Some(Seat { member, .. }) = &places.running {
            if !is_open(app, self.repo, member).await? {
                places.running = None;
            } else if places.is_pending(&self.seat.member) {
                // Who else waits is nothing to one that waits already.
                return Ok(());
            }
        }
        let mut open = Vec::with_capacity(places.pending.len());
        for seat in places.pending.drain(..) {
            if is_open(app, self.repo, &seat.member).await? {
                open.push(seat);
            }
        }
        places.pending = open;
        Ok(())
    }

    fn reason(&self, refusal: Refusal<Member>) -> String {
        let group = &self.wanted.group;
        match refusal {
            Refusal::Superseded { by } => by.took(group),
            Refusal::Deadlock { with } => deadlock(group, with.title(), self.seat.member.title()),
            Refusal::Full => full(group),
        }
    }

    async fn end(&self, app: &App, member: &Member) -> anyhow::Result<()> {
        let reason = self.seat.member.took(&self.wanted.group);
        match &member.job {
            Some(key) => {
                let job = member.job_ref(self.repo, key);
                match cancel_job(app, &job, reason.clone()).await? {
                    true => Ok(()),
                    false => calls::cancel(app, &job, reason).await,
                }
            }
            None => match app.store.get::<Run>(&keys::run(self.repo, member.run)).await? {
                Some(run) => cancel(app, &run, reason, app.clock.now()).await,
                None => Ok(()),
            },
        }
    }
}

impl Member {
    fn of(job: &JobRef) -> Self {
        Self { run: job.run, attempt: job.attempt, job: Some(job.key.clone()) }
    }

    fn job_ref(&self, repo: &RepoName, key: &JobKey) -> JobRef {
        JobRef { repo: repo.clone(), run: self.run, attempt: self.attempt, key: key.clone() }
    }

    /// Whether it is part of another, which does not end before it: of a run, or of a call.
    fn is_within(&self, other: &Member) -> bool {
        let Some(own) = &self.job else { return false };
        let is_call = |call: &JobKey| own.is_within(call);
        (self.run, self.attempt) == (other.run, other.attempt) && other.job.as_ref().is_none_or(is_call)
    }

    fn title(&self) -> &str {
        self.job.as_ref().map_or(TOP_LEVEL, JobKey::as_str)
    }

    /// Why an elder ends.
    fn took(&self, group: &str) -> String {
        match &self.job {
            None => format!("run #{} is newer in the concurrency group {group}", self.run),
            Some(key) => format!("{key} of run #{} is newer in the concurrency group {group}", self.run),
        }
    }
}

/// Whether a member has not ended yet. A run that is run again is another member.
async fn is_open(app: &App, repo: &RepoName, member: &Member) -> anyhow::Result<bool> {
    Ok(match &member.job {
        None => {
            let run = app.store.get::<Run>(&keys::run(repo, member.run)).await?;
            run.is_some_and(|run| run.record.attempt == member.attempt && run.record.conclusion().is_none())
        }
        Some(key) => match app.store.get::<Job>(&keys::job(&member.job_ref(repo, key))).await? {
            Some(job) => job.record.life.conclusion().is_none(),
            // Then it is a call.
            None => {
                let run = app.store.get::<Run>(&keys::run(repo, member.run)).await?.map(|run| run.record);
                let run = run.filter(|run| run.attempt == member.attempt && run.conclusion().is_none());
                run.is_some_and(|run| call_life(&run.groups, key).is_some_and(|life| life.state != CallState::Ended))
            }
        },
    })
}

/// A run that never started ends at once.
async fn conclude_cancelled(app: &App, run: &Stored<Run>, reason: String) -> anyhow::Result<bool> {
    let now = app.clock.now();
    let mut record = run.record.clone();
    let conclusion = Conclusion::Cancelled;
    record.cancel.get_or_insert(Cancellation { at: now, reason });
    record.state = RunState::Completed { started_at: record.created_at, finished_at: now, conclusion };
    let mut change = Change::default();
    change.at(run).put(keys::run(&record.repo, record.number), &record);
    change.delete(&keys::open_run(&record.repo, record.number));
    for key in conclusion_keys(&record, &record.branch, conclusion) {
        change.mark(key);
    }
    if app.store.commit(change).await? {
        leave(app, &record).await?;
        app.nudges.nudge(Nudge::Commit { repo: record.repo.clone(), sha: record.head.clone() });
    }
    Ok(true)
}

/// How a run asks: its group was named when it came.
async fn wanted(app: &App, run: &Run, group: &str) -> anyhow::Result<JobConcurrency> {
    let workflow = runs::workflow(app, run).await?;
    let own = workflow.concurrency.as_ref();
    let queue = own.map(|own| own.queue).unwrap_or_default();
    let cancel_in_progress = match own.filter(|own| own.cancel_in_progress.is_some()) {
        // What waits in a queue ends nobody, whatever an expression says.
        Some(own) if queue == Queue::Single => {
            plan::cancels_in_progress(own, &runs::contexts(app, run, &workflow).await?).unwrap_or(false)
        }
        Some(_) | None => false,
    };
    Ok(JobConcurrency { group: group.to_owned(), cancel_in_progress, queue })
}

/// Asks a run to stop; its reconciliation does the rest. A run that changed meanwhile is asked again.
pub async fn cancel(app: &App, run: &Stored<Run>, reason: String, now: Timestamp) -> anyhow::Result<()> {
    let Run { repo, number, .. } = &run.record;
    let mut run = Some(run.clone());
    while let Some(stored) = run {
        if stored.record.conclusion().is_some() || stored.record.cancel.is_some() {
            return Ok(());
        }
        let mut record = stored.record.clone();
        record.cancel = Some(Cancellation { at: now, reason: reason.clone() });
        let mut change = Change::default();
        change.at(&stored).put(keys::run(repo, *number), &record);
        if app.store.commit(change).await? {
            break;
        }
        run = app.store.get::<Run>(&keys::run(repo, *number)).await?;
    }
    app.nudges.nudge(Nudge::Run { repo: repo.clone(), number: *number });
    Ok(())
}

/// Ends a job that no runner has, and asks one that runs to stop; false where there is no such job.
pub(crate) async fn cancel_job(app: &App, id: &JobRef, reason: String) -> anyhow::Result<bool> {
    let key = keys::job(id);
    while let Some(stored) = app.store.get::<Job>(&key).await? {
        if stored.record.life.conclusion().is_some() || stored.record.life.cancel.is_some() {
            return Ok(true);
        }
        let queued = stored.record.life.queued_since();
        let life = stored.record.life.clone().apply(JobEvent::CancelAsked(reason.clone()), app.clock.now())?;
        let job = Job { life, ..stored.record.clone() };
        let mut change = Change::default();
        change.at(&stored).put(key.clone(), &job);
        write_queue(&mut change, &job, queued);
        if app.store.commit(change).await? {
            leave_job(app, &job).await?;
            app.nudges.nudge(Nudge::Run { repo: id.repo.clone(), number: id.run });
            return Ok(true);
        }
    }
    Ok(false)
}

/// Hands the group on when a run has ended.
pub async fn leave(app: &App, run: &Run) -> anyhow::Result<()> {
    match &run.group {
        Some(name) => wake_next(app, &run.repo, name).await,
        None => Ok(()),
    }
}

/// Hands the group on when a job has ended, and had the place.
pub async fn leave_job(app: &App, job: &Job) -> anyhow::Result<()> {
    match (&job.planned.concurrency, &job.life.place) {
        (Some(concurrency), Place::Given) if job.life.conclusion().is_some() => {
            wake_next(app, &job.id.repo, &concurrency.group).await
        }
        (Some(_) | None, Place::None | Place::Asked { .. } | Place::Given) => Ok(()),
    }
}

/// The next one takes the place itself: it sees that the holder has ended. A hint; the sweep finds it too.
async fn wake_next(app: &App, repo: &RepoName, name: &str) -> anyhow::Result<()> {
    let group = app.store.get::<ConcurrencyGroup>(&keys::group(repo, name)).await?;
    for next in group.into_iter().flat_map(|group| group.record.places.pending) {
        if is_open(app, repo, &next.member).await? {
            app.nudges.nudge(Nudge::Run { repo: repo.clone(), number: next.member.run });
            break;
        }
    }
    Ok(())
}
