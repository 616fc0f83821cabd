//! Tango's score test and interval for the difference of two paired proportions.
//!
//! Tango, T. (1998), "Equivalence test and confidence interval for the difference in proportions for
//! the paired-sample design", Statistics in Medicine 17, 891–908.

use super::special::{bisect, normal_cdf};

/// `n` pairs, of which `worse` changed in the bad direction and `better` in the good one.
/// The parameter is `d = P(worse) − P(better)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairedCounts {
    pub worse: u64,
    pub better: u64,
    pub n: u64,
}

impl PairedCounts {
    /// The observed difference.
    pub fn estimate(self) -> f64 {
        (self.worse as f64 - self.better as f64) / self.n as f64
    }

    /// The score statistic of H₀: d = `delta`, approximately standard normal under it; large where the
    /// truth is worse. The variance is that under H₀, with P(better) at its restricted maximum likelihood.
    pub fn score(self, delta: f64) -> f64 {
        let (b, c, n) = (self.worse as f64, self.better as f64, self.n as f64);
        let linear = (2.0 * n - b + c) * delta - b - c;
        let constant = -c * delta * (1.0 - delta);
        // The positive root, in the form that does not cancel.
        let root = (linear * linear - 8.0 * n * constant).max(0.0).sqrt();
        let better = if linear <= 0.0 { (root - linear) / (4.0 * n) } else { -2.0 * constant / (root + linear) };
        let variance = n * (2.0 * better + delta * (1.0 - delta));
        let distance = b - c - n * delta;
        if variance > 0.0 {
            distance / variance.sqrt()
        } else if distance == 0.0 {
            0.0
        } else {
            distance.signum() * f64::INFINITY
        }
    }

    /// Confidence bounds of `d`, each one-sided at the level whose normal quantile is `z`.
    pub fn interval(self, z: f64) -> (f64, f64) {
        let estimate = self.estimate();
        let lower = bisect(-1.0, estimate, |delta| self.score(delta) > z);
        let upper = bisect(estimate, 1.0, |delta| self.score(delta) > -z);
        (lower, upper)
    }

    /// P-values of the two claims: (H₀: d ≤ m, against "worse than allowed"; H₀: d ≥ m, against "not worse").
    pub fn p_values(self, margin: f64) -> (f64, f64) {
        let score = self.score(margin);
        (normal_cdf(-score), normal_cdf(score))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_margin_zero_it_is_mcnemars_chi() {
        let counts = PairedCounts { worse: 12, better: 4, n: 100 };
        assert!((counts.score(0.0) - 8.0 / 16f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn bounds_are_where_the_score_is_z() {
        for (worse, better, n) in [(0, 0, 50), (3, 0, 50), (0, 7, 100), (20, 20, 40), (5, 9, 10_000), (1, 0, 1)] {
            let counts = PairedCounts { worse, better, n };
            let (lower, upper) = counts.interval(1.6448536269514722);
            assert!(lower <= counts.estimate() && counts.estimate() <= upper);
            assert!(-1.0 <= lower && upper <= 1.0);
            for bound in [lower, upper] {
                let inside = bound > -1.0 + 1e-9 && bound < 1.0 - 1e-9;
                let score = counts.score(bound).abs();
                assert!(!inside || (score - 1.6448536269514722).abs() < 1e-6, "{counts:?} {bound} {score}");
            }
        }
    }

    #[test]
    fn the_interval_turns_with_its_sides() {
        let (l, u) = PairedCounts { worse: 9, better: 2, n: 300 }.interval(1.6448536269514722);
        let (l2, u2) = PairedCounts { worse: 2, better: 9, n: 300 }.interval(1.6448536269514722);
        assert!((l + u2).abs() < 1e-9 && (u + l2).abs() < 1e-9, "{l} {u} {l2} {u2}");
    }
}
