//! Metrics over all examples at once that are no mean and no function of a confusion table.

use super::{
    choose::Values,
    pairing::Pair,
    stats::bootstrap::{Plan, Stratum},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScoredMetric {
    /// √ of the mean squared error.
    Rmse,
    R2,
    /// Area under the ROC curve of a binary classifier: the probability that a positive example scores
    /// above a negative one, ties counting half.
    RocAuc,
}

impl ScoredMetric {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        match name {
            "rmse" | "root_mean_squared_error" => Some(Self::Rmse),
            "r2" => Some(Self::R2),
            "roc_auc" => Some(Self::RocAuc),
            _ => None,
        }
    }
}

/// One side's numbers, one an example, and the order of its scores.
struct Column {
    values: Vec<f64>,
    ascending: Vec<u32>,
}

/// Targets and what both sides said, as numbers.
pub(super) struct Scored {
    metric: ScoredMetric,
    /// The target; of a classifier 1 for positive and 0 for negative.
    target: Vec<f64>,
    base: Column,
    head: Column,
}

impl Scored {
    /// None where an example is not what the metric needs, or the numbers do not give the `reported` ones.
    pub(super) fn new(metric: ScoredMetric, pairs: &[Pair<'_>], reported: Values) -> Option<Self> {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs().max(1.0);
        // The score may be the positive class's or that of the class predicted: the one that fits is meant.
        [false, true].into_iter().filter_map(|of_prediction| Self::read(metric, pairs, of_prediction)).find(|scored| {
            let values = scored.values(&vec![1; pairs.len()]);
            near(values.head, reported.head) && near(values.base, reported.base)
        })
    }

    fn read(metric: ScoredMetric, pairs: &[Pair<'_>], of_prediction: bool) -> Option<Self> {
        let is_positive = |label: &str| match label {
            "1" | "true" | "True" | "positive" => Some(true),
            "0" | "-1" | "false" | "False" | "negative" => Some(false),
            _ => None,
        };
        let finite = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        let target = |pair: &Pair<'_>| match metric {
            ScoredMetric::Rmse | ScoredMetric::R2 => finite(&pair.base.target),
            ScoredMetric::RocAuc => is_positive(&pair.base.target).map(f64::from),
        };
        let number = |example: &super::Example| match metric {
            ScoredMetric::Rmse | ScoredMetric::R2 => finite(&example.prediction),
            ScoredMetric::RocAuc => {
                let score = example.score.filter(|score| score.is_finite())?;
                let negative = of_prediction && !is_positive(&example.prediction)?;
                Some(if negative { 1.0 - score } else { score })
            }
        };
        let column = |values: Vec<f64>| {
            let mut ascending: Vec<u32> = (0..values.len() as u32).collect();
            ascending.sort_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]));
            Column { values, ascending }
        };
        let target = pairs.iter().map(target).collect::<Option<Vec<f64>>>()?;
        let base = column(pairs.iter().map(|pair| number(pair.base)).collect::<Option<_>>()?);
        let head = column(pairs.iter().map(|pair| number(pair.head)).collect::<Option<_>>()?);
        Some(Self { metric, target, base, head })
    }

    /// The metric on both sides where example i occurs `counts[i]` times.
    pub(super) fn values(&self, counts: &[u32]) -> Values {
        Values { head: self.of(&self.head, counts), base: self.of(&self.base, counts) }
    }

    fn of(&self, column: &Column, counts: &[u32]) -> f64 {
        let total: f64 = counts.iter().map(|count| f64::from(*count)).sum();
        let sum = |f: &dyn Fn(usize) -> f64| counts.iter().enumerate().map(|(i, c)| f64::from(*c) * f(i)).sum::<f64>();
        let squared_error = || sum(&|i| (self.target[i] - column.values[i]).powi(2));
        match self.metric {
            ScoredMetric::Rmse => (squared_error() / total).sqrt(),
            ScoredMetric::R2 => {
                let mean = sum(&|i| self.target[i]) / total;
                let spread = sum(&|i| (self.target[i] - mean).powi(2));
                if spread > 0.0 { 1.0 - squared_error() / spread } else { 0.0 }
            }
            ScoredMetric::RocAuc => self.area(column, counts),
        }
    }

    fn area(&self, column: &Column, counts: &[u32]) -> f64 {
        let (mut negatives, mut positives, mut wins) = (0.0, 0.0, 0.0);
        let mut at = 0;
        let order = &column.ascending;
        while at < order.len() {
            let score = column.values[order[at] as usize];
            let (mut tied_negative, mut tied_positive) = (0.0, 0.0);
            while at < order.len() && column.values[order[at] as usize] == score {
                let example = order[at] as usize;
                let count = f64::from(counts[example]);
                if self.target[example] == 1.0 {
                    tied_positive += count
                } else {
                    tied_negative += count
                }
                at += 1;
            }
            wins += tied_positive * (negatives + 0.5 * tied_negative);
            negatives += tied_negative;
            positives += tied_positive;
        }
        if negatives * positives > 0.0 { wins / (negatives * positives) } else { 0.5 }
    }

    /// Every example is its own cell. A classifier's are drawn within their class.
    pub(super) fn plan(&self, groups: Option<&[u32]>, seed: u64) -> Plan {
        let n = self.target.len();
        let examples = 0..n as u32;
        let (strata, clusters) = match (groups, self.metric) {
            (Some(groups), _) => {
                let count = groups.iter().max().map_or(0, |last| *last as usize + 1);
                let mut clusters = vec![Vec::new(); count];
                examples.zip(groups).for_each(|(example, group)| clusters[*group as usize].push(example));
                (vec![Stratum { cells: (0..count as u32).collect() }], Some(clusters))
            }
            (None, ScoredMetric::RocAuc) => {
                let of = |class: f64| Stratum {
                    cells: examples.clone().filter(|i| self.target[*i as usize] == class).collect(),
                };
                (vec![of(0.0), of(1.0)], None)
            }
            (None, ScoredMetric::Rmse | ScoredMetric::R2) => (vec![Stratum { cells: examples.collect() }], None),
        };
        // Work grows with resamples × examples: large data need fewer resamples for the same precision of p.
        let resamples = (200_000_000 / n.max(1)).clamp(1_000, 10_000);
        Plan { cell_count: n, strata, clusters, resamples, threads: 2, seed }
    }
}
