//! What can be known from how often each class was taken for each: from the marginals alone, so that memory
//! grows with the classes and not with their square.

use super::sum::{defined, sum};

/// How scores of single classes become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// Over all decisions.
    Micro,
    /// The mean over classes, each counting the same.
    Macro,
    /// The mean over classes, each counting by its support.
    Weighted,
}

/// Precision, recall and F1 of one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScore {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    /// Weight of the examples whose target it is.
    pub support: f64,
}

impl ClassScore {
    /// From true positives, the weight of the targets and that of the predictions. A score without a
    /// denominator is 0, scikit-learn's `zero_division`.
    pub fn new(right: f64, support: f64, predicted: f64) -> Self {
        Self {
            precision: ratio(right, predicted),
            recall: ratio(right, support),
            f1: ratio(2.0 * right, support + predicted),
            support,
        }
    }
}

/// More classes than this, and the matrix itself is not kept: nobody reads it, and it grows with their square.
pub const MATRIX_CLASSES: usize = 32;

/// Weights of examples by target and prediction.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Confusion {
    right: Vec<f64>,
    targets: Vec<f64>,
    predictions: Vec<f64>,
    /// Classes that occur as a target or a prediction, whatever their weight: scikit-learn's labels.
    present: Vec<bool>,
    /// Row: target; column: prediction. Empty for more than [`MATRIX_CLASSES`].
    cells: Vec<f64>,
}

impl Confusion {
    pub fn new(classes: usize) -> Self {
        let mut new = Self::default();
        new.grow(classes);
        new
    }

    /// Makes room for classes that come up later.
    pub fn grow(&mut self, classes: usize) {
        let before = self.classes();
        if classes <= before {
            return;
        }
        for marginal in [&mut self.right, &mut self.targets, &mut self.predictions] {
            marginal.resize(classes, 0.0);
        }
        self.present.resize(classes, false);
        let mut cells = vec![0.0; if classes <= MATRIX_CLASSES { classes * classes } else { 0 }];
        if !cells.is_empty() {
            for (row, old) in self.cells.chunks(before.max(1)).enumerate() {
                cells[row * classes..row * classes + before].copy_from_slice(old);
            }
        }
        self.cells = cells;
    }

    /// Counts an example. Both indices must be below [`Confusion::classes`].
    pub fn add(&mut self, target: usize, prediction: usize, weight: f64) {
        self.targets[target] += weight;
        self.predictions[prediction] += weight;
        if target == prediction {
            self.right[target] += weight;
        }
        self.present[target] = true;
        self.present[prediction] = true;
        if !self.cells.is_empty() {
            self.cells[target * self.right.len() + prediction] += weight;
        }
    }

    pub fn classes(&self) -> usize {
        self.right.len()
    }

    /// `confusion_matrix`, row by target; none for more than [`MATRIX_CLASSES`].
    pub fn matrix(&self) -> Option<Vec<Vec<f64>>> {
        let classes = self.classes();
        (!self.cells.is_empty()).then(|| self.cells.chunks(classes).map(<[f64]>::to_vec).collect())
    }

    fn total(&self) -> f64 {
        sum(self.targets.iter().copied())
    }

    fn all_right(&self) -> f64 {
        sum(self.right.iter().copied())
    }

    /// `accuracy_score`
    pub fn accuracy(&self) -> Option<f64> {
        defined(self.all_right() / self.total())
    }

    /// `balanced_accuracy_score`: mean recall over the classes that occur as targets.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let classes = self.right.iter().zip(&self.targets);
        let recalls: Vec<f64> =
            classes.filter(|(_, support)| **support != 0.0).map(|(right, support)| right / support).collect();
        super::mean(&recalls, None)
    }

    /// `precision_recall_fscore_support(average=None)`, for every class that occurs; the others are none.
    pub fn class_scores(&self) -> Vec<Option<ClassScore>> {
        (0..self.classes())
            .map(|c| self.present[c].then(|| ClassScore::new(self.right[c], self.targets[c], self.predictions[c])))
            .collect()
    }

    /// `precision_score`
    pub fn precision(&self, average: Average) -> Option<f64> {
        self.averaged(average, |score| score.precision)
    }

    /// `recall_score`
    pub fn recall(&self, average: Average) -> Option<f64> {
        self.averaged(average, |score| score.recall)
    }

    /// `f1_score`
    pub fn f1(&self, average: Average) -> Option<f64> {
        self.averaged(average, |score| score.f1)
    }

    fn averaged(&self, average: Average, score: impl Fn(&ClassScore) -> f64) -> Option<f64> {
        let scores: Vec<ClassScore> = self.class_scores().into_iter().flatten().collect();
        if scores.is_empty() {
            return None;
        }
        match average {
            // Each wrong decision is one false positive and one false negative, so that all three are the accuracy.
            Average::Micro => Some(ratio(self.all_right(), self.total())),
            Average::Macro | Average::Weighted => averaged(&scores, average == Average::Weighted, score),
        }
    }

    /// `matthews_corrcoef`; 0 where a marginal is constant.
    pub fn matthews_corrcoef(&self) -> Option<f64> {
        let total = self.total();
        let dot = |a: &[f64], b: &[f64]| sum(a.iter().zip(b).map(|(x, y)| x * y));
        let both = self.all_right() * total - dot(&self.targets, &self.predictions);
        let variance_predictions = total * total - dot(&self.predictions, &self.predictions);
        let variance_targets = total * total - dot(&self.targets, &self.targets);
        if self.present.iter().all(|present| !present) {
            return None;
        }
        if variance_predictions * variance_targets == 0.0 {
            return Some(0.0);
        }
        // The root of each factor: their product overflows nowhere, but loses digits for large counts.
        defined(both / (variance_predictions.sqrt() * variance_targets.sqrt()))
    }

    /// `cohen_kappa_score`, unweighted.
    pub fn cohen_kappa(&self) -> Option<f64> {
        let total = self.total();
        let expected_right = sum(self.targets.iter().zip(&self.predictions).map(|(t, p)| t * p)) / total;
        // Sums over what lies off the diagonal, as scikit-learn weighs it.
        defined(1.0 - (total - self.all_right()) / (total - expected_right))
    }
}

/// The mean of a score over classes, each counting the same or by its support.
pub(super) fn averaged(scores: &[ClassScore], by_support: bool, score: impl Fn(&ClassScore) -> f64) -> Option<f64> {
    if !by_support {
        return defined(sum(scores.iter().map(score)) / scores.len() as f64);
    }
    let support = sum(scores.iter().map(|score| score.support));
    Some(ratio(sum(scores.iter().map(|s| score(s) * s.support)), support))
}

pub(super) fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
