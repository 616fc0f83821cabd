//! The policy, rule by rule, put to the evaluations.

use std::collections::BTreeSet;

use super::{
    Answer, Bound, Correction, Discordant, Nondeterminism, Policy, Rule, RuleVerdict, Side, Verdict,
    choose::{Finding, Question, Values, sign},
    comparison::Comparison,
    flips,
    metric::MetricRef,
    pairing::{Mismatch, Pair, pair},
    stats::{multiple, quantile},
    wording::Line,
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

/// One evaluation of the head with its baseline, paired once for all rules.
struct Evaluated<'a> {
    head: &'a Side,
    /// The base's side, or why there is none.
    base: Result<&'a Side, String>,
    pairs: Result<Vec<Pair<'a>>, Mismatch>,
    /// Why the two are not comparable, where they are not.
    unlike: Option<String>,
}

impl<'a> Evaluated<'a> {
    fn new(head: &'a Side, base: Option<&'a [Side]>) -> Self {
        let base = match base {
            None => Err("there is no baseline".to_owned()),
            Some(sides) => sides
                .iter()
                .find(|side| side.name == head.name && side.job == head.job)
                .or_else(|| sides.iter().find(|side| side.name == head.name))
                .ok_or_else(|| format!("the base has no evaluation named `{}`", head.name)),
        };
        let pairs = match &base {
            Ok(base) => pair(head, base),
            Err(reason) => Err(Mismatch::Base(reason.clone())),
        };
        let unlike = base.as_ref().ok().and_then(|base| unlike(head, base));
        Self { head, base, pairs, unlike }
    }

    fn tell_flips(&self, verdict: &mut Verdict) {
        let (Ok(base), Ok(pairs), None) = (&self.base, &self.pairs, &self.unlike) else { return };
        if !self.head.model.is_empty() && self.head.model == base.model {
            let examples = flips::differing(pairs);
            if examples > 0 {
                verdict.nondeterministic.push(Nondeterminism { evaluation: self.head.name.clone(), examples });
            }
        }
        flips::collect(&self.head.name, pairs, &mut verdict.flips, &mut verdict.flipped);
    }
}

/// What must be equal and is not.
fn unlike(head: &Side, base: &Side) -> Option<String> {
    let keys: BTreeSet<&String> = head.like.keys().chain(base.like.keys()).collect();
    let differing: Vec<String> = keys
        .into_iter()
        .filter(|key| head.like.get(*key) != base.like.get(*key))
        .map(|key| {
            let of = |side: &Side| side.like.get(key).map_or("none".to_owned(), |text| text.chars().take(80).collect());
            format!("{key} is {} on the head and {} on the base", of(head), of(base))
        })
        .collect();
    (!differing.is_empty()).then(|| format!("head and base are not comparable: {}", differing.join("; ")))
}

/// A line whose answer may still wait for the family's correction.
struct Draft {
    line: RuleVerdict,
    bound: Bound,
    open: Option<Open>,
    family: usize,
}

/// A claim that is decided with its family.
enum Open {
    Change {
        comparison: Comparison,
        values: Values,
        margin: f64,
    },
    /// `over` of the measurements are above the limit of the `q`-quantile.
    Quantile {
        p_worse: f64,
        p_fine: f64,
        over: u64,
        q: f64,
        limit: f64,
    },
}

