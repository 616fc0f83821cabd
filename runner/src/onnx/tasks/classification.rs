//! One of several classes: from labels, from probabilities, or from logits.

use std::collections::{BTreeMap, BTreeSet};

use ort::session::SessionOutputs;

use super::{
    Judged, Task, TaskKind, TaskSetup,
    labels::{Classes, Label, distinct, labels},
    unknown_metric,
};
use crate::{
    dataset::{Dataset, Values},
    metrics::{
        Average, Confusion, mean,
        probability::{brier_of, calibration_error, log_loss_of},
        ranking::{MultiClass, average_precision, average_precision_multiclass, in_top_k, roc_auc, roc_auc_multiclass},
    },
    onnx::{
        error::EvalError,
        outputs::{self, ClassifierOutputs, Matrix, classifier_outputs},
    },
};

/// Metrics that need only decisions.
const OF_LABELS: [&str; 15] = [
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "precision_micro",
    "precision_macro",
    "precision_weighted",
    "recall_micro",
    "recall_macro",
    "recall_weighted",
    "f1_micro",
    "f1_macro",
    "f1_weighted",
    "matthews_corrcoef",
];
/// Metrics that need scores of every class. `top_3_accuracy` and the like are besides.
const OF_SCORES: [&str; 10] = [
    "log_loss",
    "brier",
    "calibration_error",
    "roc_auc",
    "roc_auc_ovr",
    "roc_auc_ovr_weighted",
    "roc_auc_ovo",
    "roc_auc_ovo_weighted",
    "average_precision",
    "top_2_accuracy",
];
/// Bins of the calibration error, the customary number.
const CALIBRATION_BINS: usize = 15;

pub(super) struct Classification {
    dataset: Dataset,
    target: String,
    given: Vec<String>,
    targets_seen: BTreeSet<Label>,
    outputs: ClassifierOutputs,
    metrics: Metrics,
    keep_scores: bool,
    /// Known from the first batch on, where the model gives scores.
    classes: Option<Classes>,
    are_logits: Option<bool>,
    judged: Examples,
}

enum Metrics {
    /// Those that the model's outputs allow and the data define.
    Usual,
    Asked(Vec<String>),
}

/// What is kept of each example, a vector per fact.
#[derive(Default, Clone)]
struct Examples {
    targets: Vec<u32>,
    predictions: Vec<u32>,
    /// The following are empty where the model gives no scores.
    confidences: Vec<f64>,
    log_losses: Vec<f64>,
    briers: Vec<f64>,
    /// Rows of all classes' scores, where a metric needs them.
    scores: Vec<f64>,
}

impl Classification {
    pub(super) fn new(setup: &TaskSetup) -> Result<Self, EvalError> {
        let outputs = classifier_outputs(setup.outputs)?;
        let metrics = match setup.metrics {
            None => Metrics::Usual,
            Some(names) => {
                for name in names {
                    if OF_LABELS.contains(&name.as_str()) || name == "cohen_kappa" {
                        continue;
                    }
                    if !OF_SCORES.contains(&name.as_str()) && top_k(name).is_none() {
                        let known: Vec<&str> = OF_LABELS.into_iter().chain(["cohen_kappa"]).chain(OF_SCORES).collect();
                        return Err(unknown_metric(name, TaskKind::Classification, &known));
                    }
                    if outputs.scores.is_none() {
                        return Err(EvalError::Usage(format!(
                            "`{name}` needs scores of the classes, and the model gives labels only"
                        )));
                    }
                }
                Metrics::Asked(names.to_vec())
            }
        };
        let keep_scores = match &metrics {
            Metrics::Usual => true,
            Metrics::Asked(names) => names
                .iter()
                .any(|name| name.starts_with("roc_auc") || name == "average_precision" || top_k(name).is_some()),
        };
        Ok(Self {
            dataset: setup.dataset.clone(),
            target: setup.target.to_owned(),
            given: setup.classes.to_vec(),
            targets_seen: distinct(setup.dataset, setup.target)?,
            outputs,
            metrics,
            keep_scores,
            classes: None,
            are_logits: None,
            judged: Examples::default(),
        })
    }

