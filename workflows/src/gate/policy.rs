use std::fmt;

use serde::{Deserialize, Serialize};

/// The `gate:` section of a workflow.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Policy {
    pub rules: Vec<Rule>,
    #[serde(default)]
    pub defaults: Defaults,
}

/// One metric's part of the policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// As written: `accuracy`, `accuracy[slice=night]`, `eval-cpu/accuracy`.
    pub metric: String,
    pub bounds: Vec<Bound>,
    #[serde(default)]
    pub test: TestChoice,
    /// Line of the workflow file, from 1; 0 where the policy was not read from one.
    #[serde(default)]
    pub line: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    Min(Amount),
    Max(Amount),
    MaxDrop(Amount),
    MaxIncrease(Amount),
}

impl Bound {
    pub fn amount(&self) -> Amount {
        match self {
            Bound::Min(amount) | Bound::Max(amount) | Bound::MaxDrop(amount) | Bound::MaxIncrease(amount) => *amount,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Min(amount) => write!(f, "min: {amount}"),
            Bound::Max(amount) => write!(f, "max: {amount}"),
            Bound::MaxDrop(amount) => write!(f, "max-drop: {amount}"),
            Bound::MaxIncrease(amount) => write!(f, "max-increase: {amount}"),
        }
    }
}

/// Which test judges a change; `test:` of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestChoice {
    /// What fits the data: see `docs/gate.md`.
    #[default]
    Auto,
    /// A prediction interval over the base branch's history on like hardware.
    History,
    /// The numbers as they are: they have no sampling error.
    Exact,
}

/// How failing claims are corrected over the family of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    /// Bounds the probability of any false alarm.
    #[default]
    Holm,
    /// Bounds the expected share of false alarms among the alarms.
    BenjaminiHochberg,
}

/// A number with its unit: `0.5pp`, `10%`, `20ms`, `5MB`, `0.3`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Amount {
    pub value: f64,
    pub unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// The metric's own unit.
    Absolute,
    /// Hundredths of the metric's unit: 0.5pp of accuracy is 0.005.
    PercentagePoints,
    /// Of the base's value.
    Percent,
    Milliseconds,
    Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Defaults {
    /// Bound on the probability of a false alarm and of a false pass, each.
    pub alpha: f64,
    /// Probability with which `detectable` changes would be found.
    pub power: f64,
    pub on_inconclusive: OnUnknown,
    pub on_no_baseline: OnUnknown,
    #[serde(default)]
    pub correction: Correction,
    /// Share of runs in which the base is also judged against itself, so that the false-alarm rate is measured live.
    #[serde(default)]
    pub self_check: f64,
    /// How often a benchmark that cannot tell, or was disturbed, is repeated for one head commit.
    #[serde(default = "default_repetitions")]
    pub repetitions: u32,
}

/// Of [`Defaults::repetitions`].
const DEFAULT_REPETITIONS: u32 = 1;

fn default_repetitions() -> u32 {
    DEFAULT_REPETITIONS
}

/// What is measured anew by a repetition may be looked at more than once, and each look could err. Bonferroni: each
/// has its part of alpha.
impl Defaults {
    fn looks(&self) -> f64 {
        f64::from(self.repetitions) + 1.0
    }

    /// The level of one look: all of them together err with at most alpha.
    pub(super) fn alpha_of_a_look(&self) -> f64 {
        self.alpha / self.looks()
    }

    /// P-values of one look, to be compared with alpha.
    pub(super) fn over_looks(&self, (p_worse, p_fine): (f64, f64)) -> (f64, f64) {
        let each = |p: f64| (p * self.looks()).min(1.0);
        (each(p_worse), each(p_fine))
    }
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            power: 0.8,
            on_inconclusive: OnUnknown::Neutral,
            on_no_baseline: OnUnknown::Neutral,
            correction: Correction::Holm,
            self_check: 0.0,
            repetitions: DEFAULT_REPETITIONS,
        }
    }
}

/// How a check run concludes when the data cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnknown {
    /// Does not block.
    Neutral,
    Failure,
}
