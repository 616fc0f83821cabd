//! Rules in common use, on the same draws.

use crate::gate::stats::special::t_upper_quantile;

/// A fixed threshold: worse by more than this share of the base's value.
pub(super) const FIXED: (&str, f64) = ("fixed 2 %", 0.02);

/// github-action-benchmark's default alert: twice the previous value.
pub(super) const ALERT: (&str, f64) = ("github-action-benchmark 200 %", 1.0);

/// Bencher's default threshold: a t-test, one-sided 0.99, over at most 64 earlier values. The limit is
/// `mean + t · s · √(1 + 1/n)` of values that are counted positive for the worse.
pub(super) struct Bencher {
    factor: f64,
}

pub(super) const BENCHER: &str = "Bencher t-test";

/// Earlier values that it is given.
pub(super) const HISTORY: usize = 30;

impl Bencher {
    pub(super) fn new() -> Self {
        let n = HISTORY as f64;
        Self { factor: t_upper_quantile(0.01, n - 1.0) * (1.0 + 1.0 / n).sqrt() }
    }

    pub(super) fn alarms(&self, history: &[f64], value: f64) -> bool {
        let n = history.len() as f64;
        let mean = history.iter().sum::<f64>() / n;
        let variance = history.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
        value > mean + self.factor * variance.sqrt()
    }
}
