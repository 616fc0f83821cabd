/// The sum, with Neumaier's compensation: its error does not grow with the number of terms.
pub fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0f64, 0.0f64);
    for value in values {
        let next = total + value;
        // A NaN or an infinity in `lost` would hide an infinite total.
        if next.is_finite() {
            lost += if total.abs() >= value.abs() { (total - next) + value } else { (value - next) + total };
        }
        total = next;
    }
    total + lost
}

/// The mean, weighted where weights are given; none where there is nothing to average.
pub fn mean(values: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    let (total, weight) = match weights {
        None => (sum(values.iter().copied()), values.len() as f64),
        Some(weights) => (sum(values.iter().zip(weights).map(|(v, w)| v * w)), sum(weights.iter().copied())),
    };
    defined(total / weight)
}

/// NaN is absent.
pub(super) fn defined(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}
