use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::{
    gate::{Answer, RuleVerdict},
    ids::{RepoName, Sha},
};

use super::Binding;

/// A named person's decision to merge in spite of a failed rule: bound to one head commit, one base and the
/// numbers that they saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    pub repo: RepoName,
    pub sha: Sha,
    /// What the head was compared with: another base is another question.
    pub base: Option<Sha>,
    pub by: Acceptor,
    pub at: Timestamp,
    pub reason: String,
    pub rules: Vec<AcceptedRule>,
    /// What the numbers are of; absent where an older version wrote it.
    #[serde(default)]
    pub binding: Option<Binding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptor {
    /// As the forge names the account, or as the holder of a token named themselves.
    pub name: String,
    /// The forge's own number of the account, which names cannot be changed into.
    #[serde(default)]
    pub account: Option<u64>,
    pub via: Via,
}

/// Where the decision was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    Api,
    Page,
    CheckRun,
}

/// A line of the verdict, with the numbers that were accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AcceptedRule {
    pub metric: String,
    pub evaluation: String,
    pub allowed: String,
    pub verdict: Answer,
    pub head: Option<f64>,
    pub base: Option<f64>,
    pub change: Option<f64>,
    pub interval: Option<(f64, f64)>,
}

impl AcceptedRule {
    pub fn of(rule: &RuleVerdict) -> Self {
        let RuleVerdict { metric, evaluation, allowed, verdict, head, base, change, interval, .. } = rule.clone();
        Self { metric, evaluation, allowed, verdict, head, base, change, interval }
    }

    /// Whether a line says what was accepted: the same rule with the same numbers.
    pub fn covers(&self, rule: &RuleVerdict) -> bool {
        self.metric == rule.metric
            && self.evaluation == rule.evaluation
            && self.allowed == rule.allowed
            && self.head == rule.head
            && self.base == rule.base
    }
}
