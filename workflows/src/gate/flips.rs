//! Examples whose answer changed from right to wrong or back.

use super::{Discordant, Example, Flip, pairing::Pair};

/// More than anyone reads; the counts are of all.
const KEPT: usize = 400;

fn is_right(example: &Example) -> Option<bool> {
    match example.values.get("accuracy").or_else(|| example.values.get("exact_match")) {
        Some(value) => Some(*value > 0.5),
        None if example.prediction == example.target => Some(true),
        // A prediction that is not the target is wrong only where predictions can be equal to it at all.
        None if example.values.is_empty() => Some(false),
        None => None,
    }
}

/// Appends this evaluation's flips, newly wrong before newly right, and counts all of them.
pub(super) fn collect(evaluation: &str, pairs: &[Pair<'_>], flips: &mut Vec<Flip>, counts: &mut Discordant) {
    let changed =
        |pair: &&Pair<'_>, worse: bool| is_right(pair.base) == Some(worse) && is_right(pair.head) == Some(!worse);
    for worse in [true, false] {
        let mut count = 0;
        for pair in pairs.iter().filter(|pair| changed(pair, worse)) {
            count += 1;
            if count <= KEPT as u64 / 2 || (worse && count <= KEPT as u64) {
                flips.push(Flip {
                    evaluation: evaluation.to_owned(),
                    id: pair.head.id.clone(),
                    target: pair.base.target.clone(),
                    base: pair.base.prediction.clone(),
                    head: pair.head.prediction.clone(),
                    worse,
                });
            }
        }
        if worse { counts.worse += count } else { counts.better += count }
    }
}

/// Examples whose prediction, score or values differ at all.
pub(super) fn differing(pairs: &[Pair<'_>]) -> u64 {
    let differs = |pair: &&Pair<'_>| {
        let (head, base) = (pair.head, pair.base);
        head.prediction != base.prediction || head.score != base.score || head.values != base.values
    };
    pairs.iter().filter(differs).count() as u64
}
