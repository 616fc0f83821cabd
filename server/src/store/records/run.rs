use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::{
    event::Event,
    ids::{Digest, JobKey, RepoName, Sha},
    run::{Conclusion, Group, lives_around},
    syntax::Diagnostic,
};

/// One workflow for one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub repo: RepoName,
    pub number: u64,
    /// From 1; a re-run raises it.
    pub attempt: u32,
    /// Without its payload, which is the body of the delivery.
    pub event: Event,
    pub body: Digest,
    pub workflow_file: String,
    pub workflow_name: String,
    /// The file's text, as it was planned: see [`Text`].
    pub workflow: Digest,
    /// The texts of the workflows that it calls, by their path as `uses` writes it.
    #[serde(default)]
    pub called: IndexMap<String, Digest>,
    pub head: Sha,
    pub branch: String,
    pub title: String,
    pub created_at: Timestamp,
    pub state: RunState,
    pub cancel: Option<Cancellation>,
    /// Name of its concurrency group.
    #[serde(default)]
    pub group: Option<String>,
    /// By key without a row; those of called workflows stand behind the call that made them.
    pub groups: IndexMap<JobKey, Group>,
    /// Why the file could not be run; then there are no groups.
    #[serde(default)]
    pub problems: Vec<Diagnostic>,
}

impl Run {
    pub fn conclusion(&self) -> Option<Conclusion> {
        match self.state {
            RunState::Completed { conclusion, .. } => Some(conclusion),
            RunState::Pending { .. } | RunState::InProgress { .. } => None,
        }
    }

    /// A sentence: what a job that has not come to be waits for.
    pub fn waits_for(&self, job: &JobKey) -> String {
        let asks = lives_around(&self.groups, job).find_map(|life| Some((&life.key, &life.asks()?.0.group)));
        match asks {
            Some((call, group)) => format!("waits for the place of {call} in the concurrency group {group}"),
            None => "waits for the jobs that it needs".to_owned(),
        }
    }

    /// Why a job did not come to be where the call that it is part of ended before it began.
    pub fn dropped_for(&self, job: &JobKey) -> Option<String> {
        lives_around(&self.groups, job).find_map(|life| life.cancel.clone())
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RunState {
    /// For its concurrency group.
    Pending {
        since: Timestamp,
    },
    InProgress {
        started_at: Timestamp,
    },
    Completed {
        started_at: Timestamp,
        finished_at: Timestamp,
        conclusion: Conclusion,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    pub at: Timestamp,
    pub reason: String,
}

/// A file's text, or a delivery's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    pub text: String,
}
