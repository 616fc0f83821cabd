//! What a test found, before it is judged.

use super::{
    Discordant,
    stats::{bootstrap::Distribution, mcnemar, paired_t::MeanEstimate, special::normal_quantile, tango::PairedCounts},
};

/// What one test says of `d`, the true change for the worse, against the allowed change `m`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    pub(super) test: &'static str,
    pub(super) estimate: f64,
    /// Confidence bounds of `d`, each one-sided at alpha.
    pub(super) lower: f64,
    pub(super) upper: f64,
    /// Of H₀: d ≤ m. Small: worse than allowed is proven.
    pub(super) p_worse: f64,
    /// Of H₀: d ≥ m. Small: not worse than allowed is proven.
    pub(super) p_fine: f64,
    pub(super) n: u64,
    pub(super) unit: SampleUnit,
    pub(super) discordant: Option<Discordant>,
    /// Standard error of the estimate where the truth is near it.
    pub(super) standard_error: f64,
}

/// What more of would tell more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleUnit {
    Examples,
    Blocks,
    EarlierValues,
}

impl Comparison {
    /// 0/1 outcomes: Tango's interval; at margin zero McNemar's mid-p decides, else Tango's score.
    pub(super) fn of_counts(counts: PairedCounts, margin: f64, alpha: f64) -> Self {
        let (lower, upper) = counts.interval(normal_quantile(1.0 - alpha));
        let (test, (p_worse, p_fine)) = if margin == 0.0 {
            let worse = mcnemar::mid_p(counts.worse, counts.better);
            ("mcnemar-midp", (worse, mcnemar::mid_p(counts.better, counts.worse)))
        } else {
            ("tango", counts.p_values(margin))
        };
        let n = counts.n as f64;
        // At least one discordant pair's worth of spread: with none seen the next might be one.
        let discordance = ((counts.worse + counts.better) as f64).max(1.0) / n;
        let estimate = counts.estimate();
        let variance = (discordance - estimate * estimate).max(discordance / n);
        Self {
            test,
            estimate,
            lower,
            upper,
            p_worse,
            p_fine,
            n: counts.n,
            unit: SampleUnit::Examples,
            discordant: Some(Discordant { worse: counts.worse, better: counts.better }),
            standard_error: (variance / n).sqrt(),
        }
    }

    pub(super) fn of_mean(test: &'static str, mean: &MeanEstimate, margin: f64, alpha: f64) -> Self {
        let (lower, upper) = mean.interval(alpha);
        let (p_worse, p_fine) = mean.p_values(margin);
        Self {
            test,
            estimate: mean.mean,
            lower,
            upper,
            p_worse,
            p_fine,
            n: mean.n as u64,
            unit: SampleUnit::Examples,
            discordant: None,
            standard_error: mean.standard_error,
        }
    }

    pub(super) fn of_bootstrap(test: &'static str, resampled: &Distribution, n: u64, margin: f64, alpha: f64) -> Self {
        let (lower, upper) = resampled.interval(alpha);
        let (p_worse, p_fine) = resampled.p_values(margin);
        Self {
            test,
            estimate: resampled.estimate,
            lower,
            upper,
            p_worse,
            p_fine,
            n,
            unit: SampleUnit::Examples,
            discordant: None,
            standard_error: resampled.standard_error(),
        }
    }

    /// The smallest true `d` beyond the margin that this comparison finds with the given power:
    /// `m + (z₁₋α + z_power) · se`.
    pub(super) fn detectable(&self, margin: f64, alpha: f64, power: f64) -> f64 {
        margin + (normal_quantile(1.0 - alpha) + normal_quantile(power)) * self.standard_error
    }

    /// How many samples would tell with the given power if the truth is the estimate; none where that
    /// is more than a thousand times as many.
    pub(super) fn needed(&self, margin: f64, alpha: f64, power: f64) -> Option<u64> {
        let reach = (normal_quantile(1.0 - alpha) + normal_quantile(power)) * self.standard_error;
        let factor = (reach / (self.estimate - margin)).powi(2);
        let needed = (self.n as f64 * factor).ceil();
        (factor.is_finite() && factor <= 1000.0).then_some((needed as u64).max(self.n + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detectable_agrees_with_the_sample_size_formula() {
        // practice.md C3: n = 1544 for 2 pp at 10 % discordance, power 0.8, one-sided 5 %.
        let counts = PairedCounts { worse: 77, better: 77, n: 1544 };
        let detectable = Comparison::of_counts(counts, 0.0, 0.05).detectable(0.0, 0.05, 0.8);
        assert!((detectable - 0.02).abs() < 2e-4, "{detectable}");
    }

    #[test]
    fn nothing_is_needed_that_nobody_can_gather() {
        let even = PairedCounts { worse: 50, better: 50, n: 1000 };
        assert_eq!(Comparison::of_counts(even, 0.0, 0.05).needed(0.0, 0.05, 0.8), None);
        let near = PairedCounts { worse: 60, better: 45, n: 1000 };
        let needed = Comparison::of_counts(near, 0.0, 0.05).needed(0.0, 0.05, 0.8).unwrap();
        assert!((2_500..3_500).contains(&needed), "{needed}");
    }
}
