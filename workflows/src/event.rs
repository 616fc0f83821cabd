//! One delivery from a forge that can start runs, in words that both forges share.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{Forge, RepoName, Sha};

/// What happened, where, by whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub forge: Forge,
    pub repo: RepoName,
    /// Name of the repository's default branch, without `refs/heads/`.
    pub default_branch: String,
    /// The forge's account name of who caused it. For people to read: nothing is decided by it.
    pub actor: String,
    pub kind: EventKind,
    /// The forge's own payload, as the `github.event` context shows it.
    pub payload: Value,
}

/// The events that workflows can name under `on:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    Push {
        /// Full name: `refs/heads/main`, `refs/tags/v1`.
        git_ref: String,
        /// None where the ref is new.
        before: Option<Sha>,
        head: Sha,
        /// First line of the head commit's message.
        title: String,
    },
    PullRequest {
        /// GitHub's activity type: `opened`, `synchronize`, `reopened`, …
        action: String,
        /// None on the local forge, where the branch is the pull request.
        number: Option<u64>,
        title: String,
        /// Branch names, without `refs/heads/`.
        head_ref: String,
        base_ref: String,
        head: Sha,
        /// Tip of the base branch when the event was sent.
        base: Sha,
        /// The head lives in another repository: its author may not be trusted.
        from_fork: bool,
    },
    MergeGroup {
        head_ref: String,
        head: Sha,
        base_ref: String,
        base: Sha,
    },
    WorkflowDispatch {
        /// Path of the one file that is meant; none: whoever asked has it in hand.
        #[serde(default)]
        workflow: Option<String>,
        /// Full name of a branch or tag.
        git_ref: String,
        head: Sha,
        inputs: serde_json::Map<String, Value>,
    },
    RepositoryDispatch {
        event_type: String,
        head: Sha,
    },
    Schedule {
        cron: String,
        head: Sha,
    },
}

impl EventKind {
    /// The key under `on:`.
    pub fn name(&self) -> &'static str {
        match self {
            EventKind::Push { .. } => "push",
            EventKind::PullRequest { .. } => "pull_request",
            EventKind::MergeGroup { .. } => "merge_group",
            EventKind::WorkflowDispatch { .. } => "workflow_dispatch",
            EventKind::RepositoryDispatch { .. } => "repository_dispatch",
            EventKind::Schedule { .. } => "schedule",
        }
    }

    /// Whether whoever pushed the commit may write to the repository.
    pub fn is_trusted(&self) -> bool {
        match self {
            EventKind::PullRequest { from_fork, .. } => !from_fork,
            EventKind::Push { .. }
            | EventKind::MergeGroup { .. }
            | EventKind::WorkflowDispatch { .. }
            | EventKind::RepositoryDispatch { .. }
            | EventKind::Schedule { .. } => true,
        }
    }

    /// Whether a workflow file is looked at: of those that are started by hand the one that is named.
    pub fn means(&self, file: &str) -> bool {
        match self {
            EventKind::WorkflowDispatch { workflow: Some(named), .. } => named == file,
            EventKind::WorkflowDispatch { workflow: None, .. }
            | EventKind::Push { .. }
            | EventKind::PullRequest { .. }
            | EventKind::MergeGroup { .. }
            | EventKind::RepositoryDispatch { .. }
            | EventKind::Schedule { .. } => true,
        }
    }

    /// The commit whose files are built and whose checks are written.
    pub fn head(&self) -> &Sha {
        match self {
            EventKind::Push { head, .. }
            | EventKind::PullRequest { head, .. }
            | EventKind::MergeGroup { head, .. }
            | EventKind::WorkflowDispatch { head, .. }
            | EventKind::RepositoryDispatch { head, .. }
            | EventKind::Schedule { head, .. } => head,
        }
    }
}

impl Event {
    /// The branch (or tag) that the run is listed under: a pull request is listed under its head.
    pub fn branch(&self) -> &str {
        match &self.kind {
            EventKind::Push { git_ref, .. } | EventKind::WorkflowDispatch { git_ref, .. } => short_ref(git_ref),
            EventKind::PullRequest { head_ref, .. } => head_ref,
            EventKind::MergeGroup { base_ref, .. } => short_ref(base_ref),
            EventKind::RepositoryDispatch { .. } | EventKind::Schedule { .. } => &self.default_branch,
        }
    }

    /// What a person calls it: the pull request's or the commit's title.
    pub fn title(&self) -> &str {
        match &self.kind {
            EventKind::Push { title, .. } | EventKind::PullRequest { title, .. } => title,
            EventKind::MergeGroup { .. } => "Merge queue",
            EventKind::WorkflowDispatch { .. } => "Started by hand",
            EventKind::RepositoryDispatch { event_type, .. } => event_type,
            EventKind::Schedule { cron, .. } => cron,
        }
    }
}

/// `refs/heads/main` → `main`, `refs/tags/v1` → `v1`; anything else as it is.
pub fn short_ref(git_ref: &str) -> &str {
    git_ref.strip_prefix("refs/heads/").or_else(|| git_ref.strip_prefix("refs/tags/")).unwrap_or(git_ref)
}
