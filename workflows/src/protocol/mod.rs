//! What a runner and the server say to each other: JSON over HTTP, long-polled.
//!
//! The story of one job, as the runner lives it:
//!
//! 1. `POST /api/runner/v1/claim` ([`ClaimRequest`]) blocks until the server has a job that fits the
//!    runner's labels, free slots and GPUs, or the wait is over (204). The answer is a [`Claim`]: the
//!    job, and a *lease*, the time-limited right to run it, with a fencing token.
//! 2. `POST /api/runner/v1/leases/{lease}/heartbeat` ([`Heartbeat`]) every third of the lease's time
//!    renews it; the reply says when it now expires, and carries cancellation.
//! 3. `PUT /api/runner/v1/leases/{lease}/log?offset=N` appends raw bytes of the log. The offset makes
//!    a repeat harmless: bytes the server already has are skipped, a gap is refused (409) with the
//!    length that it has ([`LogReply`]).
//! 4. `PUT|GET /api/runner/v1/leases/{lease}/artifacts/{name}` stores and fetches an artifact of the
//!    run as `tar.zst`; `GET /api/runner/v1/leases/{lease}/artifacts` names those there are
//!    ([`ArtifactList`]); `PUT /api/runner/v1/leases/{lease}/blobs/{digest}` stores outcomes.
//!    `PUT|GET /api/runner/v1/leases/{lease}/evaluations/{key}` keeps and finds an
//!    [`Evaluation`] by the digest of what it is a function of: what one runner computed, none computes again.
//! 5. `POST /api/runner/v1/leases/{lease}/report` ([`Report`]) says how far each step has come, and
//!    at the end, with [`Report::finished`], how the job ended. After that the lease is gone.
//! 6. A runner that is stopped in the middle gives the job back: a report with
//!    [`Finished::GivenBack`], and the job is offered again at once.
//!
//! Every request but the claim carries the lease's token in the header [`TOKEN_HEADER`]. A lease that
//! expired was given to another runner with a higher token: the first one's words are refused with
//! 410 ([`Refusal::StaleLease`]) and it stops its job. All requests carry `Authorization: Bearer …`.
//!
//! Unknown fields are ignored and new ones are optional, so that a runner one version older or newer
//! still works; a change that breaks that raises [`VERSION`], and the server refuses the others.

mod baseline;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    evaluation::Evaluation,
    ids::{ArtifactName, JobKey, RepoName, Sha},
    run::Conclusion,
    syntax::{Job, Workflow},
};

pub use baseline::{Baseline, KnownEvaluation};

/// Version of this protocol: the `version` of every claim.
pub const VERSION: u32 = 1;

/// Header with the lease's fencing token, in decimal.
pub const TOKEN_HEADER: &str = "assay-lease-token";

/// "I am this runner; what can I do?"
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimRequest {
    pub version: u32,
    pub runner: RunnerFacts,
    /// How many jobs it could start now; at least 1.
    pub free_slots: u32,
    /// Indices of GPUs that no lease holds.
    pub free_gpus: Vec<u32>,
    /// How long the server may hold the request open, in seconds; the server caps it at 30.
    pub wait_s: u32,
}

/// What a runner is. Shown on the run's page; labels and GPUs decide which jobs it gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunnerFacts {
    /// Unique among the server's runners; a new claim under the name replaces what was known of it.
    pub name: String,
    /// Lower case. Always holds `self-hosted`, the system (`linux`) and the architecture (`x64`, `arm64`);
    /// `gpu` where there is one.
    pub labels: Vec<String>,
    pub slots: u32,
    #[serde(default)]
    pub gpus: Vec<GpuFacts>,
    /// CPU's model name.
    pub cpu: String,
    pub memory_bytes: u64,
    pub isolation: Isolation,
    /// Assay's version.
    pub version: String,
    /// ONNX Runtime's version and providers; none where it was not found.
    #[serde(default)]
    pub onnxruntime: Option<OrtFacts>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuFacts {
    pub index: u32,
    pub name: String,
    pub uuid: String,
    pub memory_bytes: u64,
    pub driver: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrtFacts {
    pub version: String,
    /// `CPUExecutionProvider`, `CUDAExecutionProvider`, …
    pub providers: Vec<String>,
}

/// What stands between a step and the machine, as tried at the runner's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Own user, process, IPC and mount namespaces under bubblewrap.
    Bubblewrap,
    /// Own process group and resource limits only.
    None,
}

/// The right to one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    pub lease: Lease,
    pub job: JobSpec,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Opaque; part of URLs.
    pub id: String,
    /// Fencing token: higher than that of every earlier lease on the same job.
    pub token: u64,
    pub expires_at: Timestamp,
    /// How long a renewal lasts, in seconds: renew after a third of it.
    pub ttl_s: u32,
    /// GPUs that the job may use, out of the claim's `free_gpus`.
    #[serde(default)]
    pub gpus: Vec<u32>,
}

