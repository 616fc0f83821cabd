use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Conclusion;

/// A job whose runner vanished so many times is not offered again: it may be what kills them.
pub const MAX_LOST_RUNNERS: u32 = 3;

/// Where a job stands. Times live in the state that they belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum JobState {
    /// `max-parallel` or its concurrency group has no room for it yet.
    Waiting,
    /// Any runner that fits may take it.
    Queued { since: Timestamp },
    /// A runner holds a lease on it.
    Running { started_at: Timestamp, runner: String },
    /// `started_at` is none where no runner ever took it.
    Completed { started_at: Option<Timestamp>, finished_at: Timestamp, conclusion: Conclusion },
}

/// A job's place in its concurrency group, which it keeps until it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum Place {
    /// It has not asked; or it is in no group.
    #[default]
    None,
    Asked {
        since: Timestamp,
    },
    Given,
}

/// What happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    /// It wants a place in its concurrency group.
    PlaceAsked,
    PlaceGiven,
    Offered,
    Claimed {
        runner: String,
    },
    /// The runner is being stopped and returns the job unfinished.
    GivenBack,
    /// The runner was not heard of for a lease's time.
    LeaseExpired,
    Concluded(Conclusion),
    /// Someone wants it to stop: the sentence for its log.
    CancelAsked(String),
}

/// A job's state and what must be remembered between states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobLife {
    pub state: JobState,
    /// Fencing token of the newest lease; the next lease's is one higher.
    #[serde(default)]
    pub token: u64,
    /// Leases that expired.
    #[serde(default)]
    pub lost: u32,
    /// Set once somebody asked it to stop.
    #[serde(default)]
    pub cancel: Option<String>,
    /// It was planned after the run was cancelled, or would have been (`if: always()`): cancellation is not for it.
    #[serde(default)]
    pub after_cancel: bool,
    #[serde(default)]
    pub place: Place,
}

/// An event that cannot happen in this state: late, repeated, or a mistake of ours.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("a job that is {state:?} cannot be {event:?}")]
pub struct Illegal {
    pub state: JobState,
    pub event: JobEvent,
}

impl JobLife {
    pub fn new(after_cancel: bool) -> Self {
        Self { state: JobState::Waiting, token: 0, lost: 0, cancel: None, after_cancel, place: Place::None }
    }

    pub fn conclusion(&self) -> Option<Conclusion> {
        match self.state {
            JobState::Completed { conclusion, .. } => Some(conclusion),
            JobState::Waiting | JobState::Queued { .. } | JobState::Running { .. } => None,
        }
    }

    /// Since when any runner that fits may take it.
    pub fn queued_since(&self) -> Option<Timestamp> {
        match self.state {
            JobState::Queued { since } => Some(since),
            JobState::Waiting | JobState::Running { .. } | JobState::Completed { .. } => None,
        }
    }

    /// Since when it asks for a place in its concurrency group; none where it does not.
    pub fn asks(&self) -> Option<Timestamp> {
        match (&self.state, self.place) {
            (JobState::Waiting, Place::Asked { since }) => Some(since),
            (_, Place::None | Place::Asked { .. } | Place::Given) => None,
        }
    }

    /// The state after an event.
    pub fn apply(mut self, event: JobEvent, now: Timestamp) -> Result<Self, Illegal> {
        let completed = |started_at, conclusion| JobState::Completed { started_at, finished_at: now, conclusion };
        self.state = match (self.state, event) {
            (state @ JobState::Waiting, JobEvent::PlaceAsked) => {
                self.place = Place::Asked { since: now };
                state
            }
            (state @ JobState::Waiting, JobEvent::PlaceGiven) => {
                self.place = Place::Given;
                state
            }
            (JobState::Waiting, JobEvent::Offered) => JobState::Queued { since: now },
            (JobState::Queued { .. }, JobEvent::Claimed { runner }) => {
                self.token += 1;
                JobState::Running { started_at: now, runner }
            }
            (JobState::Running { started_at, .. }, JobEvent::GivenBack) => match self.cancel {
                Some(_) => completed(Some(started_at), Conclusion::Cancelled),
                None => JobState::Queued { since: now },
            },
            (JobState::Running { started_at, .. }, JobEvent::LeaseExpired) => {
                self.lost += 1;
                match self.cancel {
                    Some(_) => completed(Some(started_at), Conclusion::Cancelled),
                    None if self.lost >= MAX_LOST_RUNNERS => completed(Some(started_at), Conclusion::Failure),
                    None => JobState::Queued { since: now },
                }
            }
            (JobState::Running { started_at, .. }, JobEvent::Concluded(conclusion)) => {
                completed(Some(started_at), conclusion)
            }
            (JobState::Waiting | JobState::Queued { .. }, JobEvent::CancelAsked(reason)) => {
                self.cancel = Some(reason);
                completed(None, Conclusion::Cancelled)
            }
            (state @ JobState::Running { .. }, JobEvent::CancelAsked(reason)) => {
                self.cancel.get_or_insert(reason);
                state
            }
            (state, event) => return Err(Illegal { state, event }),
        };
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn running() -> JobLife {
        let claimed = JobEvent::Claimed { runner: "r".into() };
        JobLife::new(false).apply(JobEvent::Offered, at(1)).unwrap().apply(claimed, at(2)).unwrap()
    }

    #[test]
    fn each_lease_has_a_higher_token_and_the_third_loss_is_a_failure() {
        let mut life = running();
        for loss in 1..MAX_LOST_RUNNERS {
            life = life.apply(JobEvent::LeaseExpired, at(10)).unwrap();
            assert_eq!(life.state, JobState::Queued { since: at(10) });
            life = life.apply(JobEvent::Claimed { runner: "r".into() }, at(11)).unwrap();
            assert_eq!(life.token, u64::from(loss) + 1);
        }
        assert_eq!(life.apply(JobEvent::LeaseExpired, at(12)).unwrap().conclusion(), Some(Conclusion::Failure));
    }

    #[test]
    fn a_running_job_is_asked_to_stop_and_a_waiting_one_simply_ends() {
        let asked = running().apply(JobEvent::CancelAsked("enough".into()), at(3)).unwrap();
        assert_eq!(asked.conclusion(), None);
        assert_eq!(asked.cancel.as_deref(), Some("enough"));
        assert_eq!(asked.apply(JobEvent::LeaseExpired, at(4)).unwrap().conclusion(), Some(Conclusion::Cancelled));
        let waiting = JobLife::new(false).apply(JobEvent::CancelAsked("enough".into()), at(3)).unwrap();
        assert_eq!(waiting.conclusion(), Some(Conclusion::Cancelled));
    }

    #[test]
    fn nothing_happens_to_a_job_that_has_ended() {
        let ended = running().apply(JobEvent::Concluded(Conclusion::Success), at(3)).unwrap();
        for event in [
            JobEvent::PlaceAsked,
            JobEvent::PlaceGiven,
            JobEvent::Offered,
            JobEvent::Claimed { runner: "x".into() },
            JobEvent::GivenBack,
            JobEvent::LeaseExpired,
            JobEvent::Concluded(Conclusion::Failure),
            JobEvent::CancelAsked("late".into()),
        ] {
            assert!(ended.clone().apply(event, at(9)).is_err());
        }
    }
}
