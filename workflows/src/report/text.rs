//! Sentences and cells that all reports share.

use crate::gate::{Answer, RuleVerdict, Verdict, number};

use super::{Context, Setting, limits::shorten};

/// The verdict in words that a non-specialist understands; one sentence.
pub(super) fn headline(verdict: &Verdict) -> String {
    let of = |answer: Answer| verdict.rules.iter().filter(move |rule| rule.verdict == answer);
    let total = verdict.rules.len();
    match verdict.verdict {
        Answer::Fail => {
            let failed = of(Answer::Fail).count();
            let names = list(of(Answer::Fail).map(in_short));
            match (total, failed) {
                (1, _) => format!("Failed: {names}."),
                _ => format!("Failed: {failed} of {total} rules are broken: {names}."),
            }
        }
        Answer::Pass if total == 0 => "Passed: the gate has no rules.".to_owned(),
        Answer::Pass if verdict.rules.iter().all(|rule| rule.test == "identical") => {
            "Passed: nothing changed; every example gets the same answer as before.".to_owned()
        }
        Answer::Pass if total == 1 => format!("Passed: {}.", verdict.rules.first().map(in_short).unwrap_or_default()),
        Answer::Pass => format!("Passed: all {total} rules hold; nothing got worse than allowed."),
        Answer::Inconclusive if !verdict.nondeterministic.is_empty() => {
            "Cannot tell: the same model gives different answers from one evaluation to the next.".to_owned()
        }
        Answer::Inconclusive => {
            let names = list(of(Answer::Inconclusive).map(|rule| format!("`{}`", rule.metric)));
            format!("Cannot tell: the data do not say whether {names} got worse than allowed.")
        }
        Answer::NoBaseline => {
            let names = list(of(Answer::NoBaseline).map(|rule| format!("`{}`", rule.metric)));
            format!("No baseline: there is nothing comparable to judge {names} against.")
        }
    }
}

/// `accuracy −5.00 pp (max-drop: 0.5pp)`, or the value where there is no change to tell.
fn in_short(rule: &RuleVerdict) -> String {
    let metric = format!("`{}`", rule.metric);
    match (rule.change, rule.head) {
        _ if rule.test == "none" => format!("{metric}: {}", shorten(&rule.reason, 120)),
        (Some(change), _) if rule.test != "bound" => {
            format!("{metric} {} ({})", number::change(&rule.metric, change), rule.allowed)
        }
        (_, Some(head)) => format!("{metric} is {} ({})", number::value(&rule.metric, head), rule.allowed),
        (_, None) => format!("{metric} has no value ({})", rule.allowed),
    }
}

/// At most four, and how many more.
fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    let shown = names.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 4 { format!("{shown} and {} more", names.len() - 4) } else { shown }
}

pub(super) fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Pass => "pass",
        Answer::Fail => "fail",
        Answer::Inconclusive => "cannot tell",
        Answer::NoBaseline => "no baseline",
    }
}

/// The cells of a rule's row: metric, base, head, change, interval, allowed.
pub(super) fn cells(rule: &RuleVerdict, several: bool) -> [String; 6] {
    let none = || "–".to_owned();
    let value = |x: Option<f64>| x.map_or_else(none, |x| number::value(&rule.metric, x));
    let metric = match several && !rule.evaluation.is_empty() {
        true => format!("{} ({})", rule.metric, rule.evaluation),
        false => rule.metric.clone(),
    };
    let interval = rule.interval.map_or_else(none, |(low, high)| {
        format!("{} … {}", number::change(&rule.metric, low), number::change(&rule.metric, high))
    });
    let change = rule.change.map_or_else(none, |x| number::change(&rule.metric, x));
    [metric, value(rule.base), value(rule.head), change, interval, rule.allowed.clone()]
}

/// A line's reason as a sentence that names its metric once.
pub(super) fn reason(rule: &RuleVerdict) -> String {
    match rule.reason.strip_prefix(&rule.metric).is_some_and(|rest| rest.starts_with(' ')) {
        true => rule.reason.clone(),
        false => format!("{}: {}", rule.metric, rule.reason),
    }
}

/// How a line was judged: test, n, discordant pairs, p alone and corrected, detectable; none where there is none.
pub(super) fn judged(rule: &RuleVerdict) -> [Option<String>; 6] {
    let p = |p: Option<f64>| p.map(|p| number::digits(p, 2));
    [
        (rule.test != "none").then(|| rule.test.clone()),
        (rule.n > 0).then(|| number::thousands(rule.n)),
        rule.discordant.map(|d| format!("{} / {}", number::thousands(d.worse), number::thousands(d.better))),
        p(rule.p),
        p(rule.p_adjusted),
        rule.detectable.map(|size| number::size(&rule.metric, size)),
    ]
}

