//! Calls of workflows in concurrency groups. How a call stands is part of its run's record.

use workflows::{
    ids::JobKey,
    run::{CallEvent, Seat, call_life, call_lives, tell_call},
};

use super::{Asks, Turn, wake_next};
use crate::{
    app::App,
    reconcile::Nudge,
    store::{
        Change, Stored, keys,
        records::{JobRef, Member, Run},
    },
};

/// Lets every call of a run that asks go on where its group is free, else it waits or ends; true where the run is to be
/// looked at again.
pub async fn enter(app: &App, run: &Stored<Run>) -> anyhow::Result<bool> {
    let Run { repo, number, attempt, groups, .. } = &run.record;
    let mut changed = false;
    for life in call_lives(groups) {
        let Some((wanted, asked)) = life.asks() else { continue };
        let id = JobRef { repo: repo.clone(), run: *number, attempt: *attempt, key: life.key.clone() };
        if let Some(reason) = life.deadlock_with_itself() {
            cancel(app, &id, reason).await?;
            changed = true;
            continue;
        }
        let mut given = run.record.clone();
        tell_call(&mut given.groups, &life.key, CallEvent::PlaceGiven, app.clock.now())?;
        let mut change = Change::default();
        change.at(run).put(keys::run(repo, *number), &given);
        let asks = Asks { repo, wanted, seat: Seat { member: Member::of(&id), asked } };
        changed |= match asks.turn(app, change).await? {
            Turn::LookAgain => true,
            Turn::Waits => false,
            Turn::Ends(reason) => {
                cancel(app, &id, reason).await?;
                true
            }
        };
    }
    Ok(changed)
}

/// Asks a call to stop; the reconciliation of its run does the rest.
pub(super) async fn cancel(app: &App, id: &JobRef, reason: String) -> anyhow::Result<()> {
    let key = keys::run(&id.repo, id.run);
    while let Some(stored) = app.store.get::<Run>(&key).await? {
        let mut run = stored.record.clone();
        if run.attempt != id.attempt || call_life(&run.groups, &id.key).is_none_or(|life| life.cancel.is_some()) {
            return Ok(());
        }
        // Refused: it has ended by itself.
        if tell_call(&mut run.groups, &id.key, CallEvent::CancelAsked(reason.clone()), app.clock.now()).is_err() {
            return Ok(());
        }
        let mut change = Change::default();
        change.at(&stored).put(key.clone(), &run);
        if app.store.commit(change).await? {
            app.nudges.nudge(Nudge::Run { repo: id.repo.clone(), number: id.run });
            return Ok(());
        }
    }
    Ok(())
}

/// Hands the groups on of calls that have ended.
pub async fn leave(app: &App, run: &Run, calls: &[JobKey]) -> anyhow::Result<()> {
    for life in calls.iter().filter_map(|call| call_life(&run.groups, call)) {
        for concurrency in &life.groups {
            wake_next(app, &run.repo, &concurrency.group).await?;
        }
    }
    Ok(())
}
