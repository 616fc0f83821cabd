//! A single number against the base branch's history: a prediction interval for one more value.
//!
//! `mean ± t · s · √(1 + 1/n)`: Hahn & Meeker (1991), "Statistical intervals", section 4.7. The head's value
//! minus the mean is the estimate; a new value of an unchanged model would lie within with the given confidence.

use super::paired_t::MeanEstimate;

/// Fewer earlier values say nothing of how much they vary.
pub const FEWEST: usize = 5;

/// The excess of `value` over the history, `sign` × (value − mean), with the error of one new value. None
/// with fewer than [`FEWEST`] finite values.
pub fn excess(history: &[f64], value: f64, sign: f64) -> Option<MeanEstimate> {
    let n = history.len();
    if n < FEWEST || history.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let count = n as f64;
    let mean = history.iter().sum::<f64>() / count;
    let variance = history.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (count - 1.0);
    let standard_error = (variance * (1.0 + 1.0 / count)).sqrt();
    Some(MeanEstimate { mean: sign * (value - mean), standard_error, df: count - 1.0, skewness: 0.0, n })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_like_the_others_is_within_and_a_far_one_is_not() {
        let history = [30.1, 29.8, 30.3, 30.0, 29.9, 30.2];
        let near = excess(&history, 29.9, -1.0).unwrap();
        assert!(near.p_values(0.3).0 > 0.05 && near.p_values(0.0).0 > 0.05);
        let far = excess(&history, 28.0, -1.0).unwrap();
        assert!(far.p_values(0.3).0 < 0.001);
        assert!(excess(&history[..4], 30.0, -1.0).is_none());
        assert!(excess(&[f64::NAN; 9], 30.0, -1.0).is_none());
    }
}
