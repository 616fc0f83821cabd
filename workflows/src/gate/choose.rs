//! Which test fits the data, and what it finds.

use super::{
    Amount, Answer, Bound, Defaults, Side, TestChoice,
    classification::{Cells, ClassMetric},
    comparison::Comparison,
    contributions::{Groups, contributions, groups},
    flips::differing,
    metric::{MetricRef, is_exact},
    pairing::{Mismatch, Pair},
    scored::{Scored, ScoredMetric},
    stats::{
        bootstrap::{self, Distribution, Plan, Stratum},
        history::{self, excess},
        paired_t,
        tango::PairedCounts,
    },
};

/// Resamples of a bootstrap, and its seed: a verdict repeats exactly.
const RESAMPLES: usize = 10_000;
const SEED: u64 = 0x00a5_5a70;

/// A change bound put to one evaluation and its baseline.
pub(super) struct Question<'a> {
    pub(super) metric: MetricRef<'a>,
    pub(super) bound: Bound,
    pub(super) test: TestChoice,
    pub(super) defaults: &'a Defaults,
    pub(super) head: &'a Side,
    pub(super) base: &'a Side,
    /// All examples of both; a slice is cut out here.
    pub(super) pairs: Result<&'a [Pair<'a>], &'a Mismatch>,
}

/// Skewness of a mean, g₁/√n, above which its bounds come from BCa instead of t.
const MOST_SKEW: f64 = 0.1;

/// What was found; `d` is counted positive for the worse.
pub(super) enum Finding {
    Compared {
        comparison: Comparison,
        values: Values,
        margin: f64,
    },
    /// The numbers have no sampling error.
    Exact {
        values: Values,
        margin: f64,
    },
    /// Not one example differs.
    Identical {
        values: Values,
        n: u64,
    },
    /// The same model bytes gave other answers.
    Nondeterministic {
        values: Values,
        n: u64,
        differing: u64,
    },
    /// There is no test to be made.
    Open {
        answer: Answer,
        values: Option<Values>,
        reason: String,
    },
}

/// The metric's value on both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Values {
    pub(super) head: f64,
    pub(super) base: f64,
}

/// −1 where a drop is bad, 1 where an increase is: `d` is this times head − base.
pub(super) fn sign(bound: &Bound) -> f64 {
    match bound {
        Bound::MaxDrop(_) | Bound::Min(_) => -1.0,
        Bound::MaxIncrease(_) | Bound::Max(_) => 1.0,
    }
}

