//! Is a quantile of a latency under a bound? By the number of measurements above it, as MLPerf's early
//! stopping does (mlcommons/inference, `loadgen/early_stopping.cc`): no distribution is assumed.

use super::special::beta_inc;

/// P-values of (H₀: the `q`-quantile is ≤ the bound, H₀: it is ≥ the bound) for `over` of `n` measurements
/// above it. At the border the number above is binomial(n, 1 − q).
pub fn p_values(over: u64, n: u64, q: f64) -> (f64, f64) {
    let share = 1.0 - q;
    (binomial_upper(over, n, share), 1.0 - binomial_upper(over + 1, n, share))
}

/// P(X ≥ k) for X binomial(n, p).
fn binomial_upper(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    beta_inc(k as f64, (n - k + 1) as f64, p, 1.0 - p)
}

/// Confidence bounds of the `q`-quantile, each one-sided at `alpha`, as order statistics of `sorted`;
/// infinite where so few measurements bound nothing.
pub fn interval(sorted: &[f64], q: f64, alpha: f64) -> (f64, f64) {
    let n = sorted.len() as u64;
    // The quantile is above sorted[i] unless at most i + 1 … measurements lie below it: count by the binomial.
    let below_is_likely = |count: u64| 1.0 - binomial_upper(count + 1, n, q);
    let mut lower = f64::NEG_INFINITY;
    let mut upper = f64::INFINITY;
    let (mut low, mut high) = (0, n);
    // P(fewer than or equal to `count` measurements lie below the quantile) grows with count.
    while low < high {
        let middle = (low + high) / 2;
        if below_is_likely(middle) <= alpha { low = middle + 1 } else { high = middle }
    }
    if low > 0 {
        lower = sorted[low as usize - 1];
    }
    let (mut low, mut high) = (0, n + 1);
    while low < high {
        let middle = (low + high) / 2;
        if binomial_upper(middle, n, q) <= alpha { high = middle } else { low = middle + 1 }
    }
    if low <= n && low > 0 {
        upper = sorted[low as usize - 1];
    }
    (lower, upper)
}

/// How many measurements are needed before "under the bound" can be proven with `over` above it.
pub fn needed(over: u64, q: f64, alpha: f64) -> u64 {
    let proven = |n: u64| p_values(over, n, q).1 <= alpha;
    let mut high = over + 1;
    while !proven(high) {
        high *= 2;
    }
    let mut low = over;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if proven(middle) { high = middle } else { low = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mlperfs_table_of_needed_queries() {
        // practice.md C3, confidence 0.99: none over, one over.
        for (q, none, one) in [(0.90, 44, 64), (0.95, 90, 130), (0.97, 152, 219), (0.99, 459, 662)] {
            assert_eq!((needed(0, q, 0.01), needed(1, q, 0.01)), (none, one), "{q}");
        }
    }

    #[test]
    fn bounds_are_order_statistics_around_the_quantile() {
        let sorted: Vec<f64> = (1..=1000).map(f64::from).collect();
        let (lower, upper) = interval(&sorted, 0.99, 0.05);
        assert!((980.0..990.0).contains(&lower) && (990.0..=1000.0).contains(&upper), "{lower} {upper}");
        let over = |bound: f64| sorted.iter().filter(|x| **x > bound).count() as u64;
        assert!(p_values(over(lower - 0.5), 1000, 0.99).0 <= 0.05);
        assert!(p_values(over(upper + 0.5), 1000, 0.99).1 <= 0.05);
        assert_eq!(interval(&sorted[..50], 0.99, 0.05).1, f64::INFINITY);
    }
}
