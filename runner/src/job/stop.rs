//! Reasons for which a step must end before it is done.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What steps with `always()` have after the job was cancelled, as on GitHub.
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

/// The limits of one step.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    cancel: CancellationToken,
    job: JobLimit,
    step: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum JobLimit {
    Until(Instant),
    /// The job is stopped already: its cancellation does not stop this step again.
    GraceUntil(Instant),
}

impl Limits {
    pub(crate) fn new(cancel: CancellationToken, deadline: Instant, step: Option<Instant>) -> Self {
        Self { cancel, job: JobLimit::Until(deadline), step }
    }

    /// Those of a step that runs although the job was stopped.
    pub(crate) fn after_stop(cancel: CancellationToken, stopped_at: Instant, step: Option<Instant>) -> Self {
        Self { cancel, job: JobLimit::GraceUntil(stopped_at + GRACE), step }
    }

    /// Adds a limit of an inner step's.
    pub(crate) fn within(&self, step: Option<Instant>) -> Self {
        let step = match (self.step, step) {
            (Some(outer), Some(inner)) => Some(outer.min(inner)),
            (outer, inner) => outer.or(inner),
        };
        Self { cancel: self.cancel.clone(), job: self.job, step }
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
            match self.job {
                JobLimit::Until(at) => tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => Why::Job(Stopped::Cancelled),
                    () = tokio::time::sleep_until(at) => Why::Job(Stopped::TimedOut),
                },
                JobLimit::GraceUntil(at) => {
                    tokio::time::sleep_until(at).await;
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
