//! Metrics of a classifier that are no mean over examples, recomputed from targets and predictions.
//!
//! As scikit-learn defines them: a class without support and without predictions is left out of a
//! macro average, and 0/0 is 0.

use std::collections::HashMap;

use super::{
    Example,
    pairing::Pair,
    stats::bootstrap::{Plan, Stratum, observed},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClassMetric {
    PerClass(PerClass, Average),
    BalancedAccuracy,
    MatthewsCorrcoef,
    CohenKappa,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PerClass {
    F1,
    Precision,
    Recall,
    Jaccard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Average {
    Macro,
    Micro,
    Weighted,
    /// Of the class labelled `1` alone.
    Binary,
}

impl ClassMetric {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        match name {
            "balanced_accuracy" => return Some(Self::BalancedAccuracy),
            "matthews_corrcoef" | "mcc" => return Some(Self::MatthewsCorrcoef),
            "cohen_kappa" => return Some(Self::CohenKappa),
            _ => {}
        }
        let (class, average) = name.split_once('_').unwrap_or((name, "binary"));
        let class = match class {
            "f1" => PerClass::F1,
            "precision" => PerClass::Precision,
            "recall" => PerClass::Recall,
            "jaccard" => PerClass::Jaccard,
            _ => return None,
        };
        let average = match average {
            "macro" => Average::Macro,
            "micro" => Average::Micro,
            "weighted" => Average::Weighted,
            "binary" => Average::Binary,
            _ => return None,
        };
        Some(Self::PerClass(class, average))
    }

    fn of(self, tallies: &Tallies, positive: Option<usize>) -> f64 {
        match self {
            Self::BalancedAccuracy => {
                let supported = || tallies.classes.iter().filter(|class| class.support > 0.0);
                let recalls: f64 = supported().map(|class| class.right / class.support).sum();
                ratio(recalls, supported().count() as f64)
            }
            Self::MatthewsCorrcoef => {
                let n = tallies.total;
                let sum = |f: &dyn Fn(&Class) -> f64| tallies.classes.iter().map(f).sum::<f64>();
                let right = sum(&|class| class.right);
                let covariance = right * n - sum(&|class| class.support * class.predicted);
                let predicted = n * n - sum(&|class| class.predicted * class.predicted);
                let support = n * n - sum(&|class| class.support * class.support);
                ratio(covariance, (predicted * support).sqrt())
            }
            Self::CohenKappa => {
                let n = tallies.total;
                let observed = tallies.classes.iter().map(|class| class.right).sum::<f64>() / n;
                let by_chance: f64 = tallies.classes.iter().map(|c| c.support * c.predicted).sum::<f64>() / (n * n);
                ratio(observed - by_chance, 1.0 - by_chance)
            }
            Self::PerClass(metric, average) => {
                let present = || tallies.classes.iter().filter(|class| class.support + class.predicted > 0.0);
                match average {
                    Average::Macro => ratio(present().map(|c| metric.of(c)).sum(), present().count() as f64),
                    Average::Weighted => ratio(present().map(|c| metric.of(c) * c.support).sum(), tallies.total),
                    Average::Micro => {
                        let sum = |f: fn(&Class) -> f64| tallies.classes.iter().map(f).sum::<f64>();
                        metric.of(&Class {
                            right: sum(|c| c.right),
                            support: sum(|c| c.support),
                            predicted: sum(|c| c.predicted),
                        })
                    }
                    Average::Binary => positive.map_or(0.0, |class| metric.of(&tallies.classes[class])),
                }
            }
        }
    }
}

impl PerClass {
    fn of(self, class: &Class) -> f64 {
        match self {
            PerClass::F1 => ratio(2.0 * class.right, class.support + class.predicted),
            PerClass::Precision => ratio(class.right, class.predicted),
            PerClass::Recall => ratio(class.right, class.support),
            PerClass::Jaccard => ratio(class.right, class.support + class.predicted - class.right),
        }
    }
}

fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

#[derive(Debug, Clone, Copy, Default)]
struct Class {
    /// Of this class and predicted as it.
    right: f64,
    support: f64,
    predicted: f64,
}

#[derive(Debug, Clone, Default)]
struct Tallies {
    classes: Vec<Class>,
    total: f64,
}

/// The usual metrics of a classifier from its examples; empty where no prediction is ever a target (then
/// this is no classifier).
pub fn recomputed_metrics(examples: &[Example]) -> Vec<(String, f64)> {
    if !examples.iter().any(|example| example.prediction == example.target) {
        return Vec::new();
    }
    let pairs: Vec<Pair<'_>> = examples.iter().map(|example| Pair { head: example, base: example }).collect();
    let cells = Cells::new(&pairs);
    let counts = observed(&cells.plan(None, 0, 0));
    let names =
        ["f1_macro", "f1_weighted", "precision_macro", "recall_macro", "balanced_accuracy", "matthews_corrcoef"];
    let value = |name: &str| Some((name.to_owned(), cells.values(ClassMetric::by_name(name)?, &counts).0));
    names.into_iter().filter_map(value).collect()
}

/// Distinct (target, base's prediction, head's prediction), as the bootstrap's cells.
pub(super) struct Cells {
    cells: Vec<[u32; 3]>,
    labels: usize,
    positive: Option<usize>,
    /// One an example.
    of_example: Vec<u32>,
}

impl Cells {
    pub(super) fn new(pairs: &[Pair<'_>]) -> Self {
        let mut labels: HashMap<&str, u32> = HashMap::new();
        let mut by_triple: HashMap<[u32; 3], u32> = HashMap::new();
        let mut cells = Vec::new();
        let mut of_example = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let mut label = |text| {
                let next = labels.len() as u32;
                *labels.entry(text).or_insert(next)
            };
            let triple = [label(&pair.base.target), label(&pair.base.prediction), label(&pair.head.prediction)];
            let cell = *by_triple.entry(triple).or_insert_with(|| {
                cells.push(triple);
                cells.len() as u32 - 1
            });
            of_example.push(cell);
        }
        let positive = labels.get("1").map(|label| *label as usize);
        Self { cells, labels: labels.len(), positive, of_example }
    }

    /// The metric of (base, head) where each cell occurs `counts` times.
    pub(super) fn values(&self, metric: ClassMetric, counts: &[u32]) -> (f64, f64) {
        let of_side = |side: usize| {
            let mut tallies = Tallies { classes: vec![Class::default(); self.labels], total: 0.0 };
            for (cell, count) in self.cells.iter().zip(counts) {
                let count = f64::from(*count);
                tallies.classes[cell[0] as usize].support += count;
                tallies.classes[cell[side] as usize].predicted += count;
                if cell[0] == cell[side] {
                    tallies.classes[cell[0] as usize].right += count;
                }
                tallies.total += count;
            }
            metric.of(&tallies, self.positive)
        };
        (of_side(1), of_side(2))
    }

    /// Resampling within each class of the target; or of whole groups, where examples have them.
    pub(super) fn plan(&self, groups: Option<&[u32]>, resamples: usize, seed: u64) -> Plan {
        let (strata, clusters) = match groups {
            None => {
                let mut strata = vec![Stratum::default(); self.labels];
                for cell in &self.of_example {
                    strata[self.cells[*cell as usize][0] as usize].cells.push(*cell);
                }
                strata.retain(|stratum| !stratum.cells.is_empty());
                (strata, None)
            }
            Some(groups) => {
                let count = groups.iter().max().map_or(0, |last| *last as usize + 1);
                let mut clusters = vec![Vec::new(); count];
                for (cell, group) in self.of_example.iter().zip(groups) {
                    clusters[*group as usize].push(*cell);
                }
                (vec![Stratum { cells: (0..count as u32).collect() }], Some(clusters))
            }
        };
        Plan { cell_count: self.cells.len(), strata, clusters, resamples, threads: 2, seed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str, triples: &[(&str, &str, &str)]) -> (f64, f64) {
        let example = |target: &str, prediction: &str| Example {
            target: target.to_owned(),
            prediction: prediction.to_owned(),
            ..Example::default()
        };
        let sides: Vec<(Example, Example)> =
            triples.iter().map(|(t, base, head)| (example(t, base), example(t, head))).collect();
        let pairs: Vec<Pair<'_>> = sides.iter().map(|(base, head)| Pair { head, base }).collect();
        let cells = Cells::new(&pairs);
        cells.values(ClassMetric::by_name(name).unwrap(), &observed(&cells.plan(None, 0, 0)))
    }

    #[test]
    fn a_small_table_by_hand() {
        // Base: cat 2/2 right, dog 1 of 2 (one called cat). Head calls one dog a bird, a class that the base never saw.
        let triples = [("cat", "cat", "cat"), ("cat", "cat", "cat"), ("dog", "cat", "dog"), ("dog", "dog", "bird")];
        let check = |name: &str, base: f64, head: f64| {
            let got = values(name, &triples);
            assert!((got.0 - base).abs() < 1e-12 && (got.1 - head).abs() < 1e-12, "{name}: {got:?}");
        };
        check("f1_macro", (0.8 + 2.0 / 3.0) / 2.0, (1.0 + 2.0 / 3.0 + 0.0) / 3.0);
        check("f1_micro", 0.75, 0.75);
        check("f1_weighted", (0.8 * 2.0 + 2.0 / 3.0 * 2.0) / 4.0, (1.0 * 2.0 + 2.0 / 3.0 * 2.0) / 4.0);
        check("balanced_accuracy", 0.75, 0.75);
        check("precision_macro", (2.0 / 3.0 + 1.0) / 2.0, 2.0 / 3.0);
        check("cohen_kappa", 0.5, (0.75 - 0.375) / 0.625);
    }

    #[test]
    fn binary_metrics_are_of_the_class_one() {
        let triples = [("1", "1", "1"), ("1", "1", "0"), ("0", "0", "0"), ("0", "1", "0")];
        assert_eq!(values("f1", &triples), (0.8, 2.0 / 3.0));
        assert_eq!(values("recall", &triples), (1.0, 0.5));
        assert_eq!(ClassMetric::by_name("f1_samples"), None);
        assert_eq!(ClassMetric::by_name("accuracy"), None);
    }
}
