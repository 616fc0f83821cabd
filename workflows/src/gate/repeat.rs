//! Whether a benchmark should be repeated before its verdict is told.

use super::{Answer, Verdict};

/// More blocks than these are not asked for in one repetition: a device would be held for hours.
pub(super) const MOST_BLOCKS: u64 = 400;

/// Why, and with how many blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// As it was: something disturbed it.
    Disturbed,
    /// What was measured cannot tell; so many blocks probably would.
    Blocks { had: u64, needed: u64 },
}

/// What to do about the benchmark of this name. None where its lines are decided, or more would not tell.
///
/// Looking again until something passes would raise both errors: each look is judged alone, by its own blocks, at
/// alpha divided by the looks that the policy allows.
pub fn repeat(verdict: &Verdict, evaluation: &str, disturbed: bool) -> Option<Repeat> {
    let lines = || verdict.rules.iter().filter(|rule| rule.evaluation == evaluation && rule.test == "hodges-lehmann");
    if disturbed && lines().any(|rule| rule.verdict != Answer::Pass) {
        return Some(Repeat::Disturbed);
    }
    // What fails for another reason fails however long one measures.
    if verdict.verdict != Answer::Inconclusive {
        return None;
    }
    let open = lines().filter(|rule| rule.verdict == Answer::Inconclusive);
    more(open.filter_map(|rule| Some((rule.needed?, rule.n))), MOST_BLOCKS)
}

/// As many blocks as the line needs that needs the most, of lines that cannot tell: (needed, had) of each.
pub(super) fn more(open: impl Iterator<Item = (u64, u64)>, most: u64) -> Option<Repeat> {
    let (needed, had) = open.max()?;
    let needed = needed.min(most);
    (needed > had).then_some(Repeat::Blocks { had, needed })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::gate::{Defaults, Policy, Side, judge};

    /// The verdict over blocks of a latency whose head is slower by `by`, with `noise` around it.
    fn verdict(by: f64, noise: f64) -> Verdict {
        let rule = Policy::rule("latency_p50", &[("max-increase".to_owned(), "10%".to_owned())]).unwrap();
        let policy = Policy { rules: vec![rule], defaults: Defaults::default() };
        let side = |by: f64| {
            let wave = |i: u32| 10.0 * (1.0 + by) + noise * f64::from((i * 7 + (by > 0.0) as u32 * 3) % 11);
            Side {
                name: "bench".to_owned(),
                metrics: BTreeMap::from([("latency_p50".to_owned(), 10.0 * (1.0 + by))]),
                blocks: BTreeMap::from([("latency_p50".to_owned(), (0..8).map(wave).collect())]),
                ..Side::default()
            }
        };
        judge(&policy, &[side(by)], Some(&[side(0.0)]))
    }

    #[test]
    fn what_is_decided_is_not_repeated_unless_it_was_disturbed() {
        let (fine, slower) = (verdict(0.0, 0.0), verdict(0.5, 0.01));
        assert_eq!((fine.verdict, slower.verdict), (Answer::Pass, Answer::Fail));
        assert_eq!(repeat(&fine, "bench", true), None);
        assert_eq!(repeat(&slower, "bench", false), None);
        assert_eq!(repeat(&slower, "bench", true), Some(Repeat::Disturbed));
        assert_eq!(repeat(&slower, "other", true), None);
    }

    #[test]
    fn what_cannot_tell_asks_for_more_blocks_within_bounds() {
        let open = verdict(0.08, 0.3);
        assert_eq!(open.verdict, Answer::Inconclusive, "{open:#?}");
        let Some(Repeat::Blocks { had: 8, needed }) = repeat(&open, "bench", false) else {
            panic!("{open:#?}");
        };
        assert!((9..=MOST_BLOCKS).contains(&needed), "{needed}");
    }
}
