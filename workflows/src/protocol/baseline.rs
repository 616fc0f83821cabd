//! What a job's evaluations are compared with, and what is known of it before the job runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::CheckoutSpec;
use crate::{
    evaluation::Evaluation,
    ids::{Digest, Sha},
};

/// The commit that a job's evaluations are compared with. Where none of its own is comparable, the step
/// takes the base's model from `checkout` and evaluates it beside the head's; a benchmark always does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    pub sha: Sha,
    pub checkout: CheckoutSpec,
    /// What its runs evaluated already.
    #[serde(default)]
    pub known: Vec<KnownEvaluation>,
    /// Blocks that a benchmark should run: the gate asked for more than it had.
    #[serde(default)]
    pub blocks: Option<u32>,
    /// The base's model is to be measured twice as well, for the gate to be judged by.
    #[serde(default)]
    pub self_check: bool,
}

/// As much of an evaluation as decides whether another one is comparable with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownEvaluation {
    /// Key of its job.
    #[serde(default)]
    pub job: String,
    pub name: String,
    /// What must be equal: see [`Evaluation::like`].
    pub like: BTreeMap<String, String>,
    /// Names of its metrics, and of its slices.
    #[serde(default)]
    pub metrics: BTreeSet<String>,
    #[serde(default)]
    pub slices: BTreeSet<String>,
    /// The outcomes of its examples were kept.
    pub outcomes: bool,
    /// Of its model. None where a version wrote it that did not say.
    #[serde(default)]
    pub model: Option<Digest>,
}

impl KnownEvaluation {
    pub fn of(job: &str, evaluation: &Evaluation) -> Self {
        Self {
            job: job.to_owned(),
            name: evaluation.name.clone(),
            like: evaluation.like(),
            metrics: evaluation.metrics.keys().cloned().collect(),
            slices: evaluation.slices.keys().cloned().collect(),
            outcomes: evaluation.outcomes.is_some(),
            model: Some(evaluation.model.digest.clone()),
        }
    }

    /// Whether it can be what `other` is compared with: like with like, and nothing of it missing.
    fn can_stand_beside(&self, other: &Self) -> bool {
        (&self.job, &self.name, &self.like) == (&other.job, &other.name, &other.like)
            && self.metrics.is_superset(&other.metrics)
            && self.slices.is_superset(&other.slices)
            && (self.outcomes || !other.outcomes)
    }
}

impl Baseline {
    /// The model that the base's run of this job evaluated under this name.
    pub fn model_of(&self, job: &str, name: &str) -> Option<&Digest> {
        self.known.iter().find(|known| known.job == job && known.name == name)?.model.as_ref()
    }

    /// Whether the base's own results can stand beside this evaluation of the job with this key.
    pub fn knows(&self, job: &str, evaluation: &Evaluation) -> bool {
        let wanted = KnownEvaluation::of(job, evaluation);
        self.known.iter().any(|known| known.can_stand_beside(&wanted))
    }
}
