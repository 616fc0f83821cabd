use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::metric::MetricRef;

/// One evaluation as the gate sees it: numbers and examples, with no knowledge of where they come from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Side {
    /// Evaluations of head and base are paired by name; a rule's qualifier may be this or `job`.
    pub name: String,
    /// The job that it ran in; empty where there was none.
    pub job: String,
    /// What must be equal for two sides to be comparable: data set digest, task, device class, …
    pub like: BTreeMap<String, String>,
    /// Identical model bytes must give identical outcomes.
    pub model: String,
    pub metrics: BTreeMap<String, f64>,
    /// Slice → metric → value.
    pub slices: BTreeMap<String, BTreeMap<String, f64>>,
    pub examples: Vec<Example>,
    /// Metric → one value for each block of a benchmark in which head and base took turns on one
    /// device: block i of head ran beside block i of base.
    pub blocks: BTreeMap<String, Vec<f64>>,
    /// Metric without its quantile (`latency`) → every measurement, in the metric's unit.
    pub samples: BTreeMap<String, Vec<f64>>,
    /// On the base's side: metric → earlier values of its branch on like hardware, oldest first.
    pub history: BTreeMap<String, Vec<f64>>,
}

impl Side {
    /// Whether a rule about the metric is about this side.
    pub(super) fn reports(&self, metric: MetricRef<'_>) -> bool {
        metric.qualifier.is_none_or(|qualifier| self.name == qualifier || self.job == qualifier)
            && self.value(metric).is_some()
    }

    /// The metric's value as this side reports it, of a slice where one is asked for.
    pub(super) fn value(&self, metric: MetricRef<'_>) -> Option<f64> {
        match metric.slice {
            None => self.metrics.get(metric.name).copied(),
            Some(slice) => self.slices.get(slice)?.get(metric.name).copied(),
        }
    }
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
    /// All flips, also those that are not kept.
    #[serde(default)]
    pub flipped: Discordant,
    /// Evaluations whose model bytes are the base's and whose answers are not.
    #[serde(default)]
    pub nondeterministic: Vec<Nondeterminism>,
}

/// The same model bytes gave other answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nondeterminism {
    pub evaluation: String,
    /// Examples with another prediction or another value.
    pub examples: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Not worse than allowed is proven, or nothing changed.
    Pass,
    /// Worse than allowed is proven.
    Fail,
    /// The data cannot tell.
    Inconclusive,
    /// There is nothing to compare with. Never a pass.
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
    /// Name of the test, as `docs/gate.md` lists them: `tango`, `mcnemar-midp`, `paired-t`, `bootstrap-bca`, `bound`, …
    pub test: String,
    /// Of "the change is no worse than allowed"; a small one speaks for a regression.
    pub p: Option<f64>,
    /// The same, corrected over the family of rules: what `fail` is decided by.
    #[serde(default)]
    pub p_adjusted: Option<f64>,
    /// Examples, blocks or earlier values that were compared.
    pub n: u64,
    pub discordant: Option<Discordant>,
    /// The smallest change for the worse that this comparison could have detected at the given power.
    pub detectable: Option<f64>,
    /// Of an inconclusive line: how many examples or blocks would probably tell, where a practicable number would.
    #[serde(default)]
    pub needed: Option<u64>,
    /// Line of the workflow file that holds the rule, from 1; 0 where there is none.
    #[serde(default)]
    pub line: u32,
    pub verdict: Answer,
    /// One sentence for someone who is no statistician.
    pub reason: String,
}

/// Pairs on which head and base differ, by whether the head is worse or better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