    /// Turns scores into probabilities of every class, in place.
    fn probabilities(&mut self, mut scores: Matrix, first: u64) -> Result<Matrix, EvalError> {
        let columns = scores.columns;
        if let Some(position) = scores.data.iter().position(|score| score.is_nan()) {
            let row = first + (position / columns) as u64;
            return Err(EvalError::Usage(format!("the model's score of row {row} is NaN")));
        }
        let probable = scores.data.chunks(columns).all(is_distribution);
        let are_logits = *self.are_logits.get_or_insert(!probable);
        if !are_logits && !probable {
            return Err(EvalError::Usage(format!(
                "scores from row {first} on are no probabilities, though the first ones looked like them"
            )));
        }
        if columns == 1 {
            // One number is the second class's.
            scores.data = scores
                .data
                .iter()
                .map(|score| if are_logits { 1.0 / (1.0 + (-score).exp()) } else { *score })
                .flat_map(|p| [1.0 - p, p])
                .collect();
            scores.columns = 2;
        } else if are_logits {
            scores.data.chunks_mut(columns).for_each(softmax);
        }
        Ok(scores)
    }
}

/// All in [0, 1]; and adding up to one, where there is more than one (half precision loses three digits).
fn is_distribution(row: &[f64]) -> bool {
    row.iter().all(|p| (0.0..=1.0).contains(p)) && (row.len() == 1 || (row.iter().sum::<f64>() - 1.0).abs() < 2e-3)
}

fn softmax(row: &mut [f64]) {
    let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    row.iter_mut().for_each(|score| *score = (*score - highest).exp());
    let total: f64 = row.iter().sum();
    row.iter_mut().for_each(|score| *score /= total);
}

/// The first of the highest, as NumPy's `argmax`.
fn argmax(row: &[f64]) -> usize {
    let mut best = 0;
    for (class, score) in row.iter().enumerate() {
        if *score > row[best] {
            best = class;
        }
    }
    best
}

/// `3` of `top_3_accuracy`.
fn top_k(name: &str) -> Option<usize> {
    name.strip_prefix("top_")?.strip_suffix("_accuracy")?.parse().ok().filter(|k| *k > 0)
}

impl Task for Classification {
    fn judge(&mut self, outputs: &SessionOutputs, rows: usize, targets: Values, first: u64) -> Result<(), EvalError> {
        let dataset = self.dataset.clone();
        let target_column = self.target.clone();
        let misfit =
            |m: crate::dataset::Misfit| dataset.error(Some(first + m.index as u64), Some(&target_column), m.message);
        let targets = labels(targets).map_err(misfit)?;
        let scores = match self.outputs.scores.clone() {
            Some(name) => {
                let scores = outputs::matrix(outputs, &name, rows)?;
                Some(self.probabilities(scores, first)?)
            }
            None => None,
        };
        if self.classes.is_none() {
            self.classes = Some(match &scores {
                Some(scores) => Classes::of_columns(scores.columns, &self.given, &self.targets_seen, &self.target)?,
                None => Classes::new(self.targets_seen.iter().cloned()),
            });
        }
        let classes = self.classes.as_mut().expect("set above");
        let predicted = match &self.outputs.labels {
            Some(name) => Some(labels(outputs::labels(outputs, name, rows)?).map_err(|m| EvalError::Usage(m.message))?),
            None => None,
        };
        for (row, target) in targets.iter().enumerate() {
            let number = first + row as u64;
            let Some(target) = classes.index(target) else {
                let message = format!("`{}` is none of the classes", target.text());
                return Err(dataset.error(Some(number), Some(&target_column), message).into());
            };
            let scores_of_row = scores.as_ref().map(|s| &s.data[row * s.columns..(row + 1) * s.columns]);
            let prediction = match (&predicted, scores_of_row) {
                // A model without scores may know classes that the data lack.
                (Some(labels), None) => classes.insert(labels[row].clone()),
                (Some(labels), Some(_)) => classes.index(&labels[row]).ok_or_else(|| {
                    EvalError::Usage(format!(
                        "row {number}: the model answered `{}`, which is none of the classes ({}); name them with `classes`",
                        labels[row].text(),
                        classes.texts().join(", ")
                    ))
                })?,
                (None, Some(scores)) => argmax(scores) as u32,
                (None, None) => unreachable!("a classifier has one of the two"),
            };
            self.judged.targets.push(target);
            self.judged.predictions.push(prediction);
            if let (Some(row_scores), Some(scores)) = (scores_of_row, &scores) {
                self.judged.confidences.push(row_scores[prediction as usize]);
                self.judged.log_losses.push(log_loss_of(row_scores[target as usize], scores.epsilon));
                self.judged.briers.push(brier_of(row_scores.iter().copied(), target as usize));
                if self.keep_scores {
                    self.judged.scores.extend_from_slice(row_scores);
                }
            }
        }
        Ok(())
    }

