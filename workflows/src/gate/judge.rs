//! The policy, rule by rule, put to the evaluations.

use std::collections::BTreeSet;

use super::{
    Answer, Bound, Discordant, Policy, Rule, RuleVerdict, Side, Verdict,
    draft::{Draft, correct, draft, unknown},
    evaluated::Evaluated,
    metric::MetricRef,
};

/// Judges head against base by a policy. `base` is none where no baseline exists.
///
/// Every bound of every rule gives one line for each evaluation that reports the metric.
pub fn judge(policy: &Policy, head: &[Side], base: Option<&[Side]>) -> Verdict {
    let evaluations: Vec<Evaluated<'_>> = head.iter().map(|side| Evaluated::new(side, base)).collect();
    let mut lines: Vec<Draft> = policy.rules.iter().flat_map(|rule| draft_rule(policy, rule, &evaluations)).collect();
    correct(policy, &mut lines);
    let rules: Vec<RuleVerdict> = lines.into_iter().map(|draft| draft.finish(policy)).collect();
    let mut verdict = Verdict {
        verdict: overall(&rules),
        rules,
        flips: Vec::new(),
        flipped: Discordant::default(),
        nondeterministic: Vec::new(),
    };
    for evaluated in &evaluations {
        evaluated.tell_flips(&mut verdict);
    }
    verdict
}

/// Worst first: what fails fails; what is open is not passed.
fn overall(rules: &[RuleVerdict]) -> Answer {
    let any = |answer| rules.iter().any(|rule| rule.verdict == answer);
    [Answer::Fail, Answer::Inconclusive, Answer::NoBaseline]
        .into_iter()
        .find(|answer| any(*answer))
        .unwrap_or(Answer::Pass)
}

fn draft_rule(policy: &Policy, rule: &Rule, evaluations: &[Evaluated<'_>]) -> Vec<Draft> {
    let metric = match MetricRef::parse(&rule.metric) {
        Ok(metric) => metric,
        Err(message) => return rule.bounds.iter().map(|bound| unknown(rule, bound, message.clone())).collect(),
    };
    let about: Vec<&Evaluated<'_>> = evaluations.iter().filter(|evaluated| evaluated.head.reports(metric)).collect();
    if about.is_empty() {
        let reason = nobody_reports(metric, evaluations);
        return rule.bounds.iter().map(|bound| unknown(rule, bound, reason.clone())).collect();
    }
    let each =
        |bound: &Bound| about.iter().map(|evaluated| draft(policy, rule, metric, bound, evaluated)).collect::<Vec<_>>();
    rule.bounds.iter().flat_map(each).collect()
}

/// The names that exist, so that the policy can be mended.
fn nobody_reports(metric: MetricRef<'_>, evaluations: &[Evaluated<'_>]) -> String {
    let names: BTreeSet<String> = evaluations
        .iter()
        .flat_map(|evaluated| {
            let slices = evaluated.head.slices.iter();
            let of_slices =
                slices.flat_map(|(slice, metrics)| metrics.keys().map(move |name| format!("{name}[slice={slice}]")));
            evaluated.head.metrics.keys().cloned().chain(of_slices)
        })
        .collect();
    let mut listed: Vec<&str> = names.iter().map(String::as_str).take(30).collect();
    if names.len() > listed.len() {
        listed.push("…");
    }
    let jobs: BTreeSet<&str> = evaluations.iter().map(|evaluated| evaluated.head.name.as_str()).collect();
    let wanted = match metric.slice {
        None => format!("`{}`", metric.name),
        Some(slice) => format!("`{}[slice={slice}]`", metric.name),
    };
    match metric.qualifier {
        _ if names.is_empty() => format!("no evaluation reports {wanted}; none reports any metric"),
        Some(qualifier) => format!(
            "no evaluation or job `{qualifier}` reports {wanted}; evaluations are {}, metrics are {}",
            jobs.into_iter().collect::<Vec<_>>().join(", "),
            listed.join(", ")
        ),
        None => format!("no evaluation reports {wanted}; there are {}", listed.join(", ")),
    }
}
