//! How well scores order examples: ROC AUC, average precision, top-k.

use super::{
    Average,
    sum::{defined, sum},
};

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

/// `average_precision_score` of a binary target; 0 where no positive occurs, none where nothing does.
pub fn average_precision(positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    let (mut area, mut above, mut all) = (0.0, 0.0, 0.0);
    for tie in ties(positive, scores, weights) {
        above += tie.positive;
        all += tie.positive + tie.negative;
        if all > 0.0 {
            area += tie.positive * (above / all);
        }
    }
    if scores.is_empty() {
        return None;
    }
    Some(if above == 0.0 { 0.0 } else { area / above })
}

/// How a multiclass target is taken apart into binary ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultiClass {
    /// Each class against the rest.
    OneVsRest,
    /// Each class against each other one (Hand & Till 2001).
    OneVsOne,
}

/// `roc_auc_score(multi_class=…)`. `scores` holds rows of `classes` numbers. `by_support` counts classes (or pairs)
/// by their prevalence. A class that never occurs as a target leaves one against the rest undefined, unless it counts
/// by its prevalence, which is nothing; pairs are of classes that occur. Weights of examples do not go with pairs:
/// scikit-learn defines them for one class against the rest only.
pub fn roc_auc_multiclass(
    targets: &[u32],
    scores: &[f64],
    classes: usize,
    how: MultiClass,
    by_support: bool,
    weights: Option<&[f64]>,
) -> Option<f64> {
    let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
    let members: Vec<Vec<usize>> = members(targets, classes);
    let (mut values, mut supports) = (Vec::new(), Vec::new());
    match how {
        MultiClass::OneVsRest => {
            for (class, members) in members.iter().enumerate() {
                let positive: Vec<bool> = targets.iter().map(|t| *t as usize == class).collect();
                let column: Vec<f64> = scores.iter().skip(class).step_by(classes).copied().collect();
                let support = if by_support { sum(members.iter().map(|i| weight(*i))) } else { 1.0 };
                // What counts for nothing need not be defined.
                if support != 0.0 {
                    values.push(roc_auc(&positive, &column, weights)?);
                    supports.push(support);
                }
            }
        }
        MultiClass::OneVsOne => {
            for a in 0..classes {
                for b in a + 1..classes {
                    if members[a].is_empty() || members[b].is_empty() {
                        continue;
                    }
                    let both = || members[a].iter().chain(&members[b]);
                    let is_a: Vec<bool> = both().map(|i| targets[*i] as usize == a).collect();
                    let is_b: Vec<bool> = is_a.iter().map(|is_a| !is_a).collect();
                    let column = |class: usize| -> Vec<f64> { both().map(|i| scores[i * classes + class]).collect() };
                    let one = roc_auc(&is_a, &column(a), None)?;
                    let other = roc_auc(&is_b, &column(b), None)?;
                    values.push((one + other) / 2.0);
                    supports.push(if by_support { is_a.len() as f64 } else { 1.0 });
                }
            }
        }
    }
    super::mean(&values, Some(&supports))
}

/// Indices of the examples of each class.
fn members(targets: &[u32], classes: usize) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); classes];
    for (i, target) in targets.iter().enumerate() {
        members[*target as usize].push(i);
    }
    members
}

/// `average_precision_score` over one class against the rest.
pub fn average_precision_multiclass(
    targets: &[u32],
    scores: &[f64],
    classes: usize,
    average: Average,
    weights: Option<&[f64]>,
) -> Option<f64> {
    if average == Average::Micro {
        let positive: Vec<bool> =
            targets.iter().flat_map(|t| (0..classes).map(move |class| *t as usize == class)).collect();
        let repeated: Option<Vec<f64>> =
            weights.map(|weights| weights.iter().flat_map(|w| std::iter::repeat_n(*w, classes)).collect());
        return average_precision(&positive, scores, repeated.as_deref());
    }
    let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
    let (mut values, mut supports) = (Vec::new(), Vec::new());
    for (class, members) in members(targets, classes).iter().enumerate() {
        let positive: Vec<bool> = targets.iter().map(|t| *t as usize == class).collect();
        let column: Vec<f64> = scores.iter().skip(class).step_by(classes).copied().collect();
        values.push(average_precision(&positive, &column, weights)?);
        let support = || sum(members.iter().map(|i| weight(*i)));
        supports.push(if average == Average::Weighted { support() } else { 1.0 });
    }
    super::mean(&values, Some(&supports))
}

/// Whether the target is among the `k` highest scores (`top_k_accuracy_score`): of equal scores the later
/// class counts as the higher, but of two classes the first (a binary score must exceed one half).
pub fn in_top_k(scores: &[f64], target: usize, k: usize) -> bool {
    let own = scores[target];
    let later_wins = scores.len() > 2;
    let above = |class: usize| if later_wins { class > target } else { class < target };
    let higher = scores.iter().enumerate().filter(|(class, s)| **s > own || (**s == own && above(*class))).count();
    higher < k
}
