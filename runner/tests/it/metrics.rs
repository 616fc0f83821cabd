//! Every metric against scikit-learn's, or SciPy's, computed now: `metrics.py` makes the cases.

use std::collections::BTreeMap;

use runner::metrics::{
    classification::{Classified, Scores},
    multilabel::MultiLabel,
    regression,
    retrieval::{Metric, Ranked},
};
use serde::Deserialize;

use crate::python;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Case {
    Classification {
        name: String,
        classes: usize,
        targets: Vec<u32>,
        predictions: Vec<u32>,
        scores: Option<Vec<Vec<f64>>>,
        epsilon: f64,
        weights: Option<Vec<f64>>,
        expected: Expected,
        per_class: Vec<Option<[f64; 4]>>,
        matrix: Vec<Vec<f64>>,
    },
    Multilabel {
        name: String,
        targets: Vec<Vec<u8>>,
        predictions: Vec<Vec<u8>>,
        scores: Vec<Vec<f64>>,
        expected: Expected,
    },
    Regression {
        name: String,
        targets: Vec<f64>,
        predictions: Vec<f64>,
        weights: Option<Vec<f64>>,
        expected: Expected,
    },
    Ranking {
        name: String,
        gains: Vec<f64>,
        scores: Vec<f64>,
        expected: Expected,
    },
}

/// None: undefined.
type Expected = BTreeMap<String, Option<f64>>;

/// Equal to 1e-12 relative; near zero, to as much of one.
fn equal(ours: Option<f64>, theirs: Option<f64>) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => {
            ours == theirs || (ours - theirs).abs() <= 1e-12 * ours.abs().max(theirs.abs()).max(1e-3)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// What was compared, and where the answers differ.
#[derive(Default)]
struct Tally {
    compared: BTreeMap<String, usize>,
    differ: Vec<String>,
}

impl Tally {
    fn compare(&mut self, case: &str, metric: &str, ours: Option<f64>, theirs: Option<f64>) {
        *self.compared.entry(metric.to_owned()).or_default() += 1;
        if !equal(ours, theirs) {
            self.differ.push(format!("{case}: {metric}: ours {ours:?}, theirs {theirs:?}"));
        }
    }

    fn case(&mut self, case: Case) {
        match case {
            Case::Classification {
                name,
                classes,
                targets,
                predictions,
                scores,
                epsilon,
                weights,
                expected,
                per_class,
                matrix,
            } => {
                let mut gathered = Classified::new(classes, expected.keys().map(String::as_str));
                for (i, (target, prediction)) in targets.iter().zip(&predictions).enumerate() {
                    let scores = scores.as_ref().map(|scores| Scores { of_classes: &scores[i], epsilon });
                    gathered.add(*target, *prediction, scores, weights.as_ref().map_or(1.0, |weights| weights[i]));
                }
                for (metric, theirs) in &expected {
                    self.compare(&name, metric, gathered.metric(metric).unwrap(), *theirs);
                }
                for (class, theirs) in per_class.iter().enumerate() {
                    let ours = gathered.confusion().class_scores()[class];
                    let ours = ours.map(|s| [s.precision, s.recall, s.f1, s.support]);
                    for (i, metric) in ["precision", "recall", "f1", "support"].iter().enumerate() {
                        let (ours, theirs) = (ours.map(|o| o[i]), theirs.map(|t| t[i]));
                        self.compare(&format!("{name}, class {class}"), &format!("{metric} per class"), ours, theirs);
                    }
                }
                if let Some(ours) = gathered.confusion().matrix().filter(|_| !matrix.is_empty()) {
                    for (ours, theirs) in ours.iter().flatten().zip(matrix.iter().flatten()) {
                        self.compare(&name, "confusion matrix", Some(*ours), Some(*theirs));
                    }
                }
            }
            Case::Multilabel { name, targets, predictions, scores, expected } => {
                let mut gathered = MultiLabel::new(targets[0].len(), true);
                let truths = |row: &[u8]| row.iter().map(|x| *x == 1).collect::<Vec<_>>();
                for ((target, prediction), scores) in targets.iter().zip(&predictions).zip(&scores) {
                    gathered.add(&truths(target), &truths(prediction), Some(scores));
                }
                for (metric, theirs) in &expected {
                    self.compare(&name, metric, gathered.metric(metric), *theirs);
                }
            }
            Case::Regression { name, targets, predictions, weights, expected } => {
                for (metric, theirs) in &expected {
                    let ours = regression::metric(metric, &targets, &predictions, weights.as_deref());
                    self.compare(&name, metric, ours, *theirs);
                }
            }
            Case::Ranking { name, gains, scores, expected } => {
                let ranked = Ranked::new(&gains, &scores);
                for (metric, theirs) in &expected {
                    self.compare(&name, metric, Metric::parse(metric).unwrap().of(&ranked), *theirs);
                }
            }
        }
    }
}

#[test]
fn every_metric_equals_scikit_learns() {
    let printed = python::script("metrics.py", &[]);
    let mut tally = Tally::default();
    for line in String::from_utf8(printed).unwrap().lines() {
        tally.case(serde_json::from_str(line).unwrap());
    }
    let all = runner::metrics::classification::OF_LABELS
        .into_iter()
        .chain(runner::metrics::classification::OF_SCORES)
        .chain(runner::metrics::multilabel::OF_LABELS)
        .chain(runner::metrics::multilabel::OF_SCORES)
        .chain(regression::METRICS)
        .chain(["ndcg", "ndcg@10", "recall@10", "hit@3", "mrr", "top_3_accuracy", "confusion matrix"]);
    let missing: Vec<&str> = all.filter(|metric| !tally.compared.contains_key(*metric)).collect();
    assert!(missing.is_empty(), "nothing was compared for {missing:?}");
    assert!(tally.differ.is_empty(), "{} differ:\n{}", tally.differ.len(), tally.differ.join("\n"));
}

/// Metrics of nothing at all are undefined, whichever they are.
#[test]
fn nothing_is_defined_of_no_examples() {
    let names = runner::metrics::classification::OF_LABELS;
    for classes in [2, 3] {
        let gathered = Classified::new(classes, names);
        for name in names {
            if let Ok(value) = gathered.metric(name) {
                assert_eq!(value, None, "{name} of no examples");
            }
        }
    }
    for name in regression::METRICS {
        assert_eq!(regression::metric(name, &[], &[], None), None, "{name} of no examples");
    }
}