    fn example(&self, index: usize) -> Judged {
        let classes = self.classes.as_ref().expect("an example was judged");
        let (target, prediction) = (self.judged.targets[index], self.judged.predictions[index]);
        let mut values = BTreeMap::from([("accuracy".to_owned(), f64::from(u8::from(target == prediction)))]);
        if let (Some(log_loss), Some(brier)) = (self.judged.log_losses.get(index), self.judged.briers.get(index)) {
            values.insert("log_loss".to_owned(), *log_loss);
            values.insert("brier".to_owned(), *brier);
        }
        Judged {
            target: classes.label(target).json(),
            prediction: classes.label(prediction).json(),
            score: self.judged.confidences.get(index).copied(),
            values,
        }
    }

    fn metrics(&self, subset: Option<&[usize]>) -> Result<BTreeMap<String, f64>, EvalError> {
        let Some(classes) = &self.classes else { return Ok(BTreeMap::new()) };
        let examples = match subset {
            None => self.judged.clone(),
            Some(indices) => self.judged.subset(indices, classes.len()),
        };
        let confusion = Confusion::new(classes.len(), &examples.targets, &examples.predictions, None);
        let value = |name: &str| examples.metric(name, &confusion, classes.len());
        let mut metrics = BTreeMap::new();
        match &self.metrics {
            Metrics::Usual => {
                let binary = classes.len() == 2;
                let usual: &[&str] = &["accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "matthews_corrcoef"];
                let binary_only: &[&str] = &["precision", "recall", "f1", "roc_auc", "average_precision"];
                let many_only: &[&str] = &["precision_macro", "recall_macro", "roc_auc_ovr"];
                let of_scores: &[&str] = &["log_loss", "brier", "calibration_error"];
                for name in usual.iter().chain(if binary { binary_only } else { many_only }).chain(of_scores) {
                    if let Ok(Some(value)) = value(name) {
                        metrics.insert((*name).to_owned(), value);
                    }
                }
            }
            Metrics::Asked(names) => {
                for name in names {
                    match value(name)? {
                        Some(value) => {
                            metrics.insert(name.clone(), value);
                        }
                        None if subset.is_some() => {}
                        None => {
                            return Err(EvalError::Usage(format!(
                                "`{name}` is not defined on this data set: not every class occurs in `{}`",
                                self.target
                            )));
                        }
                    }
                }
            }
        }
        Ok(metrics)
    }

    fn per_class(&self) -> BTreeMap<String, BTreeMap<String, f64>> {
        let Some(classes) = &self.classes else { return BTreeMap::new() };
        let confusion = Confusion::new(classes.len(), &self.judged.targets, &self.judged.predictions, None);
        let scores = confusion.class_scores().into_iter().enumerate();
        scores
            .filter_map(|(class, score)| {
                let score = score?;
                let values = [
                    ("precision", score.precision),
                    ("recall", score.recall),
                    ("f1", score.f1),
                    ("support", score.support),
                ];
                let values = values.map(|(name, value)| (name.to_owned(), value));
                Some((classes.label(class as u32).text(), BTreeMap::from(values)))
            })
            .collect()
    }

    fn classes(&self) -> Vec<String> {
        self.classes.as_ref().map(Classes::texts).unwrap_or_default()
    }
}

impl Examples {
    fn subset(&self, indices: &[usize], columns: usize) -> Self {
        let pick = |values: &Vec<f64>| indices.iter().filter_map(|i| values.get(*i).copied()).collect();
        Self {
            targets: indices.iter().map(|i| self.targets[*i]).collect(),
            predictions: indices.iter().map(|i| self.predictions[*i]).collect(),
            confidences: pick(&self.confidences),
            log_losses: pick(&self.log_losses),
            briers: pick(&self.briers),
            scores: indices
                .iter()
                .filter_map(|i| self.scores.get(i * columns..(i + 1) * columns))
                .flatten()
                .copied()
                .collect(),
        }
    }

