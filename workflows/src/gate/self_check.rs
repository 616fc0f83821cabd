//! The gate's own false-alarm rate, measured live: now and then the base's model is measured twice, and the second
//! measurement is judged as if it were a change. Nothing changed, so whatever fails is a false alarm.

use serde::{Deserialize, Serialize};

use super::{
    Answer, Bound, Defaults, Policy, Rule, RuleVerdict, Side, TestChoice, flips, judge::judge, metric::MetricRef,
    pairing::pair, stats::random::Random,
};

/// Whether the runs of a head commit are among the share that checks the gate. It follows from the commit alone,
/// so that whoever asks again gets the same answer.
pub fn is_chosen(share: f64, head: &str) -> bool {
    let seed = head
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Random::new(seed).uniform() < share
}

/// What the gate said of a base judged against itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelfCheck {
    pub verdict: Answer,
    /// Bound on the probability of a false alarm that the policy declared.
    pub alpha: f64,
    /// Lines that were judged.
    pub lines: u64,
    /// The lines that failed.
    pub alarms: Vec<RuleVerdict>,
    /// Examples that the same model bytes answered differently: noise of the evaluation, which the gate has to bear.
    pub differing: u64,
}

impl SelfCheck {
    pub fn is_false_alarm(&self) -> bool {
        match self.verdict {
            Answer::Fail => true,
            Answer::Pass | Answer::Inconclusive | Answer::NoBaseline => false,
        }
    }
}

/// Judges measurements of one model against further ones of the same, in pairs, by what the policy says of changes.
/// None where no rule is about a change of what was measured.
///
/// The gate is not told that the models are the same: it would call every difference nondeterminism, and not
/// make the tests that a change has to pass. There is one look, so it is made with all of alpha.
pub fn self_check(policy: &Policy, twice: &[(Side, Side)]) -> Option<SelfCheck> {
    let blind = |side: &Side| Side { model: String::new(), ..side.clone() };
    let (heads, bases): (Vec<Side>, Vec<Side>) = twice.iter().map(|(head, base)| (blind(head), blind(base))).unzip();
    let rules: Vec<Rule> = policy.rules.iter().filter_map(|rule| about_change(rule, &heads)).collect();
    if rules.is_empty() {
        return None;
    }
    let defaults = Defaults { repetitions: 0, ..policy.defaults };
    let verdict = judge(&Policy { rules, defaults }, &heads, Some(&bases));
    let differing = heads.iter().zip(&bases).filter_map(|(head, base)| Some(flips::differing(&pair(head, base).ok()?)));
    Some(SelfCheck {
        verdict: verdict.verdict,
        alpha: defaults.alpha,
        lines: verdict.rules.len() as u64,
        differing: differing.sum(),
        alarms: verdict.rules.into_iter().filter(|rule| rule.verdict == Answer::Fail).collect(),
    })
}

/// The part of a rule that compares one measurement with another: fixed bounds and the branch's history say
/// nothing of two measurements.
fn about_change(rule: &Rule, sides: &[Side]) -> Option<Rule> {
    let metric = MetricRef::parse(&rule.metric).ok()?;
    let judges = match rule.test {
        TestChoice::Auto | TestChoice::Exact => sides.iter().any(|side| side.reports(metric)),
        TestChoice::History => false,
    };
    let change = |bound: &&Bound| match bound {
        Bound::MaxDrop(_) | Bound::MaxIncrease(_) => true,
        Bound::Min(_) | Bound::Max(_) => false,
    };
    let bounds: Vec<Bound> = rule.bounds.iter().filter(change).cloned().collect();
    (judges && !bounds.is_empty()).then(|| Rule { bounds, ..rule.clone() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::gate::Example;

    fn policy(rules: &[(&str, &[(&str, &str)])]) -> Policy {
        let owned = |fields: &[(&str, &str)]| -> Vec<(String, String)> {
            fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let rules = rules.iter().map(|(metric, fields)| Policy::rule(metric, &owned(fields)).unwrap()).collect();
        Policy { rules, defaults: Defaults::default() }
    }

    /// 1,000 examples, of which these are wrong.
    fn measured(wrong: std::ops::Range<usize>) -> Side {
        let example = |id: usize| Example {
            id: id.to_string(),
            target: "7".to_owned(),
            prediction: if wrong.contains(&id) { "1" } else { "7" }.to_owned(),
            values: BTreeMap::from([("accuracy".to_owned(), if wrong.contains(&id) { 0.0 } else { 1.0 })]),
            ..Example::default()
        };
        Side {
            name: "eval".to_owned(),
            model: "sha256:same".to_owned(),
            metrics: BTreeMap::from([("accuracy".to_owned(), 1.0 - wrong.len() as f64 / 1000.0)]),
            examples: (0..1000).map(example).collect(),
            ..Side::default()
        }
    }

    #[test]
    fn a_share_of_the_commits_is_chosen_and_always_the_same_ones() {
        let commits: Vec<String> = (0..20_000u32).map(|n| format!("{n:08x}").repeat(5)).collect();
        for share in [0.0, 0.01, 0.3, 1.0] {
            let chosen = || commits.iter().filter(|commit| is_chosen(share, commit)).collect::<Vec<_>>();
            let rate = chosen().len() as f64 / commits.len() as f64;
            assert!((rate - share).abs() <= 4.0 * (share * (1.0 - share) / 20_000.0).sqrt(), "{rate} for {share}");
            assert_eq!(chosen(), chosen());
        }
    }

    #[test]
    fn the_same_answers_twice_are_no_alarm() {
        let policy = policy(&[("accuracy", &[("max-drop", "0pp")])]);
        let check = self_check(&policy, &[(measured(0..50), measured(0..50))]).unwrap();
        assert_eq!((check.verdict, check.differing, check.lines), (Answer::Pass, 0, 1));
        assert!(!check.is_false_alarm());
    }

    #[test]
    fn noise_is_judged_as_a_change_would_be_although_the_model_is_the_same() {
        let policy = policy(&[("accuracy", &[("max-drop", "0pp"), ("min", "0.99")])]);
        let check = self_check(&policy, &[(measured(0..90), measured(0..50))]).unwrap();
        assert!(check.is_false_alarm());
        assert_eq!((check.differing, check.alarms.len()), (40, 1));
        // What the base does not reach is no false alarm.
        assert_eq!(check.alarms[0].allowed, "max-drop: 0pp");
    }

    #[test]
    fn rules_that_compare_no_two_measurements_are_left_out() {
        let twice = [(measured(0..50), measured(0..50))];
        for rule in [
            ("accuracy", &[("min", "0.99")][..]),
            ("accuracy", &[("max-drop", "0.3"), ("test", "history")]),
            ("bleu", &[("max-drop", "0.3")]),
            ("other/accuracy", &[("max-drop", "1pp")]),
        ] {
            assert_eq!(self_check(&policy(&[rule]), &twice), None, "{rule:?}");
        }
        assert_eq!(self_check(&policy(&[("accuracy", &[("max-drop", "1pp")])]), &[]), None);
    }
}
