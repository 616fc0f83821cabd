//! What self-checks said, kept for a repository: how often its gate raises a false alarm.

use workflows::{
    gate::{FalseAlarms, Policy, self_check},
    ids::{RepoName, Sha},
};

use super::{Failure, evidence::Evidence};
use crate::{
    app::App,
    error::ApiError,
    store::{
        engine::Direction,
        keys,
        records::{HeadCommit, SelfChecked},
    },
};

/// Newest self-checks that are counted.
const MOST: usize = 10_000;

/// Judges what was measured twice of the base; none where nothing was, or no rule is about it.
pub(super) async fn judge(
    app: &App,
    commit: &HeadCommit,
    base: Option<&Sha>,
    policy: &Policy,
    evidence: &mut Evidence,
) -> Result<Option<SelfChecked>, Failure> {
    let twice = std::mem::take(&mut evidence.twice);
    let (Some(base), Some(run), false) = (base, evidence.twice_in, twice.is_empty()) else { return Ok(None) };
    let policy = policy.clone();
    let judged = tokio::task::spawn_blocking(move || self_check(&policy, &twice)).await;
    let check = judged.map_err(|error| Failure::Ours(anyhow::anyhow!("judging a self-check failed: {error}")))?;
    Ok(check.map(|check| {
        let (repo, head) = (commit.repo.clone(), commit.sha.clone());
        SelfChecked { repo, head, base: base.clone(), run, at: app.clock.now(), check }
    }))
}

/// How often a repository's gate raised a false alarm, and the self-checks that say so, newest first.
pub async fn false_alarms(app: &App, repo: &RepoName) -> Result<(FalseAlarms, Vec<SelfChecked>), ApiError> {
    let found = app.store.scan::<SelfChecked>(&keys::self_checks(repo), Direction::Reverse, MOST).await?;
    let mut checks: Vec<SelfChecked> = found.into_iter().map(|stored| stored.record).collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.at));
    let counted = checks.iter().map(|checked| (checked.check.alpha, checked.check.is_false_alarm()));
    Ok((FalseAlarms::of(counted), checks))
}
