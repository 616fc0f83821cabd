use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One evaluation as the gate sees it: numbers and examples, with no knowledge of where they come from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Side {
    /// Evaluations of head and base are paired by name.
    pub name: String,
    /// What must be equal for two sides to be comparable: data set digest, task, device class, …
    pub like: BTreeMap<String, String>,
    /// Identical model bytes must give identical outcomes.
    pub model: String,
    pub metrics: BTreeMap<String, f64>,
    pub examples: Vec<Example>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Example {
    pub id: String,
    pub target: String,
    pub prediction: String,
    pub score: Option<f64>,
    /// Metric → this example's contribution.
    pub values: BTreeMap<String, f64>,
    pub group: Option<String>,
    pub slice: Option<String>,
}

/// The gate's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub verdict: Answer,
    pub rules: Vec<RuleVerdict>,
    /// Examples whose answer changed from right to wrong or back; at most a few hundred are kept.
    #[serde(default)]
    pub flips: Vec<Flip>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Pass,
    Fail,
    Inconclusive,
    NoBaseline,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleVerdict {
    pub metric: String,
    /// The evaluation that it is about.
    pub evaluation: String,
    /// As written in the policy: `max-drop: 0.5pp`.
    pub allowed: String,
    pub head: Option<f64>,
    pub base: Option<f64>,
    /// head − base, in the metric's unit.
    pub change: Option<f64>,
    /// Confidence bounds of `change`, each one-sided at alpha.
    pub interval: Option<(f64, f64)>,
    /// Name of the test: `tango`, `mcnemar-exact`, `paired-t`, `bootstrap`, `bound`.
    pub test: String,
    pub p: Option<f64>,
    pub n: u64,
    pub discordant: Option<Discordant>,
    /// The smallest change for the worse that this comparison could have detected at the given power.
    pub detectable: Option<f64>,
    pub verdict: Answer,
    /// One sentence for someone who is no statistician.
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discordant {
    pub worse: u64,
    pub better: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flip {
    pub evaluation: String,
    pub id: String,
    pub target: String,
    pub base: String,
    pub head: String,
    /// Newly wrong, or newly right.
    pub worse: bool,
}
