//! How good the probabilities are, not only the decisions.

use super::sum::{Mean, sum};

/// −ln of the probability that was given to the right class, clipped to `[epsilon, 1 − epsilon]`.
/// scikit-learn takes the machine epsilon of the probabilities' own type: `f32::EPSILON` for a model that
/// answers in single precision.
pub fn log_loss_of(probability: f64, epsilon: f64) -> f64 {
    -probability.clamp(epsilon, 1.0 - epsilon).ln()
}

/// One example's part of `brier_score_loss`: the squared distance from the one-hot target; of two classes the squared
/// error of the second's probability alone, Brier's binary score.
pub fn brier_of(probabilities: &[f64], target: usize) -> f64 {
    let square = |x: f64| x * x;
    let error = |class: usize, p: f64| square(if class == target { 1.0 - p } else { p });
    match probabilities {
        [_, second] => error(1, *second),
        many => many.iter().enumerate().map(|(class, p)| error(class, *p)).sum(),
    }
}

/// Expected calibration error: the mean distance of confidence and accuracy over bins of equal width,
/// each counting by its examples (Naeini, Cooper & Hauskrecht 2015). A confidence on an edge belongs to the
/// bin below it.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// Sums of confidence and of right answers.
    bins: Vec<(Mean, Mean)>,
}

impl Calibration {
    pub fn new(bins: usize) -> Self {
        Self { bins: vec![Default::default(); bins] }
    }

    pub fn add(&mut self, confidence: f64, right: bool, weight: f64) {
        let bins = self.bins.len();
        let bin = ((confidence * bins as f64).ceil() as usize).clamp(1, bins) - 1;
        self.bins[bin].0.add(confidence, weight);
        self.bins[bin].1.add(f64::from(u8::from(right)), weight);
    }

    pub fn error(&self) -> Option<f64> {
        let weight = sum(self.bins.iter().map(|(confidence, _)| confidence.weight()));
        let distance = self.bins.iter().map(|(confidence, right)| (confidence.sum() - right.sum()).abs());
        super::sum::defined(sum(distance) / weight)
    }
}