    /// One metric; none where the data leave it undefined, an error where it makes no sense for the classes.
    fn metric(&self, name: &str, confusion: &Confusion, classes: usize) -> Result<Option<f64>, EvalError> {
        let binary = || match classes {
            2 => Ok(()),
            n => Err(EvalError::Usage(format!(
                "`{name}` is for two classes, and there are {n}; take `{name}_macro`, `{name}_weighted` or, for roc_auc, `roc_auc_ovr`"
            ))),
        };
        let second = || -> Vec<bool> { self.targets.iter().map(|target| *target == 1).collect() };
        let second_scores = || -> Vec<f64> { self.scores.iter().skip(1).step_by(2).copied().collect() };
        let of_second = |score: fn(&crate::metrics::confusion::ClassScore) -> f64| {
            let scores = confusion.class_scores();
            scores.get(1).copied().flatten().map_or(Some(0.0), |s| Some(score(&s)))
        };
        let auc = |how, weighted| roc_auc_multiclass(&self.targets, &self.scores, classes, how, weighted);
        Ok(match name {
            "accuracy" => confusion.accuracy(),
            "balanced_accuracy" => confusion.balanced_accuracy(),
            "precision" => binary().map(|()| of_second(|s| s.precision))?,
            "recall" => binary().map(|()| of_second(|s| s.recall))?,
            "f1" => binary().map(|()| of_second(|s| s.f1))?,
            "precision_micro" => confusion.precision(Average::Micro),
            "precision_macro" => confusion.precision(Average::Macro),
            "precision_weighted" => confusion.precision(Average::Weighted),
            "recall_micro" => confusion.recall(Average::Micro),
            "recall_macro" => confusion.recall(Average::Macro),
            "recall_weighted" => confusion.recall(Average::Weighted),
            "f1_micro" => confusion.f1(Average::Micro),
            "f1_macro" => confusion.f1(Average::Macro),
            "f1_weighted" => confusion.f1(Average::Weighted),
            "matthews_corrcoef" => confusion.matthews_corrcoef(),
            "cohen_kappa" => confusion.cohen_kappa(),
            "log_loss" => mean(&self.log_losses, None),
            "brier" => mean(&self.briers, None),
            "calibration_error" => {
                let right: Vec<bool> = self.targets.iter().zip(&self.predictions).map(|(t, p)| t == p).collect();
                if self.confidences.is_empty() {
                    None
                } else {
                    calibration_error(&self.confidences, &right, CALIBRATION_BINS)
                }
            }
            "roc_auc" => binary().map(|()| roc_auc(&second(), &second_scores(), None))?,
            "roc_auc_ovr" => auc(MultiClass::OneVsRest, false),
            "roc_auc_ovr_weighted" => auc(MultiClass::OneVsRest, true),
            "roc_auc_ovo" => auc(MultiClass::OneVsOne, false),
            "roc_auc_ovo_weighted" => auc(MultiClass::OneVsOne, true),
            "average_precision" if classes == 2 => average_precision(&second(), &second_scores(), None),
            "average_precision" => average_precision_multiclass(&self.targets, &self.scores, classes),
            other => {
                let Some(k) = top_k(other) else { return Ok(None) };
                let hits = self.scores.chunks(classes).zip(&self.targets);
                let hits: Vec<f64> =
                    hits.map(|(row, target)| f64::from(u8::from(in_top_k(row, *target as usize, k)))).collect();
                mean(&hits, None)
            }
        })
    }
}
