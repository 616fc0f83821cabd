//! Benchmarks: blocks of head and base that took turns on one device.

use super::{
    Answer, Unit,
    choose::{Finding, Question, Values, open, sign},
    comparison::Comparison,
    stats::hodges_lehmann::Shift,
};

/// More blocks than anyone runs; of more, every second, third, … is used.
const MAX_BLOCKS: usize = 400;

impl Question<'_> {
    /// A benchmark whose blocks of head and base took turns on one device.
    pub(super) fn of_blocks(&self, head: &[f64], base: &[f64], reported: Values) -> Finding {
        if head.len() != base.len() {
            let reason = format!("the head has {} blocks and the base {}", head.len(), base.len());
            return open(Answer::Inconclusive, reported, reason);
        }
        if head.iter().chain(base).any(|value| !value.is_finite()) {
            return open(Answer::Inconclusive, reported, "a block's value is not a finite number".to_owned());
        }
        let sign = sign(&self.bound);
        let amount = self.bound.amount();
        // Wilcoxon's distribution takes time that grows with the cube of the blocks.
        let step = head.len().div_ceil(MAX_BLOCKS).max(1);
        let pairs = head.iter().zip(base).step_by(step);
        let ratios = amount.unit == Unit::Percent && head.iter().chain(base).all(|value| *value > 0.0);
        let differences: Vec<f64> = match ratios {
            true => pairs.map(|(head, base)| sign * (head / base).ln()).collect(),
            false => pairs.map(|(head, base)| sign * (head - base)).collect(),
        };
        let Some(shift) = Shift::new(&differences) else {
            return open(Answer::Inconclusive, reported, "the benchmark has no blocks".to_owned());
        };
        let margin = self.margin(reported.base);
        let comparison = if ratios {
            let allowed = sign * (1.0 + sign * amount.value / 100.0).max(f64::MIN_POSITIVE).ln();
            Comparison::of_blocks(&shift, allowed, self.defaults, |d| sign * reported.base * ((sign * d).exp() - 1.0))
        } else {
            Comparison::of_blocks(&shift, margin, self.defaults, |d| d)
        };
        Finding::Compared { comparison, values: reported, margin }
    }
}
