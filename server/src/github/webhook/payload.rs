//! What we read of GitHub's payloads, and nothing else. Optional is whatever one real GitHub or
//! another leaves out: `installation` on a repository's own webhook, `sender` of a deleted account.

use serde::Deserialize;
use workflows::ids::{RepoName, Sha};

#[derive(Debug, Deserialize)]
pub(super) struct Repository {
    pub full_name: RepoName,
    pub default_branch: String,
    pub clone_url: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Installation {
    pub id: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sender {
    pub login: String,
    #[serde(default)]
    pub id: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Push {
    #[serde(rename = "ref")]
    pub git_ref: String,
    #[serde(default)]
    pub before: Option<Sha>,
    pub after: Sha,
    #[serde(default)]
    pub deleted: bool,
    #[serde(default)]
    pub head_commit: Option<HeadCommit>,
    #[serde(default)]
    pub pusher: Option<Pusher>,
    pub repository: Repository,
    #[serde(default)]
    pub installation: Option<Installation>,
    #[serde(default)]
    pub sender: Option<Sender>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RepositoryDispatch {
    /// The `event_type` that was asked for.
    pub action: String,
    pub branch: String,
    pub repository: Repository,
    #[serde(default)]
    pub installation: Option<Installation>,
    #[serde(default)]
    pub sender: Option<Sender>,
}

#[derive(Debug, Deserialize)]
pub(super) struct HeadCommit {
    pub id: Sha,
    #[serde(default)]
    pub message: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pusher {
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct PullRequest {
    pub action: String,
    pub pull_request: Pull,
    pub repository: Repository,
    #[serde(default)]
    pub installation: Option<Installation>,
    #[serde(default)]
    pub sender: Option<Sender>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pull {
    pub number: u64,
    #[serde(default)]
    pub title: String,
    pub head: PullSide,
    pub base: PullSide,
}

#[derive(Debug, Deserialize)]
pub(super) struct PullSide {
    #[serde(rename = "ref")]
    pub git_ref: String,
    pub sha: Sha,
    /// Null where the fork was deleted.
    #[serde(default)]
    pub repo: Option<PullRepo>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PullRepo {
    pub id: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct MergeGroup {
    pub action: String,
    /// Of `destroyed`: `merged`, `invalidated` or `dequeued`.
    #[serde(default)]
    pub reason: Option<String>,
    pub merge_group: Group,
    pub repository: Repository,
    #[serde(default)]
    pub installation: Option<Installation>,
    #[serde(default)]
    pub sender: Option<Sender>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Group {
    pub head_sha: Sha,
    pub head_ref: String,
    pub base_sha: Sha,
    pub base_ref: String,
}

/// Of events that only name their repository.
#[derive(Debug, Deserialize)]
pub(super) struct NamedRepository {
    pub full_name: RepoName,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckRun {
    pub action: String,
    pub check_run: Run,
    #[serde(default)]
    pub requested_action: Option<RequestedAction>,
    pub repository: NamedRepository,
    #[serde(default)]
    pub installation: Option<Installation>,
    #[serde(default)]
    pub sender: Option<Sender>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub head_sha: Sha,
    #[serde(default)]
    pub external_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RequestedAction {
    pub identifier: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckSuite {
    pub action: String,
    pub check_suite: Suite,
    pub repository: NamedRepository,
    #[serde(default)]
    pub installation: Option<Installation>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Suite {
    pub head_sha: Sha,
}
