//! A line of the verdict in the making: judged alone, then with its family.

use super::{
    Answer, Bound, Correction, Discordant, Policy, Rule, RuleVerdict,
    choose::{Finding, Question, Values, sign},
    comparison::Comparison,
    evaluated::Evaluated,
    metric::{self, MetricRef},
    stats::{multiple, quantile},
    wording::Line,
};

/// A line whose answer may still wait for the family's correction.
pub(super) struct Draft {
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

/// A rule that cannot be put to any evaluation.
pub(super) fn unknown(rule: &Rule, bound: &Bound, reason: String) -> Draft {
    let line = RuleVerdict { verdict: Answer::Fail, reason, ..blank(rule, bound, "") };
    Draft { line, bound: bound.clone(), open: None, family: 0 }
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

pub(super) fn draft(
    policy: &Policy,
    rule: &Rule,
    metric: MetricRef<'_>,
    bound: &Bound,
    evaluated: &Evaluated<'_>,
) -> Draft {
    let head = evaluated.head;
    let mut draft = Draft { line: blank(rule, bound, &head.name), bound: bound.clone(), open: None, family: 0 };
    draft.line.head = head.value(metric).filter(|value| value.is_finite());
    let base_value = evaluated.base.as_ref().ok().and_then(|base| base.value(metric));
    draft.line.base = base_value.filter(|value| value.is_finite());
    draft.line.change = draft.line.head.zip(draft.line.base).map(|(head, base)| head - base);
    match bound {
        Bound::Min(_) | Bound::Max(_) => {
            let samples = metric::quantile_of(metric.name)
                .and_then(|(of, q)| Some((head.samples.get(of)?.as_slice(), q)))
                .filter(|(samples, _)| !samples.is_empty());
            draft.judge_absolute(policy, samples)
        }
        Bound::MaxDrop(_) | Bound::MaxIncrease(_) => {
            let base = match (&evaluated.base, &evaluated.unlike) {
                (Err(reason), _) => return draft.answered(Answer::NoBaseline, reason.clone()),
                (Ok(_), Some(reason)) if !metric::is_exact(metric.name) => {
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
            return self.judge_quantile(policy, samples, q, limit.in_metric_unit(0.0));
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

    fn judge_quantile(mut self, policy: &Policy, samples: &[f64], q: f64, limit: f64) -> Self {
        self.line.test = "quantile-bound".to_owned();
        if samples.iter().any(|sample| !sample.is_finite()) {
            return self.answered(Answer::Fail, "a measurement is not a finite number".to_owned());
        }
        let n = samples.len() as u64;
        let over = samples.iter().filter(|sample| **sample > limit).count() as u64;
        // A repetition measures them anew.
        let (p_worse, p_fine) = policy.defaults.over_looks(quantile::p_values(over, n, q));
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
                self.line.detectable = comparison.detectable(margin, defaults.power);
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
    pub(super) fn finish(mut self, policy: &Policy) -> RuleVerdict {
        let Some(open) = self.open.take() else { return self.line };
        let defaults = &policy.defaults;
        let p_adjusted = self.line.p_adjusted.unwrap_or(open.p_worse());
        match open {
            Open::Change { comparison, values, margin } => {
                let answer = Comparison::decide(p_adjusted, comparison.p_fine, defaults.alpha);
                if answer == Answer::Inconclusive {
                    self.line.needed = comparison.needed(margin, defaults.power);
                }
                self.line.verdict = answer;
                self.line.reason = self.wording(policy).compared(&comparison, values, margin, answer, self.line.needed);
            }
            Open::Quantile { p_fine, over, q, limit, .. } => {
                let answer = Comparison::decide(p_adjusted, p_fine, defaults.alpha);
                let needed = quantile::needed(over, q, defaults.alpha_of_a_look());
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
pub(super) fn correct(policy: &Policy, lines: &mut [Draft]) {
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
