//! Evaluations that are known: what one runner computed, none computes again.
//!
//! They belong to a repository and to a trust. Untrusted code reads what trusted code computed, never the other way
//! round: a fork's numbers must not become a baseline. Which of the two a job is, the server knows by its run.

use workflows::{evaluation::Evaluation, ids::Digest, protocol::Refusal};

use crate::{
    app::App,
    leases::LeaseError,
    store::{
        Change, keys,
        records::{JobRef, Run},
    },
};

/// What is known of a key, as a job of `job`'s run may use it. One whose outcomes are gone counts as unknown.
pub async fn find(app: &App, job: &JobRef, key: &Digest) -> anyhow::Result<Option<Evaluation>> {
    let trusts: &[bool] = if is_trusted(app, job).await? { &[true] } else { &[true, false] };
    for trusted in trusts {
        let kept = app.store.get::<Evaluation>(&keys::evaluation(&job.repo, *trusted, key)).await?;
        if let Some(kept) = kept
            && has_outcomes(app, &kept.record).await?
        {
            return Ok(Some(kept.record));
        }
    }
    Ok(None)
}

/// Keeps what a job computed for a key; the newest stays.
pub async fn keep(app: &App, job: &JobRef, key: &Digest, evaluation: Evaluation) -> Result<(), LeaseError> {
    if !has_outcomes(app, &evaluation).await? {
        let message = "the outcomes of an evaluation are uploaded before it is kept".to_owned();
        return Err(LeaseError::Refused(Refusal::Invalid { message }));
    }
    let trusted = is_trusted(app, job).await?;
    let mut change = Change::default();
    change.put(keys::evaluation(&job.repo, trusted, key), &evaluation);
    app.store.commit(change).await?;
    Ok(())
}

async fn has_outcomes(app: &App, evaluation: &Evaluation) -> anyhow::Result<bool> {
    match &evaluation.outcomes {
        Some(outcomes) => Ok(app.blobs.exists(&outcomes.digest).await?),
        None => Ok(false),
    }
}

async fn is_trusted(app: &App, job: &JobRef) -> anyhow::Result<bool> {
    let run = app.store.get::<Run>(&keys::run(&job.repo, job.run)).await?;
    Ok(run.is_some_and(|run| run.record.event.kind.is_trusted()))
}