impl Open {
    fn p_worse(&self) -> f64 {
        match self {
            Open::Change { comparison, .. } => comparison.p_worse,
            Open::Quantile { p_worse, .. } => *p_worse,
        }
    }
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

fn unknown(rule: &Rule, bound: &Bound, reason: String) -> Draft {
    let line = RuleVerdict { verdict: Answer::Fail, reason, ..blank(rule, bound, "") };
    Draft { line, bound: bound.clone(), open: None, family: 0 }
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

fn blank(rule: &Rule, bound: &Bound, evaluation: &str) -> RuleVerdict {
    RuleVerdict {
        metric: rule.metric.clone(),
        evaluation: evaluation.to_owned(),
        allowed: bound.to_string(),
        head: None,
        base: None,
        change: None,
        interval: None,
        test: "none".to_owned(),
        p: None,
        p_adjusted: None,
        n: 0,
        discordant: None,
        detectable: None,
        needed: None,
        line: rule.line,
        verdict: Answer::Inconclusive,
        reason: String::new(),
    }
}

fn draft(policy: &Policy, rule: &Rule, metric: MetricRef<'_>, bound: &Bound, evaluated: &Evaluated<'_>) -> Draft {
    let head = evaluated.head;
    let mut draft = Draft { line: blank(rule, bound, &head.name), bound: bound.clone(), open: None, family: 0 };
    draft.line.head = head.value(metric).filter(|value| value.is_finite());
    let base_value = evaluated.base.as_ref().ok().and_then(|base| base.value(metric));
    draft.line.base = base_value.filter(|value| value.is_finite());
    draft.line.change = draft.line.head.zip(draft.line.base).map(|(head, base)| head - base);
    match bound {
        Bound::Min(_) | Bound::Max(_) => {
            let samples = super::metric::quantile_of(metric.name)
                .and_then(|(of, q)| Some((head.samples.get(of)?.as_slice(), q)))
                .filter(|(samples, _)| !samples.is_empty());
            draft.judge_absolute(policy, samples)
        }
        Bound::MaxDrop(_) | Bound::MaxIncrease(_) => {
            let base = match (&evaluated.base, &evaluated.unlike) {
                (Err(reason), _) => return draft.answered(Answer::NoBaseline, reason.clone()),
                (Ok(_), Some(reason)) if !super::metric::is_exact(metric.name) => {
                    return draft.answered(Answer::NoBaseline, reason.clone());
                }
                (Ok(base), _) => base,
            };
            let question = Question {
                metric,
                bound: bound.clone(),
                test: rule.test,
                defaults: &policy.defaults,
                head,
                base,
                pairs: evaluated.pairs.as_deref(),
            };
            draft.judge_change(policy, question.answer())
        }
    }
}

impl Draft {
    fn answered(mut self, answer: Answer, reason: String) -> Self {
        self.line.verdict = answer;
        self.line.reason = reason;
        self
    }

    /// The value as measured on this data set against a fixed number; a latency's quantile by the
    /// number of measurements above it.
    fn judge_absolute(mut self, policy: &Policy, samples: Option<(&[f64], f64)>) -> Self {
        if let Some((samples, q)) = samples
            && let Bound::Max(limit) = self.bound
        {
            return self.judge_quantile(samples, q, limit.in_metric_unit(0.0));
        }
        self.line.test = "bound".to_owned();
        let Some(value) = self.line.head else {
            return self.answered(Answer::Fail, "the head's value is not a finite number".to_owned());
        };
        let limit = self.bound.amount().in_metric_unit(0.0);
        let holds = sign(&self.bound) * (value - limit) <= 0.0;
        let reason = self.wording(policy).bound(value, limit, holds);
        self.answered(if holds { Answer::Pass } else { Answer::Fail }, reason)
    }

    fn judge_quantile(mut self, samples: &[f64], q: f64, limit: f64) -> Self {
        self.line.test = "quantile-bound".to_owned();
        if samples.iter().any(|sample| !sample.is_finite()) {
            return self.answered(Answer::Fail, "a measurement is not a finite number".to_owned());
        }
        let n = samples.len() as u64;
        let over = samples.iter().filter(|sample| **sample > limit).count() as u64;
        let (p_worse, p_fine) = quantile::p_values(over, n, q);
        self.line.n = n;
        self.line.p = Some(p_worse);
        // The interval of a line is that of a change; where there is a limit alone the counts say it all.
        self.open = Some(Open::Quantile { p_worse, p_fine, over, q, limit });
        self
    }

    fn judge_change(mut self, policy: &Policy, finding: Finding) -> Self {
        match finding {
            Finding::Compared { comparison, values, margin } => {
                self.set_values(values);
                let defaults = &policy.defaults;
                self.line.test = comparison.test.to_owned();
                self.line.p = Some(comparison.p_worse);
                self.line.n = comparison.n;
                self.line.discordant = comparison.discordant;
                self.line.detectable = comparison.detectable(margin, defaults.alpha, defaults.power);
                let (low, high) = match sign(&self.bound) < 0.0 {
                    true => (-comparison.upper, -comparison.lower),
                    false => (comparison.lower, comparison.upper),
                };
                // JSON has no infinity: what bounds nothing is no interval.
                self.line.interval = (low.is_finite() && high.is_finite()).then_some((low, high));
                self.open = Some(Open::Change { comparison, values, margin });
                self
            }
            Finding::Exact { values, margin } => {
                self.set_values(values);
                self.line.test = "exact".to_owned();
                let holds = sign(&self.bound) * (values.head - values.base) <= margin;
                let reason = self.wording(policy).exact(values, margin);
                self.answered(if holds { Answer::Pass } else { Answer::Fail }, reason)
            }
            Finding::Identical { values, n } => {
                self.set_values(values);
                self.line.test = "identical".to_owned();
                self.line.n = n;
                self.line.discordant = Some(Discordant::default());
                let reason = self.wording(policy).identical(values, n);
                self.answered(Answer::Pass, reason)
            }
            Finding::Nondeterministic { values, n, differing } => {
                self.set_values(values);
                self.line.test = "nondeterministic".to_owned();
                self.line.n = n;
                let reason = self.wording(policy).nondeterministic(differing, n);
                self.answered(Answer::Inconclusive, reason)
            }
            Finding::Open { answer, values, reason } => {
                if let Some(values) = values {
                    self.set_values(values);
                }
                self.answered(answer, reason)
            }
        }
    }

    fn set_values(&mut self, values: Values) {
        self.line.head = Some(values.head);
        self.line.base = Some(values.base);
        self.line.change = Some(values.head - values.base);
    }

    fn wording(&self, policy: &Policy) -> Line<'_> {
        Line { metric: &self.line.metric, bound: &self.bound, alpha: policy.defaults.alpha, family: self.family }
    }

    /// The three answers, now that the corrected p-value is known.
    fn finish(mut self, policy: &Policy) -> RuleVerdict {
        let Some(open) = self.open.take() else { return self.line };
        let defaults = &policy.defaults;
        let p_adjusted = self.line.p_adjusted.unwrap_or(open.p_worse());
        match open {
            Open::Change { comparison, values, margin } => {
                let answer = Comparison::decide(p_adjusted, comparison.p_fine, defaults.alpha);
                if answer == Answer::Inconclusive {
                    self.line.needed = comparison.needed(margin, defaults.alpha, defaults.power);
                }
                self.line.verdict = answer;
                self.line.reason = self.wording(policy).compared(&comparison, values, margin, answer, self.line.needed);
            }
            Open::Quantile { p_fine, over, q, limit, .. } => {
                let answer = Comparison::decide(p_adjusted, p_fine, defaults.alpha);
                let needed = quantile::needed(over, q, defaults.alpha);
                // With too large a share above the limit, more measurements would not help.
                let would_help = (over as f64) < (1.0 - q) * self.line.n as f64;
                if answer == Answer::Inconclusive && needed > self.line.n && would_help {
                    self.line.needed = Some(needed);
                }
                self.line.verdict = answer;
                self.line.reason = self.wording(policy).quantile(answer, over, self.line.n, q, limit, self.line.needed);
            }
        }
        self.line
    }
}

/// Corrects the failing claims over all lines on which a test was made. Lines without a discordant
/// example cannot be claimed to fail at all, so they do not count (Tarone 1990, "A modified Bonferroni
/// method for discrete data").
fn correct(policy: &Policy, lines: &mut [Draft]) {
    let p_values: Vec<f64> = lines.iter().filter_map(|draft| Some(draft.open.as_ref()?.p_worse())).collect();
    let adjusted = match policy.defaults.correction {
        Correction::Holm => multiple::holm(&p_values),
        Correction::BenjaminiHochberg => multiple::benjamini_hochberg(&p_values),
    };
    let open = lines.iter_mut().filter(|draft| draft.open.is_some());
    for (draft, adjusted) in open.zip(adjusted) {
        draft.line.p_adjusted = Some(adjusted);
        draft.family = p_values.len();
    }
}
