use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::ids::RepoName;

/// The schedules of a repository's workflows, as the default branch last had them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timetable {
    pub repo: RepoName,
    pub entries: Vec<Scheduled>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// As written: workflows that write the same start together.
    pub cron: String,
    /// When it is due.
    pub next: Timestamp,
}
