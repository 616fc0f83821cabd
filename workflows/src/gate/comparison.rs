//! What a test found, before it is judged.

use super::{
    Answer, Defaults, Discordant,
    stats::{
        bootstrap::Distribution, hodges_lehmann::Shift, mcnemar, paired_t::MeanEstimate, special::normal_quantile,
        tango::PairedCounts, unconditional,
    },
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
    /// Level of the bounds: alpha, or one look's part of it.
    pub(super) level: f64,
}

/// What more of would tell more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleUnit {
    Examples,
    Blocks,
    EarlierValues,
}

impl Comparison {
    /// 0/1 outcomes: at margin zero McNemar's mid-p decides; else Tango's score, by its exact distribution
    /// but where discordant pairs are very many. The bounds are where the same score, by the same
    /// distribution, meets alpha; zero is within them where mid-p says so.
    pub(super) fn of_counts(counts: PairedCounts, margin: f64, alpha: f64) -> Self {
        let (test, p_worse, p_fine) = Self::p_of_counts(counts, margin);
        let of_score = counts.interval(normal_quantile(1.0 - alpha));
        let (mut lower, mut upper) =
            if unconditional::applies(counts) { unconditional::interval(counts, alpha, of_score) } else { of_score };
        if margin == 0.0 {
            lower = if p_worse <= alpha { lower.max(0.0) } else { lower.min(0.0) };
            upper = if p_fine <= alpha { upper.min(0.0) } else { upper.max(0.0) };
        }
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
            level: alpha,
        }
    }

    /// Test and p-values of (H₀: d ≤ m, H₀: d ≥ m).
    pub(super) fn p_of_counts(counts: PairedCounts, margin: f64) -> (&'static str, f64, f64) {
        if margin == 0.0 {
            let (worse, better) = (counts.worse, counts.better);
            return ("mcnemar-midp", mcnemar::mid_p(worse, better), mcnemar::mid_p(better, worse));
        }
        let exact = unconditional::applies(counts);
        let (worse, fine) = if exact { unconditional::p_values(counts, margin) } else { counts.p_values(margin) };
        (if exact { "tango-exact" } else { "tango" }, worse, fine)
    }

    /// Interleaved blocks of a benchmark, one look of those that the policy allows. `to_unit` takes a shift to the
    /// metric's unit: percents are judged on the logarithms' scale.
    pub(super) fn of_blocks(shift: &Shift, margin: f64, defaults: &Defaults, to_unit: impl Fn(f64) -> f64) -> Self {
        let alpha = defaults.alpha_of_a_look();
        let (lower, upper) = shift.interval(alpha);
        let (p_worse, p_fine) = defaults.over_looks(shift.p_values(margin));
        let (lower, upper) = (to_unit(lower), to_unit(upper));
        Self {
            test: "hodges-lehmann",
            estimate: to_unit(shift.estimate()),
            lower,
            upper,
            p_worse,
            p_fine,
            n: shift.blocks() as u64,
            unit: SampleUnit::Blocks,
            discordant: None,
            standard_error: (upper - lower) / (2.0 * normal_quantile(1.0 - alpha)),
            level: alpha,
        }
    }

    /// A single number against the history of the base's branch.
    pub(super) fn of_history(excess: &MeanEstimate, margin: f64, alpha: f64) -> Self {
        Self { unit: SampleUnit::EarlierValues, ..Self::of_mean("history", excess, margin, alpha) }
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
            level: alpha,
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
            level: alpha,
        }
    }

    /// The three answers; `p_adjusted` is `p_worse` corrected over the family.
    pub(super) fn decide(p_adjusted: f64, p_fine: f64, alpha: f64) -> Answer {
        if p_adjusted <= alpha {
            Answer::Fail
        } else if p_fine <= alpha {
            Answer::Pass
        } else {
            Answer::Inconclusive
        }
    }

    /// The smallest true `d` beyond the margin that this comparison finds with the given power:
    /// `m + (z₁₋α + z_power) · se`. None where the data bound nothing.
    pub(super) fn detectable(&self, margin: f64, power: f64) -> Option<f64> {
        let detectable = margin + self.reach(power);
        detectable.is_finite().then_some(detectable)
    }

    /// How far beyond the margin the truth must be to be found with the given power.
    fn reach(&self, power: f64) -> f64 {
        (normal_quantile(1.0 - self.level) + normal_quantile(power)) * self.standard_error
    }

    /// How many samples would tell with the given power if the truth is the estimate; none where that
    /// is more than a thousand times as many.
    pub(super) fn needed(&self, margin: f64, power: f64) -> Option<u64> {
        // A prediction's error does not shrink with more history: one new value stays one.
        if self.unit == SampleUnit::EarlierValues {
            return None;
        }
        let factor = (self.reach(power) / (self.estimate - margin)).powi(2);
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
        let detectable = Comparison::of_counts(counts, 0.0, 0.05).detectable(0.0, 0.8).unwrap();
        assert!((detectable - 0.02).abs() < 2e-4, "{detectable}");
    }

    #[test]
    fn the_power_of_the_formula_is_reached_and_the_level_held_at_margin_zero() {
        // All tables with n = 1544: by enumeration, not by draws.
        let n = 1_544;
        let rate = |worse: f64, better: f64| {
            let psi = worse + better;
            let pmf = |k: u64, n: u64, p: f64| {
                let ln = |k: u64| libm::lgamma(k as f64 + 1.0);
                (ln(n) - ln(k) - ln(n - k) + k as f64 * p.ln() + (n - k) as f64 * (1.0 - p).ln()).exp()
            };
            let of_pairs = |pairs: u64| {
                // Mid-p grows as worse pairs become fewer: the first that does not claim ends it.
                let claims = (0..=pairs).rev().take_while(|b| mcnemar::mid_p(*b, pairs - b) <= 0.05);
                pmf(pairs, n, psi) * claims.map(|b| pmf(b, pairs, worse / psi)).sum::<f64>()
            };
            (60..260).map(of_pairs).sum::<f64>()
        };
        let power = rate(0.06, 0.04);
        assert!((0.8..0.81).contains(&power), "{power}");
        for discordance in [0.08, 0.1, 0.12] {
            let level = rate(0.5 * discordance, 0.5 * discordance);
            assert!((0.045..=0.05).contains(&level), "{discordance}: {level}");
        }
    }

    #[test]
    fn bounds_and_p_values_say_the_same() {
        for (worse, better, n) in [(12, 3, 300), (90, 70, 1_544), (91, 69, 1_544), (130, 90, 2_000), (0, 4, 50)] {
            let counts = PairedCounts { worse, better, n };
            for margin in [0.0, 0.005, 0.02] {
                let found = Comparison::of_counts(counts, margin, 0.05);
                let far = |bound: f64| (bound - margin).abs() > 2e-5;
                if far(found.lower) && margin > 0.0 {
                    assert_eq!(found.p_worse <= 0.05, found.lower > margin, "{counts:?} {margin} {found:?}");
                }
                if far(found.upper) && margin > 0.0 {
                    assert_eq!(found.p_fine <= 0.05, found.upper < margin, "{counts:?} {margin} {found:?}");
                }
                if margin == 0.0 {
                    assert_eq!(found.p_worse <= 0.05, found.lower >= 0.0, "{counts:?} {found:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_needed_that_nobody_can_gather() {
        let even = PairedCounts { worse: 50, better: 50, n: 1000 };
        assert_eq!(Comparison::of_counts(even, 0.0, 0.05).needed(0.0, 0.8), None);
        let near = PairedCounts { worse: 60, better: 45, n: 1000 };
        let needed = Comparison::of_counts(near, 0.0, 0.05).needed(0.0, 0.8).unwrap();
        assert!((2_500..3_500).contains(&needed), "{needed}");
    }
}
