//! McNemar's test of two paired proportions: of the discordant pairs, is one half worse?

use super::special::binomial_half_upper;

/// One-sided exact p-value: P(X ≥ worse), X binomial(worse + better, ½).
pub fn exact(worse: u64, better: u64) -> f64 {
    binomial_half_upper(worse, worse + better)
}

/// One-sided mid-p value: the observed table counts half. Fagerland, Lydersen & Laake (2013), "The
/// McNemar test for binary matched-pairs data: mid-p and asymptotic are better than exact conditional",
/// BMC Medical Research Methodology 13:91: closer to its level than the exact test, and rarely above it.
pub fn mid_p(worse: u64, better: u64) -> f64 {
    let pairs = worse + better;
    0.5 * (binomial_half_upper(worse, pairs) + binomial_half_upper(worse + 1, pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_tables_by_hand() {
        assert!((exact(5, 0) - 1.0 / 32.0).abs() < 1e-15);
        assert!((mid_p(5, 0) - 1.0 / 64.0).abs() < 1e-15);
        assert_eq!(exact(0, 0), 1.0);
        assert_eq!(mid_p(0, 0), 0.5);
        assert!((mid_p(3, 3) - 0.5).abs() < 1e-15);
    }

    #[test]
    fn both_sides_of_mid_p_sum_to_one() {
        for (worse, better) in [(1, 0), (7, 3), (40, 61), (1000, 900)] {
            assert!((mid_p(worse, better) + mid_p(better, worse) - 1.0).abs() < 1e-12);
        }
    }
}
