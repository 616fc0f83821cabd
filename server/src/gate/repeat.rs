//! A benchmark that could not tell, or was disturbed, is repeated, within what the policy allows.

use workflows::gate::{Policy, Repeat, Verdict, repeat};

use super::evidence::{Benchmarked, Evidence};
use crate::{
    app::App,
    reconcile::Nudge,
    rerun,
    store::{
        Change, Stored, keys,
        records::{HeadCommit, Repetition, Run},
    },
};

/// The repetition that a verdict asks for; none where the policy allows no more.
pub(super) fn wanted(
    policy: &Policy,
    commit: &HeadCommit,
    verdict: &Verdict,
    head: &Evidence,
    now: jiff::Timestamp,
) -> Option<Repetition> {
    if commit.repetitions.len() >= usize::try_from(policy.defaults.repetitions).unwrap_or(usize::MAX) {
        return None;
    }
    head.benchmarks.iter().find_map(|Benchmarked { run, evaluation, disturbances }| {
        let found = repeat(verdict, evaluation, !disturbances.is_empty())?;
        let (blocks, reason) = match found {
            Repeat::Disturbed => (None, format!("`{evaluation}` was disturbed: {}.", disturbances.join("; "))),
            Repeat::Blocks { had, needed } => {
                let reason = format!("`{evaluation}` could not tell from {had} blocks, {needed} probably would.");
                (u32::try_from(needed).ok(), reason)
            }
        };
        Some(Repetition { at: now, run: *run, blocks, reason })
    })
}

/// Starts it; false where something changed under us, or the run cannot be run again.
pub(super) async fn start(app: &App, commit: &Stored<HeadCommit>, repetition: Repetition) -> anyhow::Result<bool> {
    let HeadCommit { repo, sha, .. } = &commit.record;
    let number = repetition.run;
    let Some(run) = app.store.get::<Run>(&keys::run(repo, number)).await? else { return Ok(false) };
    let mut change = Change::default();
    if rerun::restart_alone(app, &run.record, &mut change).await?.is_none() {
        return Ok(false);
    }
    tracing::info!(%repo, %sha, run = number, reason = repetition.reason, "a benchmark is repeated");
    let mut repetitions = commit.record.repetitions.clone();
    repetitions.push(repetition);
    let record = HeadCommit { repetitions, wait: None, ..commit.record.clone() };
    change.at(commit).put(keys::commit(repo, sha), &record).mark(keys::open_commit(repo, sha));
    let started = app.store.commit(change).await?;
    if started {
        app.nudges.nudge(Nudge::Run { repo: repo.clone(), number });
    }
    Ok(started)
}
