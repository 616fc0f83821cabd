//! The typed workflow. Expressions are kept as written: they are evaluated when their contexts are
//! known, by [`crate::plan`] on the server and by the runner for the steps.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Permissions, Place};
use crate::{gate::Policy, ids::JobId};

/// A value and the place that it was written at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Located<T> {
    pub value: T,
    pub at: Place,
}

/// A text that may hold `${{ }}`.
pub type Template = Located<String>;

/// Where one expression is the whole of `env` or `with`, this is the mapping's only key.
pub(super) const INSERT: &str = "${{ insert }}";

/// Whether a key of `env` or `with` is `${{ insert }}`, however it is spaced: its value is an expression that gives a mapping,
/// whose entries stand in place of the key.
pub fn is_insert(key: &str) -> bool {
    key.split_whitespace().eq(INSERT.split_whitespace())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// Path in the repository.
    pub file: String,
    pub name: Option<String>,
    pub run_name: Option<Template>,
    pub on: Triggers,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
    #[serde(default)]
    pub env: IndexMap<String, String>,
    #[serde(default)]
    pub defaults: Defaults,
    pub concurrency: Option<Concurrency>,
    /// In the order of the file.
    pub jobs: IndexMap<JobId, Job>,
    pub gate: Option<Policy>,
}

impl Workflow {
    /// `name:`, or the file's path where there is none, as on GitHub.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.file)
    }

    /// The steps of all jobs.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.jobs.values().flat_map(Job::steps)
    }
}

/// `on:`; an event that is absent does not start the workflow.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Triggers {
    pub push: Option<RefFilters>,
    pub pull_request: Option<PullRequestTrigger>,
    pub merge_group: Option<RefFilters>,
    pub workflow_dispatch: Option<IndexMap<String, Input>>,
    pub workflow_call: Option<WorkflowCall>,
    pub repository_dispatch: Option<Vec<String>>,
    /// Cron expressions of five fields, UTC.
    #[serde(default)]
    pub schedule: Vec<Located<String>>,
    /// Events of GitHub's that Assay does not receive, kept so that they can be named.
    #[serde(default)]
    pub others: Vec<Located<String>>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PullRequestTrigger {
    /// None: GitHub's default of `opened`, `synchronize`, `reopened`.
    pub types: Option<Vec<String>>,
    #[serde(default)]
    pub filters: RefFilters,
}

/// None where the key is absent: an absent filter and an empty one mean different things.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RefFilters {
    pub branches: Option<Vec<String>>,
    pub branches_ignore: Option<Vec<String>>,
    pub tags: Option<Vec<String>>,
    pub tags_ignore: Option<Vec<String>>,
    pub paths: Option<Vec<String>>,
    pub paths_ignore: Option<Vec<String>>,
}

