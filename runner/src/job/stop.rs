//! Reasons for which a step must end before it is done.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What steps with `always()` have after the job was cancelled, as on GitHub: those that run then, and those after them.
const GRACE: Duration = Duration::from_secs(300);

/// Longest time that a timeout can say: a month and a bit.
const LONGEST: f64 = 35.0 * 24.0 * 60.0;

/// Why a job was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    Cancelled,
    /// The job's own `timeout-minutes`.
    TimedOut,
}

/// Why a step has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Job(Stopped),
    /// The step's own `timeout-minutes`.
    Step,
    /// The time that a stopped job has for its last steps is over.
    Grace,
}

/// A `timeout-minutes` as time.
pub(crate) fn minutes(minutes: f64) -> Duration {
    Duration::from_secs_f64(minutes.clamp(0.0, LONGEST) * 60.0)
}

/// When a job was stopped; empty before it was. The first to notice says it.
pub(crate) type StopTime = Arc<OnceLock<Instant>>;

/// What stops all of a job.
#[derive(Debug, Clone)]
pub(crate) struct JobLimits {
    pub cancel: CancellationToken,
    pub deadline: Instant,
    pub stopped_at: StopTime,
}

/// The limits of one step.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    of_job: JobLimits,
    job: JobLimit,
    step: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum JobLimit {
    /// The step ends when the job is stopped.
    EndsWithJob,
    /// It runs although the job is stopped, or may be while it runs: it has the time that is left then.
    HasGrace,
}

impl Limits {
    /// Of a step that ends when its job is stopped, unless it `outlives` that.
    pub(crate) fn new(of_job: JobLimits, step: Option<Instant>, outlives: bool) -> Self {
        Self { of_job, job: if outlives { JobLimit::HasGrace } else { JobLimit::EndsWithJob }, step }
    }

    /// Adds a limit of an inner step's, which outlives the job's end only if this one does.
    pub(crate) fn within(&self, step: Option<Instant>, outlives: bool) -> Self {
        let step = match (self.step, step) {
            (Some(outer), Some(inner)) => Some(outer.min(inner)),
            (outer, inner) => outer.or(inner),
        };
        let outlives = outlives && matches!(self.job, JobLimit::HasGrace);
        Self::new(self.of_job.clone(), step, outlives)
    }

    /// Waits until one is reached.
    pub(crate) async fn reached(&self) -> Why {
        let step = async {
            match self.step {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let job = async {
            let stopped = match self.of_job.stopped_at.get() {
                Some(_) => Stopped::Cancelled,
                None => tokio::select! {
                    biased;
                    () = self.of_job.cancel.cancelled() => Stopped::Cancelled,
                    () = tokio::time::sleep_until(self.of_job.deadline) => Stopped::TimedOut,
                },
            };
            match self.job {
                JobLimit::EndsWithJob => Why::Job(stopped),
                JobLimit::HasGrace => {
                    // Asked again after each of the step's outputs: the time runs from the first.
                    let at = *self.of_job.stopped_at.get_or_init(Instant::now);
                    tokio::time::sleep_until(at + GRACE).await;
                    Why::Grace
                }
            }
        };
        tokio::select! {
            biased;
            why = job => why,
            () = step => Why::Step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(outlives: bool) -> Limits {
        let deadline = Instant::now() + Duration::from_secs(3600);
        let of_job = JobLimits { cancel: CancellationToken::new(), deadline, stopped_at: StopTime::default() };
        Limits::new(of_job, None, outlives)
    }

    async fn reached_soon(limits: &Limits) -> Option<Why> {
        tokio::time::timeout(Duration::from_millis(20), limits.reached()).await.ok()
    }

    #[tokio::test]
    async fn what_outlives_its_job_has_five_minutes_from_when_that_was_stopped() {
        let limits = limits(true);
        assert_eq!(reached_soon(&limits).await, None);
        limits.of_job.cancel.cancel();
        assert_eq!(reached_soon(&limits).await, None);
        let noticed = *limits.of_job.stopped_at.get().expect("the first to notice says when");
        assert_eq!(reached_soon(&limits).await, None);
        assert_eq!(limits.of_job.stopped_at.get(), Some(&noticed));

        let long_ago = Instant::now().checked_sub(GRACE).expect("the machine has run for five minutes");
        let stopped_at = StopTime::from(OnceLock::from(long_ago));
        let over = Limits { of_job: JobLimits { stopped_at, ..limits.of_job.clone() }, ..limits };
        assert_eq!(reached_soon(&over).await, Some(Why::Grace));
    }

    #[tokio::test]
    async fn a_step_of_an_action_outlives_its_job_only_if_both_do() {
        for (outer, inner) in [(true, true), (true, false), (false, true), (false, false)] {
            let limits = limits(outer).within(None, inner);
            limits.of_job.cancel.cancel();
            let expected = (!(outer && inner)).then_some(Why::Job(Stopped::Cancelled));
            assert_eq!(reached_soon(&limits).await, expected, "{outer} {inner}");
        }
    }
}
