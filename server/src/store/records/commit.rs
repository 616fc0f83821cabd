use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::{
    gate::Verdict,
    ids::{Digest, RepoName, Sha},
    protocol::Annotation,
    run::Conclusion,
    syntax::Diagnostic,
};

use super::Acceptance;

/// A head commit: which runs it started, and what its gate says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadCommit {
    pub repo: RepoName,
    pub sha: Sha,
    /// One for each event with this head, oldest first.
    pub plannings: Vec<Planning>,
    pub gate: Gate,
    /// Check runs of the gate that were left behind: GitHub lets nobody take annotations back, so a gate
    /// that had some is judged anew under another external id.
    #[serde(default)]
    pub gate_round: u32,
    /// The forge could not tell what the gate needs to know.
    #[serde(default)]
    pub wait: Option<Wait>,
    /// Decisions to merge in spite of the gate, oldest first; which of them holds is decided when it is judged.
    #[serde(default)]
    pub acceptances: Vec<Acceptance>,
    /// Benchmarks that the gate had repeated, oldest first.
    #[serde(default)]
    pub repetitions: Vec<Repetition>,
}

/// One run, once more, since its benchmark could not tell or was disturbed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repetition {
    pub at: Timestamp,
    pub run: u64,
    /// How many blocks it should have; none: as many as before.
    pub blocks: Option<u32>,
    /// A sentence.
    pub reason: String,
}

/// Not again before then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    pub failures: u32,
    pub until: Timestamp,
}

impl HeadCommit {
    /// Numbers of the runs that events started for it.
    pub fn run_numbers(&self) -> impl Iterator<Item = u64> {
        self.plannings.iter().flat_map(|planning| &planning.files).filter_map(|file| match file {
            FileOutcome::Run { number, .. } => Some(*number),
            FileOutcome::Invalid { .. } | FileOutcome::NotSubscribed { .. } | FileOutcome::Filtered { .. } => None,
        })
    }

    /// The gate is to be judged from now on, whatever was concluded before.
    pub fn reopened(mut self, now: Timestamp) -> Self {
        if let Gate::Concluded(report) = &self.gate
            && !report.annotations.is_empty()
        {
            self.gate_round += 1;
        }
        self.gate = Gate::Pending { since: now };
        self
    }
}

/// What one event started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planning {
    /// Forge and guid of the delivery.
    pub delivery: String,
    /// The event's name under `on:`.
    pub event: String,
    pub at: Timestamp,
    /// What the head is compared with; none where there is nothing before it.
    pub base: Option<Sha>,
    /// The branch that the base is on: whose history a number is judged by.
    #[serde(default)]
    pub branch: Option<String>,
    pub policy: PolicySource,
    /// Share of head commits whose runs check the gate, as this policy says.
    #[serde(default)]
    pub self_check: f64,
    pub files: Vec<FileOutcome>,
    /// All files were planned: nothing more is to come of this event.
    pub complete: bool,
}

/// Whose workflow files hold the gate's policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum PolicySource {
    /// The commit is on its branch already: its own.
    Head,
    /// A change is judged by what it wants to change.
    Base { sha: Sha },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum FileOutcome {
    Run { file: String, number: u64 },
    Invalid { file: String, number: u64, diagnostics: Vec<Diagnostic> },
    NotSubscribed { file: String },
    Filtered { file: String, reason: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "gate", rename_all = "snake_case")]
pub enum Gate {
    Pending { since: Timestamp },
    Concluded(Box<GateReport>),
}

/// What an answer holds for. With another of these it is another question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    pub head: Sha,
    pub base: Option<Sha>,
    /// Workflow file that ran → what it said.
    pub workflows: BTreeMap<String, Digest>,
    /// Job and evaluation → data set.
    pub datasets: BTreeMap<String, Digest>,
}

impl Binding {
    /// Whether it asks what `other` asked, of a head that may be another: the same base, and nothing that is named in
    /// both says something else.
    pub fn agrees(&self, other: &Self) -> bool {
        let agree = |a: &BTreeMap<String, Digest>, b: &BTreeMap<String, Digest>| {
            a.iter().all(|(name, digest)| b.get(name).is_none_or(|other| other == digest))
        };
        self.base == other.base && agree(&self.workflows, &other.workflows) && agree(&self.datasets, &other.datasets)
    }
}

/// The check run `assay/gate`, as concluded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    pub since: Timestamp,
    pub at: Timestamp,
    pub conclusion: Conclusion,
    pub title: String,
    pub summary: String,
    pub text: Option<String>,
    pub annotations: Vec<Annotation>,
    /// Absent where there was nothing to judge.
    pub verdict: Option<Verdict>,
    pub base: Option<Sha>,
    /// The decision that let it pass.
    #[serde(default)]
    pub acceptance: Option<Acceptance>,
    /// Absent where there was nothing to judge.
    #[serde(default)]
    pub binding: Option<Binding>,
}

/// What the forge was last told of a check run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PostedCheck {
    /// The forge's own id of it.
    pub id: Option<u64>,
    /// Digest of what was posted.
    pub content: String,
    pub failures: u32,
    pub not_before: Option<Timestamp>,
}
