use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::{
    ids::{Forge, JobKey, RepoName},
    protocol::RunnerFacts,
    run::Places,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repo {
    pub name: RepoName,
    pub forge: Forge,
    /// An https URL, or an absolute path (local forge).
    pub clone: String,
    pub default_branch: String,
    /// Of our GitHub App.
    pub installation: Option<u64>,
    /// Number of the newest run.
    pub last_run: u64,
    pub active_at: Timestamp,
}

/// What a runner said of itself when it last asked for work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runner {
    pub facts: RunnerFacts,
    pub seen_at: Timestamp,
}

/// Who may go on in a concurrency group, one at a time, and who waits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConcurrencyGroup {
    /// Empty where a version wrote it that knew runs alone.
    #[serde(default)]
    pub places: Places<Member>,
}

/// A run, or one job of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub run: u64,
    pub attempt: u32,
    /// None: the whole run.
    pub job: Option<JobKey>,
}
