//! Concurrency groups: one run at a time, one more waits, and a newer one takes its place.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value;
use workflows::{
    expr::{Environment, interpolate, template_value},
    syntax::Workflow,
};

use crate::{
    app::App,
    reconcile::Nudge,
    runs,
    store::{
        Change, Stored, keys,
        records::{Cancellation, ConcurrencyGroup, Run, RunState},
    },
};

/// Puts a new run into the group that its workflow names. A name that cannot be made is no reason not to run.
pub fn assign(run: &mut Run, workflow: &Workflow, contexts: &IndexMap<String, Value>, now: Timestamp) {
    let Some(concurrency) = &workflow.concurrency else { return };
    match interpolate(&concurrency.group.value, &environment(contexts)) {
        Ok(group) if !group.is_empty() => {
            run.group = Some(group);
            run.state = RunState::Pending { since: now };
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, run = run.number, "the concurrency group cannot be evaluated"),
    }
}

fn environment(contexts: &IndexMap<String, Value>) -> Environment<'static> {
    Environment { contexts: contexts.clone(), ..Environment::default() }
}

/// Lets a pending run start if its group is free, else makes it the group's next; true where the run
/// changed and is to be looked at again.
pub async fn enter(app: &App, run: &Stored<Run>) -> anyhow::Result<bool> {
    let record = &run.record;
    let now = app.clock.now();
    if let Some(cancel) = &record.cancel {
        return conclude_cancelled(app, run, cancel.reason.clone()).await;
    }
    let Some(name) = &record.group else { return start(app, run, None).await };
    let key = keys::group(&record.repo, name);
    let stored = app.store.get::<ConcurrencyGroup>(&key).await?;
    let mut group = stored.as_ref().map(|stored| stored.record.clone()).unwrap_or_default();
    let holder = match group.running {
        Some(number) if number != record.number => unfinished(app, record, number).await?,
        Some(_) | None => None,
    };
    let Some(holder) = holder else {
        group.running = Some(record.number);
        if group.pending == Some(record.number) {
            group.pending = None;
        }
        return start(app, run, Some((key, stored, group))).await;
    };
    let waits = match group.pending {
        Some(number) if number != record.number => unfinished(app, record, number).await?,
        Some(_) => return Ok(false),
        None => None,
    };
    if let Some(waits) = waits {
        if waits.record.number > record.number {
            return conclude_cancelled(app, run, format!("run #{} of its group is newer", waits.record.number)).await;
        }
        cancel(app, &waits, format!("run #{} took its place in {name}", record.number), now).await?;
    }
    group.pending = Some(record.number);
    let mut change = Change::default();
    change.same(&key, stored.as_ref()).put(key, &group);
    if !app.store.commit(change).await? {
        return Ok(true);
    }
    if cancels_in_progress(app, record).await? {
        cancel(app, &holder, format!("run #{} of {name} is newer", record.number), now).await?;
    }
    Ok(false)
}

type GroupChange = (keys::Key, Option<Stored<ConcurrencyGroup>>, ConcurrencyGroup);

async fn start(app: &App, run: &Stored<Run>, group: Option<GroupChange>) -> anyhow::Result<bool> {
    let mut record = run.record.clone();
    record.state = RunState::InProgress { started_at: app.clock.now() };
    let mut change = Change::default();
    change.at(run).put(keys::run(&record.repo, record.number), &record);
    if let Some((key, stored, group)) = group {
        change.same(&key, stored.as_ref()).put(key, &group);
    }
    app.store.commit(change).await?;
    Ok(true)
}

/// A run that never started ends at once.
async fn conclude_cancelled(app: &App, run: &Stored<Run>, reason: String) -> anyhow::Result<bool> {
    let now = app.clock.now();
    let mut record = run.record.clone();
    let conclusion = workflows::run::Conclusion::Cancelled;
    record.cancel.get_or_insert(Cancellation { at: now, reason });
    record.state = RunState::Completed { started_at: record.created_at, finished_at: now, conclusion };
    let mut change = Change::default();
    change.at(run).put(keys::run(&record.repo, record.number), &record);
    change.delete(&keys::open_run(&record.repo, record.number));
    for key in crate::draft::conclusion_keys(&record, &record.branch, conclusion) {
        change.mark(key);
    }
    if app.store.commit(change).await? {
        leave(app, &record).await?;
        app.nudges.nudge(Nudge::Commit { repo: record.repo.clone(), sha: record.head.clone() });
    }
    Ok(true)
}

async fn unfinished(app: &App, run: &Run, number: u64) -> anyhow::Result<Option<Stored<Run>>> {
    let other = app.store.get::<Run>(&keys::run(&run.repo, number)).await?;
    Ok(other.filter(|other| other.record.conclusion().is_none()))
}

async fn cancels_in_progress(app: &App, run: &Run) -> anyhow::Result<bool> {
    let workflow = runs::workflow(app, run).await?;
    let Some(template) = workflow.concurrency.as_ref().and_then(|own| own.cancel_in_progress.as_ref()) else {
        return Ok(false);
    };
    let contexts = runs::contexts(app, run, &workflow).await?;
    let value = template_value(&template.value, &environment(&contexts));
    Ok(value.is_ok_and(|value| value == Value::Bool(true) || value == Value::String("true".to_owned())))
}

/// Asks a run to stop; its reconciliation does the rest. A run that changed meanwhile is asked again.
pub async fn cancel(app: &App, run: &Stored<Run>, reason: String, now: Timestamp) -> anyhow::Result<()> {
    let Run { repo, number, .. } = &run.record;
    let mut run = Some(run.clone());
    while let Some(stored) = run {
        if stored.record.conclusion().is_some() || stored.record.cancel.is_some() {
            break;
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

/// Hands the group on when a run has ended.
pub async fn leave(app: &App, run: &Run) -> anyhow::Result<()> {
    let Some(name) = &run.group else { return Ok(()) };
    let key = keys::group(&run.repo, name);
    let Some(stored) = app.store.get::<ConcurrencyGroup>(&key).await? else { return Ok(()) };
    // The next one takes the place itself: it sees that the holder has ended.
    if let Some(next) = stored.record.pending {
        app.nudges.nudge(Nudge::Run { repo: run.repo.clone(), number: next });
    }
    Ok(())
}
