//! How well scores order examples: ROC AUC, average precision, top-k.

use super::sum::{defined, sum};

/// Positive and negative weight at one distinct score.
#[derive(Clone, Copy)]
struct Tie {
    positive: f64,
    negative: f64,
}

/// The weights at each distinct score, from the highest down.
fn ties(positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> Vec<Tie> {
    let mut result = Vec::new();
    let mut last = None;
    let mut push = |key: u64, positive: bool, weight: f64| {
        if last != Some(key) {
            last = Some(key);
            result.push(Tie { positive: 0.0, negative: 0.0 });
        }
        let tie = result.last_mut().expect("pushed above");
        if positive { tie.positive += weight } else { tie.negative += weight }
    };
    match weights {
        None => {
            let mut order: Vec<(u64, bool)> = scores.iter().map(|s| key(*s)).zip(positive.iter().copied()).collect();
            order.sort_unstable();
            order.into_iter().for_each(|(key, positive)| push(key, positive, 1.0));
        }
        Some(weights) => {
            let mut order: Vec<(u64, usize)> = scores.iter().map(|s| key(*s)).zip(0..).collect();
            order.sort_unstable();
            order.into_iter().for_each(|(key, i)| push(key, positive[i], weights[i]));
        }
    }
    result
}

/// An integer that orders as the score does, highest first; both zeros are one.
fn key(score: f64) -> u64 {
    let bits = (score + 0.0).to_bits();
    !(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 })
}

/// `roc_auc_score` of a binary target; none where only one class occurs. Scores must not be NaN.
pub fn roc_auc(positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    let (mut area, mut above, mut below) = (0.0, 0.0, 0.0);
    for tie in ties(positive, scores, weights) {
        // Trapezoid: every negative is below the positives above it and even with those of the same score.
        area += tie.negative * (above + tie.positive / 2.0);
        above += tie.positive;
        below += tie.negative;
    }
    defined(area / above / below)
}

/// `average_precision_score` of a binary target; none where no positive occurs.
pub fn average_precision(positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    let (mut area, mut above, mut all) = (0.0, 0.0, 0.0);
    for tie in ties(positive, scores, weights) {
        above += tie.positive;
        all += tie.positive + tie.negative;
        if all > 0.0 {
            area += tie.positive * (above / all);
        }
    }
    defined(area / above)
}

/// How a multiclass target is taken apart into binary ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultiClass {
    /// Each class against the rest.
    OneVsRest,
    /// Each class against each other one (Hand & Till 2001).
    OneVsOne,
}

/// `roc_auc_score(multi_class=…)`. `scores` holds rows of `classes` numbers. `weighted` counts classes (or pairs)
/// by their prevalence. None where a class never occurs as a target.
pub fn roc_auc_multiclass(
    targets: &[u32],
    scores: &[f64],
    classes: usize,
    how: MultiClass,
    weighted: bool,
) -> Option<f64> {
    let column = |class: usize| scores.iter().skip(class).step_by(classes).copied();
    let count = |class: usize| targets.iter().filter(|t| **t as usize == class).count() as f64;
    let n = targets.len() as f64;
    let (mut values, mut weights) = (Vec::new(), Vec::new());
    match how {
        MultiClass::OneVsRest => {
            for class in 0..classes {
                let positive: Vec<bool> = targets.iter().map(|t| *t as usize == class).collect();
                values.push(roc_auc(&positive, &column(class).collect::<Vec<_>>(), None)?);
                weights.push(if weighted { count(class) } else { 1.0 });
            }
        }
        MultiClass::OneVsOne => {
            for a in 0..classes {
                for b in a + 1..classes {
                    let of = |target: u32| target as usize == a || target as usize == b;
                    let positive_for = |class: usize| -> Vec<bool> {
                        targets.iter().filter(|t| of(**t)).map(|t| *t as usize == class).collect()
                    };
                    let scores_of = |class: usize| -> Vec<f64> {
                        column(class).zip(targets).filter(|(_, t)| of(**t)).map(|(s, _)| s).collect()
                    };
                    let one = roc_auc(&positive_for(a), &scores_of(a), None)?;
                    let other = roc_auc(&positive_for(b), &scores_of(b), None)?;
                    values.push((one + other) / 2.0);
                    weights.push(if weighted { (count(a) + count(b)) / n } else { 1.0 });
                }
            }
        }
    }
    super::mean(&values, Some(&weights))
}

/// `average_precision_score(average="macro")` over one class against the rest; none where a class never occurs.
pub fn average_precision_multiclass(targets: &[u32], scores: &[f64], classes: usize) -> Option<f64> {
    let values: Option<Vec<f64>> = (0..classes)
        .map(|class| {
            let positive: Vec<bool> = targets.iter().map(|t| *t as usize == class).collect();
            let column: Vec<f64> = scores.iter().skip(class).step_by(classes).copied().collect();
            average_precision(&positive, &column, None)
        })
        .collect();
    let values = values?;
    defined(sum(values.iter().copied()) / values.len() as f64)
}

/// Whether the target is among the `k` highest scores (`top_k_accuracy_score`): of equal scores the later
/// class counts as the higher.
pub fn in_top_k(scores: &[f64], target: usize, k: usize) -> bool {
    let own = scores[target];
    let higher = scores.iter().enumerate().filter(|(class, s)| **s > own || (**s == own && *class > target)).count();
    higher < k
}