/// An input of `workflow_dispatch` or `workflow_call`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    pub description: Option<String>,
    pub required: bool,
    pub default: Option<Value>,
    pub kind: InputKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    String,
    Boolean,
    Number,
    Choice(Vec<String>),
    Environment,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WorkflowCall {
    #[serde(default)]
    pub inputs: IndexMap<String, Input>,
    #[serde(default)]
    pub outputs: IndexMap<String, Template>,
    /// Name → required.
    #[serde(default)]
    pub secrets: IndexMap<String, bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Defaults {
    pub shell: Option<String>,
    pub working_directory: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Concurrency {
    pub group: Template,
    /// `true`, `false` or an expression; none is false.
    pub cancel_in_progress: Option<Template>,
    #[serde(default)]
    pub queue: Queue,
}

/// How many wait for a place in a concurrency group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// One: it takes the place of those that wait.
    #[default]
    Single,
    /// As many as may, one behind the other. Whoever waits so ends nobody.
    Max,
}

impl Queue {
    /// Why `queue: max` and `cancel-in-progress: true` do not go together; as on GitHub.
    pub(crate) const ENDS_NOBODY: &str = "`queue: max` cannot stand beside `cancel-in-progress: true`";
}

impl Concurrency {
    /// The longest name of a group, in units of UTF-16; GitHub's limit.
    pub const MAX_NAME: usize = 400;

    /// The error is a sentence for people.
    pub(crate) fn check_name(name: &str) -> Result<(), String> {
        match name.len() > Self::MAX_NAME && name.encode_utf16().count() > Self::MAX_NAME {
            true => Err(format!("the name of a concurrency group has at most {} characters", Self::MAX_NAME)),
            false => Ok(()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Where its key stands.
    pub at: Place,
    pub name: Option<Template>,
    #[serde(default)]
    pub needs: Vec<Located<JobId>>,
    /// The condition as written, with or without `${{ }}`.
    pub condition: Option<Template>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
    pub runs_on: RunsOn,
    pub strategy: Option<Strategy>,
    #[serde(default)]
    pub outputs: IndexMap<String, Template>,
    #[serde(default)]
    pub env: IndexMap<String, String>,
    /// None where it has no `defaults.run`: then the workflow's hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// A number or an expression; none is GitHub's 360.
    pub timeout_minutes: Option<Template>,
    pub continue_on_error: Option<Template>,
    pub concurrency: Option<Concurrency>,
    pub container: Option<Container>,
    pub body: JobBody,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobBody {
    Steps(Vec<Step>),
    /// `uses: ./.assay/workflows/x.yml`
    Call {
        uses: Located<String>,
        with: IndexMap<String, Located<Value>>,
        secrets: CallSecrets,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallSecrets {
    Inherit,
    Given(IndexMap<String, Template>),
}

impl Job {
    /// The steps; none where the job calls a workflow.
    pub fn steps(&self) -> &[Step] {
        match &self.body {
            JobBody::Steps(steps) => steps,
            JobBody::Call { .. } => &[],
        }
    }
}

/// What a runner must have.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunsOn {
    /// All of these; each may hold `${{ }}`. A single expression may give a list.
    #[serde(default)]
    pub labels: Vec<Template>,
    pub group: Option<Template>,
    /// GPUs that the job needs for itself.
    #[serde(default)]
    pub gpus: u32,
    /// Of each GPU.
    pub gpu_memory_bytes: Option<u64>,
    /// Part of the GPU's name: `H100`.
    pub gpu_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Strategy {
    /// Gives all of it, with the keys as they are written.
    Expression(Template),
    Written {
        matrix: Option<Box<Matrix>>,
        /// `true`, `false` or an expression; none is true.
        fail_fast: Option<Template>,
        max_parallel: Option<Template>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matrix {
    /// Vectors in the order of the file. Strings within may hold `${{ }}`; a vector may be one expression.
    Vectors { vectors: IndexMap<String, Value>, include: Value, exclude: Value, at: Place },
    /// `${{ fromJSON(needs.x.outputs.matrix) }}`
    Expression(Template),
}

/// `jobs.<id>.container`: all of it may hold `${{ }}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Once evaluated, an empty text is no container at all, as on GitHub: `${{ matrix.image }}` may say so. One
    /// expression may also give the whole mapping.
    pub image: Template,
    #[serde(default)]
    pub env: IndexMap<String, String>,
    /// Words for the engine's `create`.
    #[serde(default)]
    pub options: Option<String>,
    #[serde(default)]
    pub volumes: Vec<String>,
    #[serde(default)]
    pub ports: Vec<String>,
    #[serde(default)]
    pub credentials: Option<Credentials>,
}

/// Of the registry that an image comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub at: Place,
    pub id: Option<String>,
    pub name: Option<Template>,
    pub condition: Option<Template>,
    #[serde(default)]
    pub env: IndexMap<String, String>,
    pub continue_on_error: Option<Template>,
    pub timeout_minutes: Option<Template>,
    pub action: StepAction,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepAction {
    Run {
        script: Template,
        shell: Option<Template>,
        working_directory: Option<Template>,
    },
    Uses {
        uses: ActionRef,
        /// `uses` as it stands in the file.
        #[serde(default)]
        written: String,
        /// Where `uses` names it.
        #[serde(default)]
        at: Place,
        with: IndexMap<String, Template>,
    },
}

/// What `uses:` names. GitHub's own actions of the same purpose are aliases of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionRef {
    Builtin(BuiltinAction),
    /// `./path` in the workspace, with an `action.yml`.
    Local(String),
    /// As written; Assay cannot run it. The file was warned about, and the step fails when it comes to run.
    Unknown(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuiltinAction {
    Checkout,
    Eval,
    Bench,
    Inspect,
    UploadArtifact,
    DownloadArtifact,
    Cache,
}
