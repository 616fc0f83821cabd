use workflows::{
    protocol::{Isolation, JobResult},
    run::{Conclusion, JobEvent},
};

use crate::{
    app::App,
    concurrency,
    draft::write_queue,
    reconcile::Nudge,
    store::{
        Change, Stored,
        engine::Direction,
        keys,
        records::{Job, Lease},
    },
};

/// More leases than there are runners.
const MOST_LEASES: usize = 100_000;

/// Ends the leases of runners that were not heard of: their jobs are offered again.
pub async fn expire(app: &App) -> anyhow::Result<()> {
    let now = app.store.now().await?;
    for lease in app.store.scan::<Lease>(&keys::leases(), Direction::Forward, MOST_LEASES).await? {
        if lease.record.expires_at < now {
            expire_one(app, &lease).await?;
        }
    }
    Ok(())
}

/// A conflict means that the runner spoke after all, or that another server was faster: the next look tells.
async fn expire_one(app: &App, lease: &Stored<Lease>) -> anyhow::Result<()> {
    let Lease { job, runner, .. } = &lease.record;
    tracing::warn!(job = job.external_id(), runner, "a runner was lost");
    let key = keys::job(job);
    let mut change = Change::default();
    change.at(lease).delete_stored(lease);
    let mut ended = None;
    if let Some(stored) = app.store.get::<Job>(&key).await? {
        let mut record = stored.record.clone();
        record.life = record.life.apply(JobEvent::LeaseExpired, app.clock.now())?;
        match record.life.conclusion() {
            None => record.steps.clear(),
            Some(conclusion) => record.result = Some(Box::new(lost(conclusion, runner, record.life.lost))),
        }
        write_queue(&mut change, &record, None);
        change.at(&stored).put(key, &record);
        ended = Some(record);
    }
    if app.store.commit(change).await? {
        if let Some(job) = &ended {
            concurrency::leave_job(app, job).await?;
        }
        app.nudges.nudge(Nudge::Run { repo: job.repo.clone(), number: job.run });
    }
    Ok(())
}

fn lost(conclusion: Conclusion, runner: &str, times: u32) -> JobResult {
    JobResult {
        conclusion,
        summary: Some(format!(
            "lost its runner {times} times, the last time {runner}: the machine or its network died"
        )),
        outputs: indexmap::IndexMap::new(),
        evaluations: vec![],
        annotations: vec![],
        isolation: Isolation::None,
    }
}
