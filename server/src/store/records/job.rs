use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::{
    ids::{Digest, JobKey, RepoName, Sha},
    plan::{JobConcurrency, PlannedJob},
    protocol::{JobResult, RunnerFacts, StepReport, TelemetrySample},
    run::{JobLife, JobState},
};

/// Which job of which run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JobRef {
    pub repo: RepoName,
    pub run: u64,
    pub attempt: u32,
    pub key: JobKey,
}

impl JobRef {
    /// What finds its check run again: `<repo>/<run>/<attempt>/<job key>`.
    pub fn external_id(&self) -> String {
        format!("{}/{}/{}/{}", self.repo, self.run, self.attempt, self.key)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: JobRef,
    pub planned: PlannedJob,
    pub life: JobLife,
    #[serde(default)]
    pub steps: Vec<StepReport>,
    /// The runner of the newest lease.
    #[serde(default)]
    pub runner: Option<Box<RunnerFacts>>,
    /// Indices of the GPUs that the lease holds or held.
    #[serde(default)]
    pub gpus: Vec<u32>,
    #[serde(default)]
    pub result: Option<Box<JobResult>>,
}

impl Job {
    /// A sentence: what the job says of itself, what it waits for, or why it was ended.
    pub fn summary(&self) -> Option<String> {
        let own = self.result.as_deref().and_then(|result| result.summary.clone());
        let waits = match (&self.life.state, &self.planned.concurrency) {
            (JobState::Queued { .. }, _) => {
                Some(format!("waits for a runner with {}", self.planned.runs_on.join(", ")))
            }
            (JobState::Waiting, Some(JobConcurrency { group, .. })) if self.life.asks().is_some() => {
                Some(format!("waits for its place in the concurrency group {group}"))
            }
            (JobState::Waiting, _) => Some("waits for a place under max-parallel".to_owned()),
            (JobState::Running { .. } | JobState::Completed { .. }, _) => None,
        };
        own.or(waits).or_else(|| self.life.cancel.clone())
    }
}

/// A job that any fitting runner may take: what decides whether it fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    pub job: JobRef,
    pub runs_on: Vec<String>,
    pub gpus: u32,
    /// That each of the GPUs must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_memory_bytes: Option<u64>,
    /// Part of each GPU's name, without case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    pub id: String,
    pub job: JobRef,
    pub token: u64,
    pub runner: String,
    pub gpus: Vec<u32>,
    /// By the engine's clock.
    pub expires_at: Timestamp,
    pub ttl_s: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    pub samples: Vec<TelemetrySample>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    pub name: String,
    pub job: JobKey,
    pub digest: Digest,
    pub bytes: u64,
    pub at: Timestamp,
}

/// One value of a metric's trend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricPoint {
    pub at: Timestamp,
    pub run: u64,
    pub sha: Sha,
    pub evaluation: String,
    pub value: f64,
    pub n: u64,
    /// What must be equal for two values to be of the same thing: data set, device, provider, …; see
    /// [`Evaluation::like`](workflows::evaluation::Evaluation::like). Empty where an older version wrote it.
    #[serde(default)]
    pub like: BTreeMap<String, String>,
}
