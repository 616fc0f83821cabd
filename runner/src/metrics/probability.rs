//! How good the probabilities are, not only the decisions.

/// −ln of the probability that was given to the right class, clipped to `[epsilon, 1 − epsilon]`.
/// scikit-learn takes the machine epsilon of the probabilities' own type: `f32::EPSILON` for a model that
/// answers in single precision.
pub fn log_loss_of(probability: f64, epsilon: f64) -> f64 {
    -probability.clamp(epsilon, 1.0 - epsilon).ln()
}

/// One example's part of `brier_score_loss`: the squared distance from the one-hot target. Halved for
/// two classes, as in Brier's binary score (`scale_by_half="auto"`).
pub fn brier_of(probabilities: impl ExactSizeIterator<Item = f64>, target: usize) -> f64 {
    let classes = probabilities.len();
    let distance: f64 =
        probabilities.enumerate().map(|(class, p)| if class == target { (1.0 - p) * (1.0 - p) } else { p * p }).sum();
    if classes < 3 { distance / 2.0 } else { distance }
}

/// Expected calibration error: the mean distance of confidence and accuracy over bins of equal width,
/// each counting by its examples (Naeini, Cooper & Hauskrecht 2015). A confidence on an edge belongs to the
/// bin below it.
pub fn calibration_error(confidences: &[f64], right: &[bool], bins: usize) -> Option<f64> {
    if confidences.is_empty() {
        return None;
    }
    let mut sums = vec![(0.0, 0.0); bins];
    for (&confidence, &right) in confidences.iter().zip(right) {
        let bin = ((confidence * bins as f64).ceil() as usize).clamp(1, bins) - 1;
        sums[bin].0 += confidence;
        sums[bin].1 += f64::from(u8::from(right));
    }
    Some(
        super::sum(sums.into_iter().map(|(confidence, right)| f64::abs(confidence - right))) / confidences.len() as f64,
    )
}
