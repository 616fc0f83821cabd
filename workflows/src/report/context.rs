//! What a report tells beside the verdict.

use serde::{Deserialize, Serialize};

/// Everything that the caller knows and the gate does not. All of it may be absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Context {
    pub head: CommitRef,
    /// None where there is no baseline.
    pub base: Option<CommitRef>,
    /// The run's page.
    pub run_url: Option<String>,
    /// Where each evaluation ran, and on what.
    pub ran: Vec<Ran>,
    /// The workflow file that the policy was read from; failing rules are annotated there.
    pub policy_file: Option<String>,
    /// The change under judgement also changes the gate: it is judged by the base's.
    pub gate_changed: bool,
    /// Sentences for the reader: what disturbed the run, which ancestor stands in for the base, …
    pub notes: Vec<String>,
    pub acceptance: Option<Acceptance>,
    pub setting: Setting,
    /// What the verdict holds for, a sentence each: commits, workflow files, data sets.
    pub bound_to: Vec<String>,
}

/// Where the reader is, and so what they can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Setting {
    /// Before two files: there is nothing to merge and nobody to accept it.
    #[default]
    Offline,
    /// A server's page has the way to accept.
    Page,
    /// The forge shows a button beside it.
    PageAndButton,
}

/// A commit, or a file that stands for one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommitRef {
    /// A short commit id or a file's name.
    pub name: String,
    pub url: Option<String>,
}

/// Where one evaluation of the head ran.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ran {
    pub evaluation: String,
    pub job: String,
    /// The CPU's or GPU's name.
    pub device: String,
    /// `cpu` or `cuda`.
    pub provider: String,
    /// ONNX Runtime's version.
    pub runtime: String,
    /// What stood between the steps and the machine, in words.
    pub isolation: String,
    /// Path of the model in the repository; failing rules are annotated there.
    pub model: String,
    pub dataset: String,
    /// Examples.
    pub n: u64,
    /// The result is that of an earlier evaluation of the same.
    pub reused: bool,
    /// Where the outcomes of head and base can be read.
    pub head_outcomes: Option<String>,
    pub base_outcomes: Option<String>,
}

/// A named person's recorded decision to merge in spite of a failed rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// As the forge names the account.
    pub by: String,
    /// RFC 3339.
    pub at: String,
    pub reason: String,
    /// Metrics of the rules that it covers.
    pub rules: Vec<String>,
}
