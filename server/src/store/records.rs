//! What is kept. Each record is written as a version byte and JSON; see `super::codec`.

mod acceptance;
mod commit;
mod delivery;
mod job;
mod repo;
mod run;
mod self_check;
mod setting;
mod timetable;

pub use acceptance::{Acceptance, AcceptedRule, Acceptor, Via};
pub use commit::{
    Binding, FileOutcome, Gate, GateReport, HeadCommit, Planning, PolicySource, PostedCheck, Repetition, Wait,
};
pub use delivery::{Delivery, DeliveryState};
pub use job::{Artifact, Job, JobRef, Lease, MetricPoint, Queued, Samples};
pub use repo::{ConcurrencyGroup, Member, Repo, Runner};
pub use run::{Cancellation, Run, RunState, Text};
pub use self_check::SelfChecked;
pub use setting::{Secret, Variable};
pub use timetable::{Scheduled, Timetable};

/// A kind of record. A change that older readers would misread raises the version and comes with
/// its upcast in `super::codec`.
pub trait Record: serde::Serialize + serde::de::DeserializeOwned + Send {
    const VERSION: u8 = 1;
}

macro_rules! records {
    ($($record:ty),*) => { $(impl Record for $record {})* };
}

records!(
    Repo,
    Delivery,
    Run,
    Job,
    Queued,
    Lease,
    Samples,
    Artifact,
    workflows::evaluation::Evaluation,
    HeadCommit,
    PostedCheck,
    Acceptance,
    SelfChecked,
    MetricPoint,
    Runner,
    ConcurrencyGroup,
    Secret,
    Variable,
    Timetable,
    Text
);
