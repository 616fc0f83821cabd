use workflows::{
    protocol::{Isolation, JobResult},
    run::{Conclusion, JobEvent},
};

use crate::{
    app::App,
    concurrency,
    forge::ForgeError,
    reconcile::Nudge,
    store::{
        Change, Stored, keys,
        records::{Job, Queued},
    },
};

/// A job whose commit the forge will never give us (our App was removed, the repository is gone) fails with the
/// reason: otherwise it would wait for ever. Any other error is handed on.
pub(super) async fn unless_temporary(
    app: &App,
    queued: &Stored<Queued>,
    job: &Stored<Job>,
    error: anyhow::Error,
) -> anyhow::Result<()> {
    let reason = match error.downcast_ref::<ForgeError>() {
        Some(ForgeError::Gone(reason) | ForgeError::Unusable(reason)) => reason.clone(),
        Some(ForgeError::Transient { .. }) | None => return Err(error),
    };
    let now = app.clock.now();
    let life = job.record.life.clone().apply(JobEvent::Claimed { runner: String::new() }, now)?;
    let life = life.apply(JobEvent::Concluded(Conclusion::Failure), now)?;
    let result = JobResult {
        conclusion: Conclusion::Failure,
        summary: Some(format!("the commit cannot be fetched: {reason}")),
        outputs: indexmap::IndexMap::new(),
        evaluations: vec![],
        annotations: vec![],
        isolation: Isolation::None,
    };
    let id = &job.record.id;
    tracing::warn!(job = id.external_id(), reason, "a job cannot run");
    let mut change = Change::default();
    change.at(queued).delete_stored(queued);
    let ended = Job { life, result: Some(Box::new(result)), ..job.record.clone() };
    change.at(job).put(keys::job(id), &ended);
    if app.store.commit(change).await? {
        concurrency::leave_job(app, &ended).await?;
        app.nudges.nudge(Nudge::Run { repo: id.repo.clone(), number: id.run });
    }
    Ok(())
}
