//! From records to the structs that [`web`] renders.

mod compare;
mod lists;
mod run;
mod self_checks;

pub use compare::compare;
pub use lists::{metric, repositories, runs};
pub use run::{job, log, run};
pub use self_checks::self_checks;

use web::Status;
use workflows::run::JobState;

use crate::store::records::{Run, RunState};

/// How a run stands, as an icon says it.
pub fn status_of_run(run: &Run) -> Status {
    match &run.state {
        RunState::Pending { .. } => Status::Waiting,
        RunState::InProgress { .. } => Status::Running,
        RunState::Completed { conclusion, .. } => Status::Finished(*conclusion),
    }
}

fn status_of_job(state: &JobState) -> Status {
    match state {
        JobState::Waiting => Status::Waiting,
        JobState::Queued { .. } => Status::Queued,
        JobState::Running { .. } => Status::Running,
        JobState::Completed { conclusion, .. } => Status::Finished(*conclusion),
    }
}
