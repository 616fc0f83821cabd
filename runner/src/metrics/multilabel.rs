//! The metrics of examples that may have several labels, or none.

use super::{
    confusion::{ClassScore, averaged, ratio},
    ranking::{average_precision, roc_auc},
    sum::{Mean, defined, sum},
};

/// Metrics that need only decisions.
pub const OF_LABELS: [&str; 15] = [
    "accuracy",
    "exact_match",
    "hamming_loss",
    "precision_micro",
    "precision_macro",
    "precision_weighted",
    "precision_samples",
    "recall_micro",
    "recall_macro",
    "recall_weighted",
    "recall_samples",
    "f1_micro",
    "f1_macro",
    "f1_weighted",
    "f1_samples",
];

/// Metrics that need a score of every label.
pub const OF_SCORES: [&str; 6] = [
    "roc_auc_micro",
    "roc_auc_macro",
    "roc_auc_weighted",
    "average_precision_micro",
    "average_precision_macro",
    "average_precision_weighted",
];

/// A metric of truths and scores, and weights where there are some.
type OfRanks = fn(&[bool], &[f64], Option<&[f64]>) -> Option<f64>;

/// What is known of the examples so far.
#[derive(Debug, Clone)]
pub struct MultiLabel {
    right: Vec<f64>,
    targets: Vec<f64>,
    predictions: Vec<f64>,
    exact: Mean,
    hamming: Mean,
    /// Precision, recall and F1 of each example over its labels.
    samples: [Mean; 3],
    ranks: Option<(Vec<bool>, Vec<f64>)>,
}

impl MultiLabel {
    pub fn new(labels: usize, keep_scores: bool) -> Self {
        Self {
            right: vec![0.0; labels],
            targets: vec![0.0; labels],
            predictions: vec![0.0; labels],
            exact: Mean::default(),
            hamming: Mean::default(),
            samples: Default::default(),
            ranks: keep_scores.then(Default::default),
        }
    }

    /// Adds an example: for each label, whether it is one of the targets, and of the predictions.
    pub fn add(&mut self, targets: &[bool], predictions: &[bool], scores: Option<&[f64]>) {
        let (mut right, mut wanted, mut given, mut wrong) = (0.0, 0.0, 0.0, 0.0);
        for (label, (&target, &prediction)) in targets.iter().zip(predictions).enumerate() {
            let of = |holds: bool| f64::from(u8::from(holds));
            self.right[label] += of(target && prediction);
            self.targets[label] += of(target);
            self.predictions[label] += of(prediction);
            right += of(target && prediction);
            wanted += of(target);
            given += of(prediction);
            wrong += of(target != prediction);
        }
        self.exact.add(if wrong == 0.0 { 1.0 } else { 0.0 }, 1.0);
        self.hamming.add(wrong / targets.len() as f64, 1.0);
        let score = ClassScore::new(right, wanted, given);
        for (mean, value) in self.samples.iter_mut().zip([score.precision, score.recall, score.f1]) {
            mean.add(value, 1.0);
        }
        if let (Some((all_targets, all_scores)), Some(scores)) = (&mut self.ranks, scores) {
            all_targets.extend_from_slice(targets);
            all_scores.extend_from_slice(scores);
        }
    }

    pub fn label_scores(&self) -> Vec<ClassScore> {
        (0..self.right.len()).map(|l| ClassScore::new(self.right[l], self.targets[l], self.predictions[l])).collect()
    }

    /// One metric; none where the examples leave it undefined.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.exact.get()?;
        let (family, average) = match name {
            "accuracy" | "exact_match" => return self.exact.get(),
            "hamming_loss" => return self.hamming.get(),
            name => name.rsplit_once('_')?,
        };
        if let Some(of_labels) = self.decided(family, average) {
            return of_labels;
        }
        self.ranked(family, average)
    }

    /// Of decisions; the outer none where the family is another one.
    fn decided(&self, family: &str, average: &str) -> Option<Option<f64>> {
        let (score, sample): (fn(&ClassScore) -> f64, _) = match family {
            "precision" => (|s| s.precision, 0),
            "recall" => (|s| s.recall, 1),
            "f1" => (|s| s.f1, 2),
            _ => return None,
        };
        let total = |counts: &[f64]| sum(counts.iter().copied());
        Some(match average {
            "micro" => {
                Some(score(&ClassScore::new(total(&self.right), total(&self.targets), total(&self.predictions))))
            }
            "macro" => averaged(&self.label_scores(), false, score),
            "weighted" => averaged(&self.label_scores(), true, score),
            "samples" => self.samples[sample].get(),
            _ => None,
        })
    }

    fn ranked(&self, family: &str, average: &str) -> Option<f64> {
        let of: OfRanks = match family {
            "roc_auc" => roc_auc,
            "average_precision" => average_precision,
            _ => return None,
        };
        let (targets, scores) = self.ranks.as_ref()?;
        if average == "micro" {
            return of(targets, scores, None);
        }
        let labels = self.right.len();
        let of_label = |label: usize| {
            let targets: Vec<bool> = targets.iter().skip(label).step_by(labels).copied().collect();
            let scores: Vec<f64> = scores.iter().skip(label).step_by(labels).copied().collect();
            of(&targets, &scores, None)
        };
        // By support, what counts for nothing need not be defined.
        let of_label = |label: usize| match average {
            "weighted" if self.targets[label] == 0.0 => Some(0.0),
            _ => of_label(label),
        };
        let values: Vec<f64> = (0..labels).map(of_label).collect::<Option<_>>()?;
        match average {
            "macro" => defined(sum(values.iter().copied()) / labels as f64),
            "weighted" => {
                let weighted = sum(values.iter().zip(&self.targets).map(|(value, support)| value * support));
                Some(ratio(weighted, sum(self.targets.iter().copied())))
            }
            _ => None,
        }
    }
}
