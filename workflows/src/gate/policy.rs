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
    pub power: f64,
    pub on_inconclusive: OnUnknown,
    pub on_no_baseline: OnUnknown,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { alpha: 0.05, power: 0.8, on_inconclusive: OnUnknown::Neutral, on_no_baseline: OnUnknown::Neutral }
    }
}

/// How a check run concludes when the data cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnknown {
    Neutral,
    Failure,
}