/// Whether lines are about more than one evaluation, so that each must say which.
pub(super) fn several_evaluations(verdict: &Verdict) -> bool {
    let mut names = verdict.rules.iter().map(|rule| rule.evaluation.as_str()).filter(|name| !name.is_empty());
    let first = names.next();
    names.any(|name| Some(name) != first)
}

/// What the reader can do about it.
pub(super) fn next_steps(verdict: &Verdict, context: &Context) -> Vec<String> {
    let mut steps = Vec::new();
    match verdict.verdict {
        Answer::Fail => {
            if verdict.rules.iter().any(|rule| rule.verdict == Answer::Fail && rule.test == "none") {
                steps.push("A rule could not be judged because of the head: mend the evaluation or the rule's name.".to_owned());
            }
            if verdict.flipped.worse > 0 {
                steps.push("Look at the examples that became wrong: they usually share a cause.".to_owned());
            }
            let ways = match context.setting {
                Setting::Offline => None,
                Setting::Page => Some("on the run's page or with `assay accept`"),
                Setting::PageAndButton => Some("on the run's page, with `assay accept` or by this check's button"),
            };
            if let (Some(ways), None) = (ways, &context.acceptance) {
                steps.push(format!(
                    "If the change is meant, a maintainer can accept it, with a reason, {ways}. Or allow it in the gate on the \
                     base branch first: a pull request is judged by the base's policy."
                ));
            }
        }
        Answer::Inconclusive => {
            let needed = verdict.rules.iter().filter(|rule| rule.verdict == Answer::Inconclusive).filter_map(|r| r.needed).max();
            if let Some(needed) = needed {
                steps.push(format!(
                    "Evaluate on more data: about {} samples would probably settle every open rule.",
                    number::thousands(number::round_up(needed))
                ));
            }
            if !verdict.nondeterministic.is_empty() {
                steps.push("Make the evaluation deterministic: fix seeds and threads, and avoid kernels that are not.".to_owned());
            }
            steps.push(match context.setting {
                Setting::Offline => "Or allow a larger change in the gate.".to_owned(),
                Setting::Page | Setting::PageAndButton => "Or allow a larger change in the gate, on the base branch.".to_owned(),
            });
        }
        Answer::NoBaseline => steps.push(match context.setting {
            Setting::Offline => "Compare outcomes of the same task on the same data set, which hold every metric of the rules.".to_owned(),
            Setting::Page | Setting::PageAndButton => {
                "Merge once with the gate in place, or let a job evaluate the base's model as well: then there is a baseline.".to_owned()
            }
        }),
        Answer::Pass => {}
    }
    if context.gate_changed {
        steps.push("This change also changes the gate. It was judged by the base branch's gate; the new one judges from its merge on.".to_owned());
    }
    steps
}

/// A verdict with one rule for each answer, for tests of reports.
#[cfg(test)]
pub(super) fn sample(answers: &[Answer]) -> Verdict {
    use crate::gate::{Discordant, Flip};
    let rules = answers
        .iter()
        .enumerate()
        .map(|(index, answer)| RuleVerdict {
            metric: ["accuracy", "f1_macro", "latency_p50", "model_bytes"][index % 4].to_owned(),
            evaluation: "eval".to_owned(),
            allowed: "max-drop: 0.5pp".to_owned(),
            head: Some(0.9),
            base: Some(0.95),
            change: Some(-0.05),
            interval: Some((-0.061, -0.039)),
            test: "tango".to_owned(),
            p: Some(0.0001),
            p_adjusted: Some(0.0002),
            n: 1000,
            discordant: Some(Discordant { worse: 60, better: 10 }),
            detectable: Some(0.012),
            needed: None,
            line: 12,
            verdict: *answer,
            reason: "accuracy fell from 0.9500 to 0.9000".to_owned(),
        })
        .collect();
    let overall = [Answer::Fail, Answer::Inconclusive, Answer::NoBaseline]
        .into_iter()
        .find(|answer| answers.contains(answer))
        .unwrap_or(Answer::Pass);
    let flip = |worse| Flip {
        evaluation: "eval".to_owned(),
        id: "img-7".to_owned(),
        target: "cat".to_owned(),
        base: "cat".to_owned(),
        head: "dog".to_owned(),
        worse,
    };
    Verdict {
        verdict: overall,
        rules,
        flips: vec![flip(true), flip(false)],
        flipped: Discordant { worse: 60, better: 10 },
        nondeterministic: Vec::new(),
    }
}
