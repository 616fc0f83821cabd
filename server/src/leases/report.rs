use jiff::{SignedDuration, Timestamp};
use workflows::{
    protocol::{Finished, Heartbeat, HeartbeatReply, JobResult, Refusal, Report, StepReport, TelemetrySample},
    run::JobEvent,
};

use super::LeaseError;
use crate::{
    app::App,
    concurrency,
    draft::write_queue,
    reconcile::Nudge,
    store::{
        Change, Stored, keys,
        records::{Job, Lease, MetricPoint, Run, Samples},
    },
};

/// Steps of a job that are kept, and characters of their names.
const MOST_STEPS: usize = 256;
const MOST_NAME_CHARS: usize = 120;

/// Points of metrics that fit into one commit.
const POINTS_PER_COMMIT: usize = 90;

/// A lease, held by whoever asks.
pub struct Held {
    pub lease: Stored<Lease>,
}

/// Checks that a lease is there and that the token is its own.
pub async fn held(app: &App, id: &str, token: u64) -> Result<Held, LeaseError> {
    let lease = app.store.get::<Lease>(&keys::lease(id)).await?;
    let lease = lease.filter(|lease| lease.record.token == token);
    Ok(Held { lease: lease.ok_or(LeaseError::Refused(Refusal::StaleLease))? })
}

/// Renews a lease. One that has run out, but was given to nobody else yet, lives on.
pub async fn heartbeat(app: &App, id: &str, token: u64, beat: &Heartbeat) -> Result<HeartbeatReply, LeaseError> {
    loop {
        let Held { lease } = held(app, id, token).await?;
        let job = app.store.get::<Job>(&keys::job(&lease.record.job)).await?;
        let expires_at = app.store.now().await? + SignedDuration::from_secs(lease.record.ttl_s.into());
        let mut change = Change::default();
        change.at(&lease).put(keys::lease(id), &Lease { expires_at, ..lease.record.clone() });
        put_telemetry(&mut change, &lease.record, &beat.telemetry, app.clock.now());
        if app.store.commit(change).await? {
            return Ok(HeartbeatReply { expires_at, cancel: job.and_then(|job| job.record.life.cancel) });
        }
    }
}

/// Records how far a job has come, or how it ended. Durable when it returns.
pub async fn report(app: &App, id: &str, token: u64, report: &Report) -> Result<(), LeaseError> {
    loop {
        let Held { lease } = held(app, id, token).await?;
        let key = keys::job(&lease.record.job);
        let stale = LeaseError::Refused(Refusal::StaleLease);
        let job = app.store.get::<Job>(&key).await?.ok_or(stale)?;
        let mut record = job.record.clone();
        record.steps = kept_steps(&report.steps);
        let now = app.clock.now();
        let mut change = Change::default();
        change.at(&lease).at(&job);
        put_telemetry(&mut change, &lease.record, &report.telemetry, now);
        match &report.finished {
            None => {}
            Some(Finished::Concluded(result)) => {
                let concluded = JobEvent::Concluded(result.conclusion);
                record.life = record.life.apply(concluded, now).map_err(anyhow::Error::from)?;
                record.result = Some(result.clone());
                change.delete(&keys::lease(id));
            }
            Some(Finished::GivenBack { reason }) => {
                tracing::info!(job = record.id.external_id(), reason, "job given back");
                record.life = record.life.apply(JobEvent::GivenBack, now).map_err(anyhow::Error::from)?;
                record.steps.clear();
                write_queue(&mut change, &record, None);
                change.delete(&keys::lease(id));
            }
        }
        change.put(key, &record);
        if !app.store.commit(change).await? {
            continue;
        }
        if let Some(finished) = &report.finished {
            if let Finished::Concluded(result) = finished {
                concurrency::leave_job(app, &record).await?;
                put_metrics(app, &record, result, now).await?;
            }
            app.nudges.nudge(Nudge::Run { repo: record.id.repo.clone(), number: record.id.run });
        }
        return Ok(());
    }
}

fn kept_steps(steps: &[StepReport]) -> Vec<StepReport> {
    let kept = |step: &StepReport| StepReport {
        name: step.name.chars().take(MOST_NAME_CHARS).collect(),
        state: step.state.clone(),
    };
    steps.iter().take(MOST_STEPS).map(kept).collect()
}

fn put_telemetry(change: &mut Change, lease: &Lease, samples: &[TelemetrySample], now: Timestamp) {
    if !samples.is_empty() {
        change.put(keys::telemetry(&lease.job, now), &Samples { samples: samples.to_vec() });
    }
}

/// Adds the job's metrics to their trends. Written after the job's end: a crash between the two costs
/// points of a chart, and the numbers stay in the job's result.
async fn put_metrics(app: &App, job: &Job, result: &JobResult, now: Timestamp) -> Result<(), LeaseError> {
    if result.evaluations.is_empty() {
        return Ok(());
    }
    let Some(run) = app.store.get::<Run>(&keys::run(&job.id.repo, job.id.run)).await? else { return Ok(()) };
    let Run { repo, branch, number, head, event, .. } = &run.record;
    // What a stranger's code said of itself is in the run alone.
    if !event.kind.is_trusted() {
        return Ok(());
    }
    let mut points = Vec::new();
    for evaluation in &result.evaluations {
        for (metric, value) in &evaluation.metrics {
            let point = MetricPoint {
                at: now,
                run: *number,
                sha: head.clone(),
                evaluation: evaluation.name.clone(),
                value: *value,
                n: evaluation.n,
                like: evaluation.like(),
            };
            let job = &job.id.key;
            points.push((keys::metric_point(repo, branch, metric, now, *number, job, &evaluation.name), point));
        }
    }
    for points in points.chunks(POINTS_PER_COMMIT) {
        let mut change = Change::default();
        for (key, point) in points {
            // Two evaluations of one name in a job are the runner's mistake; the last one counts.
            change.unput(key).put(key.clone(), point);
        }
        app.store.commit(change).await?;
    }
    Ok(())
}
