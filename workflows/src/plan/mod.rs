//! From a workflow and an event to jobs: does it run, and what are the jobs of each `jobs.<id>` once
//! its needs are known.

mod call;
mod context;
mod dispatch;
mod expand;
mod order;
mod preview;
mod select;

#[cfg(test)]
mod tests;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::{JobId, JobKey},
    run::Conclusion,
    syntax::{Concurrency, Diagnostic, Queue},
};

pub use call::{PlannedCall, call_inputs, call_outputs, cancels_in_progress, group_name, workflow_concurrency};
pub use context::{github_context, needs_context};
pub use dispatch::dispatch_problems;
pub use expand::{DEFAULT_TIMEOUT_MINUTES, expand};
pub use preview::{Later, Preview, Skip, dispatch_inputs, preview};
pub use select::{Selection, select};

/// One job, ready to be offered to runners.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedJob {
    pub key: JobKey,
    pub id: JobId,
    /// Resolved display name: `eval (cpu, 3.11)`.
    pub name: String,
    #[serde(default)]
    pub needs: Vec<JobId>,
    /// The `matrix` context; empty without a matrix.
    #[serde(default)]
    pub matrix: IndexMap<String, Value>,
    /// The `strategy` context: fail-fast, job-index, job-total, max-parallel.
    #[serde(default)]
    pub strategy: IndexMap<String, Value>,
    /// Labels that a runner must have, lower case.
    pub runs_on: Vec<String>,
    #[serde(default)]
    pub gpus: u32,
    /// That each of these GPUs must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_memory_bytes: Option<u64>,
    /// Part of each of these GPUs' name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_name: Option<String>,
    pub timeout_minutes: f64,
    /// The concurrency group that it asks for a place before it is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<JobConcurrency>,
    #[serde(default)]
    pub continue_on_error: bool,
    /// Its condition holds for a cancelled run too, as with `always()`: a cancel does not end it.
    #[serde(default)]
    pub outlives_cancel: bool,
}

/// `concurrency` of a job or of a called workflow, evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobConcurrency {
    /// Not empty; names do not differ by case.
    pub group: String,
    /// Not with [`Queue::Max`].
    pub cancel_in_progress: bool,
    #[serde(default)]
    pub queue: Queue,
}

impl JobConcurrency {
    /// Whether both name one group.
    pub fn is_one_with(&self, other: &Self) -> bool {
        self.group.to_lowercase() == other.group.to_lowercase()
    }

    /// None where the name is empty, which is no group; the error is a sentence for people.
    pub(crate) fn named(group: String, cancel_in_progress: bool, queue: Queue) -> Result<Option<Self>, String> {
        Concurrency::check_name(&group)?;
        if cancel_in_progress && queue == Queue::Max {
            return Err(Queue::ENDS_NOBODY.to_owned());
        }
        Ok(Some(Self { group, cancel_in_progress, queue }).filter(|concurrency| !concurrency.group.is_empty()))
    }
}

/// What becomes of one `jobs.<id>` when all its needs have ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Expansion {
    /// Its condition is false, or a need failed or was skipped.
    Skipped {
        name: String,
    },
    Jobs(Vec<PlannedJob>),
    /// The job calls a workflow, once for each row.
    Calls(Vec<PlannedCall>),
    /// An expression in it fails: the job fails with this, at its place.
    Invalid(Box<Diagnostic>),
}

/// How a needed job ended, all rows of its matrix together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeedResult {
    /// `success`, `failure`, `cancelled` or `skipped`, as `needs.<id>.result` says.
    pub result: Conclusion,
    pub outputs: IndexMap<String, String>,
}
