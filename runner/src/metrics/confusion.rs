//! What can be known from the confusion matrix alone.

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

/// Counts (or weights) of examples by target and prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    classes: usize,
    /// Row: target; column: prediction.
    cells: Vec<f64>,
    /// Classes that occur as a target or a prediction, whatever their weight: scikit-learn's labels.
    present: Vec<bool>,
}

impl Confusion {
    /// Counts pairs of class indices below `classes`.
    pub fn new(classes: usize, targets: &[u32], predictions: &[u32], weights: Option<&[f64]>) -> Self {
        let mut cells = vec![0.0; classes * classes];
        let mut present = vec![false; classes];
        for (i, (&target, &prediction)) in targets.iter().zip(predictions).enumerate() {
            let (target, prediction) = (target as usize, prediction as usize);
            cells[target * classes + prediction] += weights.map_or(1.0, |weights| weights[i]);
            present[target] = true;
            present[prediction] = true;
        }
        Self { classes, cells, present }
    }

    /// Weight of the examples of class `target` that were taken for `prediction`.
    pub fn cell(&self, target: usize, prediction: usize) -> f64 {
        self.cells[target * self.classes + prediction]
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    fn total(&self) -> f64 {
        sum(self.cells.iter().copied())
    }

    fn right(&self) -> f64 {
        sum((0..self.classes).map(|class| self.cell(class, class)))
    }

    fn target_sums(&self) -> Vec<f64> {
        self.cells.chunks(self.classes.max(1)).map(|row| sum(row.iter().copied())).collect()
    }

    fn prediction_sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.classes];
        for row in self.cells.chunks(self.classes.max(1)) {
            for (total, cell) in sums.iter_mut().zip(row) {
                *total += cell;
            }
        }
        sums
    }

    /// `accuracy_score`
    pub fn accuracy(&self) -> Option<f64> {
        defined(self.right() / self.total())
    }

    /// `balanced_accuracy_score`: mean recall over the classes that occur as targets.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let recalls: Vec<f64> = self
            .target_sums()
            .into_iter()
            .enumerate()
            .filter(|(_, support)| *support != 0.0)
            .map(|(class, support)| self.cell(class, class) / support)
            .collect();
        super::mean(&recalls, None)
    }

    /// `precision_recall_fscore_support(average=None)`, for every class that occurs; the others are none.
    /// A score without a denominator is 0, scikit-learn's `zero_division`.
    pub fn class_scores(&self) -> Vec<Option<ClassScore>> {
        let (supports, predicted) = (self.target_sums(), self.prediction_sums());
        (0..self.classes)
            .map(|class| {
                self.present[class].then(|| {
                    let (right, support, predicted) = (self.cell(class, class), supports[class], predicted[class]);
                    ClassScore {
                        precision: ratio(right, predicted),
                        recall: ratio(right, support),
                        f1: ratio(2.0 * right, support + predicted),
                        support,
                    }
                })
            })
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
            Average::Micro => Some(ratio(self.right(), self.total())),
            Average::Macro => defined(sum(scores.iter().map(score)) / scores.len() as f64),
            Average::Weighted => {
                let support = sum(scores.iter().map(|score| score.support));
                Some(ratio(sum(scores.iter().map(|s| score(s) * s.support)), support))
            }
        }
    }

    /// `matthews_corrcoef`; 0 where a marginal is constant.
    pub fn matthews_corrcoef(&self) -> Option<f64> {
        let (targets, predictions) = (self.target_sums(), self.prediction_sums());
        let total = self.total();
        let dot = |a: &[f64], b: &[f64]| sum(a.iter().zip(b).map(|(x, y)| x * y));
        let both = self.right() * total - dot(&targets, &predictions);
        let variance_predictions = total * total - dot(&predictions, &predictions);
        let variance_targets = total * total - dot(&targets, &targets);
        if variance_predictions * variance_targets == 0.0 {
            return Some(0.0);
        }
        // The root of each factor: their product overflows nowhere, but loses digits for large counts.
        defined(both / (variance_predictions.sqrt() * variance_targets.sqrt()))
    }

    /// `cohen_kappa_score`, unweighted.
    pub fn cohen_kappa(&self) -> Option<f64> {
        let (targets, predictions) = (self.target_sums(), self.prediction_sums());
        let total = self.total();
        let expected_right = sum(targets.iter().zip(&predictions).map(|(t, p)| t * p)) / total;
        // Sums over what lies off the diagonal, as scikit-learn weighs it.
        defined(1.0 - (total - self.right()) / (total - expected_right))
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
