//! Cancelling a run, and running it again.

use workflows::{
    event::EventKind,
    ids::{RepoName, Sha},
    run::Group,
};

use crate::{
    app::App,
    concurrency,
    deliveries::{self, PlanError, Planned},
    draft::conclusion_keys,
    error::ApiError,
    history,
    reconcile::Nudge,
    runs,
    store::{
        Change, Stored, keys,
        records::{Delivery, HeadCommit, Run, RunState},
    },
};

/// Asks a run to stop. Asked once more, also those jobs end whose `if` holds for a cancelled run, as with `always()`.
pub async fn cancel(app: &App, repo: &RepoName, number: u64, reason: &str) -> Result<(), ApiError> {
    let run = app.store.get::<Run>(&keys::run(repo, number)).await?;
    let run = run.ok_or_else(|| ApiError::NotFound(format!("{repo} has no run {number}")))?;
    if run.record.conclusion().is_some() {
        return Err(ApiError::Conflict(format!("run {number} has ended already")));
    }
    if run.record.cancel.is_some() {
        for job in runs::jobs(app, &run.record).await? {
            concurrency::cancel_job(app, &job.record.id, reason.to_owned()).await?;
        }
        return Ok(());
    }
    concurrency::cancel(app, &run, reason.to_owned(), app.clock.now()).await?;
    Ok(())
}

/// Starts a new attempt of a run that has ended; says its number.
pub async fn rerun(app: &App, repo: &RepoName, number: u64) -> Result<u32, ApiError> {
    loop {
        let run = history::run(app, repo, number).await?;
        let mut change = Change::default();
        let Some(attempt) = restart(app, &run, &mut change).await? else {
            return Err(ApiError::Conflict(format!("run {number} has not ended yet, or its file cannot be run")));
        };
        if app.store.commit(change).await? {
            app.nudges.nudge(Nudge::Run { repo: repo.clone(), number });
            return Ok(attempt);
        }
    }
}

/// Someone asked for it on the forge: the run that a check run belongs to, or, for the gate, judging anew.
pub async fn requested(
    app: &App,
    delivery: &Stored<Delivery>,
    repo: &RepoName,
    head: &Sha,
    external_id: &str,
) -> Result<Planned, PlanError> {
    let now = app.clock.now();
    let mut change = Change::default();
    let nudge = match run_number(repo, external_id) {
        Some(number) => {
            let run = app.store.get::<Run>(&keys::run(repo, number)).await?;
            let attempt = match run {
                Some(run) => restart(app, &run.record, &mut change).await?,
                None => None,
            };
            if attempt.is_none() {
                return deliveries::finish(app, delivery, format!("run #{number} cannot be run again now")).await;
            }
            Nudge::Run { repo: repo.clone(), number }
        }
        None => {
            let key = keys::commit(repo, head);
            let Some(commit) = app.store.get::<HeadCommit>(&key).await? else {
                return deliveries::finish(app, delivery, "ignored: nothing is known of the commit".to_owned()).await;
            };
            let judged_anew = commit.record.clone().reopened(now);
            change.at(&commit).put(key, &judged_anew).mark(keys::open_commit(repo, head));
            Nudge::Commit { repo: repo.clone(), sha: head.clone() }
        }
    };
    deliveries::done(&mut change, delivery, now, format!("run again: {external_id}"));
    if !app.store.commit(change).await? {
        return Ok(Planned::Again);
    }
    app.nudges.nudge(nudge);
    Ok(Planned::Done)
}

/// Every run of a commit, one after the other; those that cannot be run again stay as they are.
pub async fn requested_all(
    app: &App,
    delivery: &Stored<Delivery>,
    repo: &RepoName,
    head: &Sha,
) -> Result<Planned, PlanError> {
    let commit = app.store.get::<HeadCommit>(&keys::commit(repo, head)).await?;
    let mut again = Vec::new();
    for number in commit.iter().flat_map(|commit| commit.record.run_numbers()) {
        match rerun(app, repo, number).await {
            Ok(_) => again.push(format!("#{number}")),
            Err(ApiError::Internal(error) | ApiError::Full(error) | ApiError::Unavailable(error)) => {
                return Err(error.into());
            }
            Err(error) => tracing::info!(%error, "not run again"),
        }
    }
    deliveries::finish(app, delivery, format!("run again: {}", again.join(", "))).await
}

/// Cancels what the merge queue started for a commit; what other events started for it goes on.
pub async fn give_up(
    app: &App,
    delivery: &Stored<Delivery>,
    repo: &RepoName,
    head: &Sha,
    reason: &str,
) -> Result<Planned, PlanError> {
    let commit = app.store.get::<HeadCommit>(&keys::commit(repo, head)).await?;
    for number in commit.iter().flat_map(|commit| commit.record.run_numbers()) {
        let Some(run) = app.store.get::<Run>(&keys::run(repo, number)).await? else { continue };
        if matches!(run.record.event.kind, EventKind::MergeGroup { .. }) {
            concurrency::cancel(app, &run, reason.to_owned(), app.clock.now()).await?;
        }
    }
    deliveries::finish(app, delivery, reason.to_owned()).await
}

/// The run that an external id of ours belongs to: `<owner>/<name>/<run>/<attempt>/<job>`.
fn run_number(repo: &RepoName, external_id: &str) -> Option<u64> {
    external_id.strip_prefix(repo.as_str())?.strip_prefix('/')?.split('/').next()?.parse().ok()
}

/// Adds a new attempt to a change, and that its commit is to be judged anew; none where the run has not ended or
/// never could start.
async fn restart(app: &App, run: &Run, change: &mut Change) -> Result<Option<u32>, crate::store::StoreError> {
    let attempt = restart_alone(app, run, change).await?;
    let key = keys::commit(&run.repo, &run.head);
    if attempt.is_some()
        && let Some(commit) = app.store.get::<HeadCommit>(&key).await?
    {
        let pending = commit.record.clone().reopened(app.clock.now());
        change.at(&commit).put(key, &pending).mark(keys::open_commit(&run.repo, &run.head));
    }
    Ok(attempt)
}

/// As [`restart`], for whoever writes the commit.
pub(crate) async fn restart_alone(
    app: &App,
    run: &Run,
    change: &mut Change,
) -> Result<Option<u32>, crate::store::StoreError> {
    let (Some(conclusion), true) = (run.conclusion(), run.problems.is_empty()) else { return Ok(None) };
    let now = app.clock.now();
    let key = keys::run(&run.repo, run.number);
    let Some(stored) = app.store.get::<Run>(&key).await? else { return Ok(None) };
    if stored.record != *run {
        return Ok(None);
    }
    let mut again = run.clone();
    again.attempt += 1;
    again.cancel = None;
    // Those within calls are made by the calls.
    again.groups.retain(|group, _| group.caller().is_none());
    again.groups.values_mut().for_each(|group| *group = Group::Waiting);
    again.state = match again.group {
        Some(_) => RunState::Pending { since: now },
        None => RunState::InProgress { started_at: now },
    };
    change.at(&stored).put(key, &again).mark(keys::open_run(&run.repo, run.number));
    for key in conclusion_keys(run, &run.branch, conclusion) {
        change.delete(&key);
    }
    Ok(Some(again.attempt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_names_its_run_and_the_gates_names_none() {
        let repo: RepoName = "acme/digits".parse().unwrap();
        assert_eq!(run_number(&repo, "acme/digits/12/1/test.3"), Some(12));
        assert_eq!(run_number(&repo, "gate/0123"), None);
        assert_eq!(run_number(&repo, "other/digits/12/1/test"), None);
    }
}