/// Everything that a runner needs to run one job: it reads no workflow file itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    pub repo: RepoName,
    pub run_number: u64,
    pub attempt: u32,
    pub key: JobKey,
    /// Resolved display name: `eval (cpu, 3.11)`.
    pub name: String,
    pub checkout: CheckoutSpec,
    /// The job as written; its steps' expressions are evaluated by the runner, as they run.
    pub job: Job,
    /// `env:` of the workflow, beneath the job's own.
    pub workflow_env: IndexMap<String, String>,
    /// `defaults.run` of the workflow; empty where the job has its own, which stand in place of them.
    #[serde(default)]
    pub workflow_defaults: crate::syntax::Defaults,
    /// Contexts that are known before the job starts: `github`, `needs`, `matrix`, `strategy`, `vars`,
    /// `inputs`, `assay`.
    pub contexts: IndexMap<String, Value>,
    /// Never logged: values are masked in the log. Empty for runs of code that is not trusted.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    pub timeout_minutes: f64,
    /// Path of the workflow file in the repository: where a failed step is annotated.
    #[serde(default)]
    pub workflow_file: String,
    /// The commit was pushed by someone with write access. Code that is not trusted reads the caches of
    /// trusted code but never writes them.
    #[serde(default)]
    pub trusted: bool,
    /// What the commit is compared with; none where there is nothing before it.
    #[serde(default)]
    pub baseline: Option<Baseline>,
}

impl JobSpec {
    /// What a job has from the workflow that holds it: `workflow_env` and `workflow_defaults`.
    pub fn workflow_layers(workflow: &Workflow, job: &Job) -> (IndexMap<String, String>, crate::syntax::Defaults) {
        let defaults = if job.defaults.is_some() { Default::default() } else { workflow.defaults.clone() };
        (workflow.env.clone(), defaults)
    }
}

/// Which commit, from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutSpec {
    /// A path (local forge) or an https URL without credentials.
    pub url: String,
    pub sha: Sha,
    /// A ref under which the forge offers the commit, for servers that refuse to serve a bare id.
    pub git_ref: Option<String>,
    /// For `x-access-token`; short-lived and for this repository alone.
    #[serde(default)]
    pub token: Option<String>,
}

/// "I am alive, and this is what the job used since I last spoke."
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    #[serde(default)]
    pub telemetry: Vec<TelemetrySample>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatReply {
    pub expires_at: Timestamp,
    /// Someone wants the job to stop: the sentence for its log.
    #[serde(default)]
    pub cancel: Option<String>,
}

/// What the job's processes used at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TelemetrySample {
    pub at: Timestamp,
    /// Of one core: 200 means two cores fully used.
    pub cpu_percent: f32,
    pub rss_bytes: u64,
    /// Empty where no GPU is leased.
    #[serde(default)]
    pub gpus: Vec<GpuSample>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuSample {
    pub index: u32,
    pub utilization_percent: u32,
    pub memory_used_bytes: u64,
    #[serde(default)]
    pub power_milliwatts: Option<u32>,
    #[serde(default)]
    pub temperature_c: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogReply {
    /// Bytes of the log that the server has.
    pub length: u64,
}

/// The run's artifacts that are complete, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactList {
    pub names: Vec<ArtifactName>,
}

/// How far the job has come. Cumulative: each report holds all steps, so a lost or repeated one
/// does no harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub steps: Vec<StepReport>,
    #[serde(default)]
    pub telemetry: Vec<TelemetrySample>,
    #[serde(default)]
    pub finished: Option<Finished>,
}

/// One step, as the run's page lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Resolved display name.
    pub name: String,
    pub state: StepState,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StepState {
    Pending,
    Running {
        started_at: Timestamp,
        /// Where its part of the job's log begins.
        log_start: u64,
    },
    Finished {
        started_at: Timestamp,
        finished_at: Timestamp,
        log_start: u64,
        log_end: u64,
        /// Before `continue-on-error` is applied.
        outcome: Conclusion,
        /// After it.
        conclusion: Conclusion,
    },
}

/// How the job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Finished {
    Concluded(Box<JobResult>),
    /// The runner is being stopped and has not finished: offer the job to another.
    GivenBack {
        reason: String,
    },
}

/// A finished job's results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobResult {
    pub conclusion: Conclusion,
    /// One sentence for a person, where there is more to say than the conclusion.
    #[serde(default)]
    pub summary: Option<String>,
    #[serde(default)]
    pub outputs: IndexMap<String, String>,
    #[serde(default)]
    pub evaluations: Vec<Evaluation>,
    #[serde(default)]
    pub annotations: Vec<Annotation>,
    pub isolation: Isolation,
}

/// A remark on a place in a file, as check runs show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    pub path: String,
    /// From 1.
    pub line: u32,
    #[serde(default)]
    pub column: Option<u32>,
    pub level: AnnotationLevel,
    #[serde(default)]
    pub title: Option<String>,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnnotationLevel {
    Notice,
    Warning,
    Failure,
}

/// Why the server refuses; the body of every 4xx of the runner API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// 410: the lease expired or ended; stop the job, report nothing more.
    StaleLease,
    /// 400: this server speaks another version.
    Version { server: u32 },
    /// 409: bytes are missing before the offset.
    LogGap { length: u64 },
    /// 400 and 413: the request itself.
    Invalid { message: String },
    /// 401.
    Unauthorized,
    /// 404: no such artifact.
    NotFound,
}
