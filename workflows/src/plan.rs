//! From a workflow and an event to jobs: does it run, and what are the jobs of each `jobs.<id>` once
//! its needs are known.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    event::Event,
    expr::Environment,
    ids::{JobId, JobKey},
    run::Conclusion,
    syntax::{Diagnostic, Workflow},
};

/// Whether an event starts a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    Runs,
    /// The event is not named under `on:`, or not with this activity type.
    NotSubscribed,
    /// A filter on branches, tags or paths says no: the sentence for people.
    Filtered(String),
}

/// Decides by `on:`. `changed` are the paths that the event changes (of a pull request: all of it);
/// none where they could not be found out, and then path filters let it run, as on GitHub.
pub fn select(workflow: &Workflow, event: &Event, changed: Option<&[String]>) -> Selection {
    let _ = (workflow, event, changed);
    unimplemented!("arrives with the language room")
}

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
    pub timeout_minutes: f64,
    #[serde(default)]
    pub continue_on_error: bool,
}

/// What becomes of one `jobs.<id>` when all its needs have ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Expansion {
    /// Its condition is false, or a need failed or was skipped.
    Skipped {
        name: String,
    },
    Jobs(Vec<PlannedJob>),
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

/// Expands a job. `contexts` hold `github`, `vars`, `inputs`; `needs` holds *every* job that this one
/// needs directly or through others (`failure()` looks at all ancestors), by id.
pub fn expand(
    workflow: &Workflow,
    job: &JobId,
    contexts: &IndexMap<String, Value>,
    needs: &IndexMap<JobId, NeedResult>,
    cancelled: bool,
) -> Expansion {
    let _ = (workflow, job, contexts, needs, cancelled);
    unimplemented!("arrives with the language room")
}

/// The `github` context of an event.
pub fn github_context(event: &Event, workflow: &Workflow, run_number: u64, attempt: u32) -> Value {
    let _ = (event, workflow, run_number, attempt, Environment::default());
    unimplemented!("arrives with the language room")
}