impl Question<'_> {
    pub(super) fn answer(&self) -> Finding {
        let reported = match self.reported() {
            Ok(values) => values,
            Err(finding) => return finding,
        };
        if is_exact(self.metric.name) || self.test == TestChoice::Exact {
            return Finding::Exact { values: reported, margin: self.margin(reported.base) };
        }
        if self.test == TestChoice::History {
            return self.against_history(reported);
        }
        if self.metric.slice.is_none()
            && let (Some(head), Some(base)) =
                (self.head.blocks.get(self.metric.name), self.base.blocks.get(self.metric.name))
        {
            return self.of_blocks(head, base, reported);
        }
        let pairs = match self.pairs {
            Ok(pairs) => pairs,
            Err(Mismatch::Head(reason)) => return open(Answer::Fail, reported, reason.clone()),
            Err(Mismatch::Base(reason)) => return open(Answer::NoBaseline, reported, reason.clone()),
        };
        let of_slice: Vec<Pair<'_>>;
        let pairs = match self.metric.slice {
            None => pairs,
            Some(slice) => {
                of_slice = pairs.iter().filter(|pair| pair.base.slice.as_deref() == Some(slice)).copied().collect();
                &of_slice
            }
        };
        let n = pairs.len() as u64;
        let same_model = !self.head.model.is_empty() && self.head.model == self.base.model;
        if pairs.is_empty() {
            if same_model && reported.head == reported.base {
                return Finding::Identical { values: reported, n };
            }
            // Only a benchmark says how long each query took.
            if !self.head.samples.is_empty() {
                let reason = "a benchmark is compared with the base's only where both were timed in turns, and the base \
                              was not: it has no such model (a step makes it, or it is new), or it could not be timed";
                return open(Answer::NoBaseline, reported, reason.to_owned());
            }
            let reason = "a single number does not say how much it varies: keep outcomes for each example, or judge it \
                          against the branch's history (`test: history`)";
            return open(Answer::Inconclusive, reported, reason.to_owned());
        }
        let differing = differing(pairs);
        if same_model && differing > 0 {
            return Finding::Nondeterministic { values: reported, n, differing };
        }
        if differing == 0 {
            return Finding::Identical { values: reported, n };
        }
        self.compare(pairs, reported)
    }

    /// Both reported values, both finite.
    #[expect(clippy::result_large_err, reason = "the finding is the answer, made once for a rule")]
    fn reported(&self) -> Result<Values, Finding> {
        let head = self.head.value(self.metric);
        let base = self.base.value(self.metric);
        let open = |answer, reason: &str| Finding::Open { answer, values: None, reason: reason.to_owned() };
        match (head, base) {
            (Some(head), _) if !head.is_finite() => Err(open(Answer::Fail, "the head's value is not a finite number")),
            (None, _) => Err(open(Answer::Fail, "the head does not report it")),
            (Some(_), None) => Err(open(Answer::NoBaseline, "the base does not report it")),
            (Some(_), Some(base)) if !base.is_finite() => {
                Err(open(Answer::NoBaseline, "the base's value is not a finite number"))
            }
            (Some(head), Some(base)) => Ok(Values { head, base }),
        }
    }

    pub(super) fn margin(&self, base: f64) -> f64 {
        let amount: Amount = self.bound.amount();
        amount.in_metric_unit(base)
    }

    fn against_history(&self, reported: Values) -> Finding {
        let name = self.metric.name;
        let earlier = self.base.history.get(name).map_or(&[][..], Vec::as_slice);
        match excess(earlier, reported.head, sign(&self.bound)) {
            Some(excess) => {
                let margin = self.margin(reported.base);
                let comparison = Comparison::of_history(&excess, margin, self.defaults.alpha);
                Finding::Compared { comparison, values: reported, margin }
            }
            None => {
                let (has, fewest) = (earlier.len(), history::FEWEST);
                let reason = format!("the base branch's history has {has} values of `{name}`, and {fewest} are needed");
                open(Answer::NoBaseline, reported, reason)
            }
        }
    }

    fn compare(&self, pairs: &[Pair<'_>], reported: Values) -> Finding {
        let name = self.metric.name;
        let groups = groups(pairs);
        if let Some(contributions) = contributions(name, pairs) {
            if let Some(pair) = contributions.iter().position(|(head, base)| !head.is_finite() || !base.is_finite()) {
                let (head, _) = contributions[pair];
                let (answer, side) =
                    if head.is_finite() { (Answer::NoBaseline, "base") } else { (Answer::Fail, "head") };
                let reason = format!("the {side}'s {name} of example `{}` is not a finite number", pairs[pair].head.id);
                return open(answer, reported, reason);
            }
            let mean = |side: fn(&(f64, f64)) -> f64| contributions.iter().map(side).sum::<f64>() / pairs.len() as f64;
            let values = Values { head: mean(|(head, _)| *head), base: mean(|(_, base)| *base) };
            if near(values.head, reported.head) && near(values.base, reported.base) {
                // Other scores or other wrong answers are no discordant example of this metric.
                if contributions.iter().all(|(head, base)| head == base) {
                    return Finding::Identical { values, n: pairs.len() as u64 };
                }
                let margin = self.margin(values.base);
                let comparison = self.of_contributions(&contributions, groups.as_ref(), margin);
                return match comparison {
                    Some(comparison) => Finding::Compared { comparison, values, margin },
                    None => open(Answer::Inconclusive, values, too_few(groups.is_some())),
                };
            }
        }
        if let Some(metric) = ClassMetric::by_name(name) {
            if pairs.iter().all(|pair| pair.head.prediction == pair.base.prediction) {
                return Finding::Identical { values: reported, n: pairs.len() as u64 };
            }
            let cells = Cells::new(pairs);
            let plan = cells.plan(groups.as_ref().map(|g| g.of_pair.as_slice()), RESAMPLES, SEED);
            return self.resample(&plan, pairs.len(), |counts| {
                let (base, head) = cells.values(metric, counts);
                Values { head, base }
            });
        }
        if let Some(metric) = ScoredMetric::by_name(name)
            && let Some(scored) = Scored::new(metric, pairs, reported)
        {
            let plan = scored.plan(groups.as_ref().map(|g| g.of_pair.as_slice()), SEED);
            return self.resample(&plan, pairs.len(), |counts| scored.values(counts));
        }
        let reason =
            format!("the outcomes hold no `{name}` for each example, and it is not known how to compute it anew");
        open(Answer::Inconclusive, reported, reason)
    }

    /// A metric of all examples at once, by the paired bootstrap.
    fn resample(&self, plan: &Plan, n: usize, values_of: impl Fn(&[u32]) -> Values + Sync) -> Finding {
        let values = values_of(&bootstrap::observed(plan));
        let margin = self.margin(values.base);
        let sign = sign(&self.bound);
        let resampled = bootstrap::run(plan, |counts| {
            let values = values_of(counts);
            sign * (values.head - values.base)
        });
        let test = if plan.clusters.is_some() { "bootstrap-cluster" } else { "bootstrap-bca" };
        let comparison = Comparison::of_bootstrap(test, &resampled, n as u64, margin, self.defaults.alpha);
        Finding::Compared { comparison, values, margin }
    }

    /// A metric that is a mean over examples; none where there are too few to say anything.
    fn of_contributions(
        &self,
        contributions: &[(f64, f64)],
        groups: Option<&Groups>,
        margin: f64,
    ) -> Option<Comparison> {
        let alpha = self.defaults.alpha;
        let sign = sign(&self.bound);
        let differences = || contributions.iter().map(|(head, base)| sign * (head - base)).collect::<Vec<f64>>();
        let binary = contributions.iter().all(|(head, base)| is_binary(*head) && is_binary(*base));
        let count = |change: f64| contributions.iter().filter(|(head, base)| sign * (head - base) == change).count();
        let counts =
            PairedCounts { worse: count(1.0) as u64, better: count(-1.0) as u64, n: contributions.len() as u64 };
        if let Some(groups) = groups {
            let mean = paired_t::clustered(&differences(), &groups.of_pair, groups.count)?;
            let mut comparison = Comparison::of_mean("paired-t-cluster", &mean, margin, alpha);
            if binary {
                comparison.discordant = Some(super::Discordant { worse: counts.worse, better: counts.better });
            }
            return Some(comparison);
        }
        if binary {
            return Some(Comparison::of_counts(counts, margin, alpha));
        }
        let mean = paired_t::independent(&differences())?;
        // Where the mean itself is still skewed, t's bounds are off on one side.
        let skewed = mean.skewness.abs() > MOST_SKEW * (mean.n as f64).sqrt();
        if skewed && (20..=10_000).contains(&mean.n) {
            let resampled = resampled_mean(&differences());
            return Some(Comparison::of_bootstrap("bootstrap-bca", &resampled, mean.n as u64, margin, alpha));
        }
        Some(Comparison::of_mean("paired-t", &mean, margin, alpha))
    }
}

pub(super) fn open(answer: Answer, values: Values, reason: String) -> Finding {
    Finding::Open { answer, values: Some(values), reason }
}

fn too_few(grouped: bool) -> String {
    let what = if grouped { "groups" } else { "examples" };
    format!("fewer than two {what} cannot say how much the change varies")
}

fn resampled_mean(differences: &[f64]) -> Distribution {
    let n = differences.len();
    let strata = vec![Stratum { cells: (0..n as u32).collect() }];
    let plan = Plan { cell_count: n, strata, clusters: None, resamples: RESAMPLES, threads: 2, seed: SEED };
    bootstrap::run(&plan, |counts| {
        let (mut sum, mut drawn) = (0.0, 0.0);
        for (difference, count) in differences.iter().zip(counts) {
            sum += difference * f64::from(*count);
            drawn += f64::from(*count);
        }
        sum / drawn
    })
}

fn is_binary(value: f64) -> bool {
    value == 0.0 || value == 1.0
}

/// Whether a recomputed number is the reported one but for rounding.
fn near(recomputed: f64, reported: f64) -> bool {
    (recomputed - reported).abs() <= 1e-6 * reported.abs().max(1.0)
}
