//! Where repositories live, as the server needs it: read files of a commit, compare commits, show checks.
//! An enum, since production really has two; tests speak to real ones (a fake GitHub over HTTP, real bare repositories).

use jiff::Timestamp;
use workflows::{
    ids::{RepoName, Sha},
    protocol::Annotation,
    run::Conclusion,
};

/// What a check run must look like on the forge. `external_id` finds it again after a crash.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CheckRun {
    pub repo: RepoName,
    pub head: Sha,
    pub name: String,
    /// Ours, unique per check run: what makes creating one twice impossible.
    pub external_id: String,
    pub details_url: String,
    pub state: CheckState,
    /// At most 255 characters.
    pub title: String,
    /// At most 65,535 bytes each: `workflows::report` sees to it.
    pub summary: String,
    pub text: Option<String>,
    pub annotations: Vec<Annotation>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CheckState {
    Queued,
    InProgress { started_at: Timestamp },
    Completed { started_at: Timestamp, completed_at: Timestamp, conclusion: Conclusion },
}

/// What one delivery means.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// May start runs. `clone` is where its commits can be fetched: an https URL or an absolute path.
    Event { event: Box<workflows::event::Event>, clone: String, installation: Option<u64> },
    /// Someone pressed "Re-run" on a check run of ours.
    Rerequested { repo: RepoName, head: Sha, external_id: String, installation: Option<u64> },
    /// Someone pressed "Re-run all checks": every check run of ours on that commit.
    RerequestedAll { repo: RepoName, head: Sha, installation: Option<u64> },
    /// Someone pressed a button that a check run of ours offered.
    RequestedAction {
        repo: RepoName,
        head: Sha,
        external_id: String,
        /// Ours: which button.
        identifier: String,
        /// The forge's account name; what they may do is asked of the forge.
        actor: String,
        installation: Option<u64>,
    },
    /// Nothing to do; the reason is for the log and the delivery's record.
    Ignored { reason: String },
}
