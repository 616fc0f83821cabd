//! What the pages of one run and of its jobs say at their top.

use jiff::Timestamp;
use workflows::ids::Sha;

use crate::{Status, format, runs::event_words};

/// One attempt of one run.
#[derive(Debug, Clone)]
pub struct RunHeader {
    pub number: u64,
    /// From 1.
    pub attempt: u32,
    pub title: String,
    /// Display name of the workflow, and its file.
    pub workflow: String,
    pub workflow_file: String,
    pub branch: String,
    /// What a pull request wants to change.
    pub base_branch: Option<String>,
    pub pull_request: Option<u64>,
    /// `push`, `pull_request`, …
    pub event: String,
    pub actor: String,
    pub sha: Sha,
    pub status: Status,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// The commit on the forge's own pages, where it has any.
    pub commit_url: Option<String>,
    /// The pull request there.
    pub pull_request_url: Option<String>,
}

impl RunHeader {
    pub(crate) fn cause(&self) -> &str {
        event_words(&self.event)
    }

    /// `took 12 s`, `running for 3.1 s`; nothing before it has begun.
    pub(crate) fn took(&self, now: Timestamp) -> Option<String> {
        let word = if self.status.is_live() { "running for" } else { "took" };
        self.started_at.map(|from| format!("{word} {}", format::duration(from, self.finished_at.unwrap_or(now))))
    }
}
