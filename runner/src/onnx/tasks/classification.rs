//! One of several classes: from labels, from probabilities, or from logits.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Chunk, Judged, Sliced, Target, Task, TaskSetup, Told,
    labels::{Classes, Label, distinct, labels},
    metrics_of,
    probabilities::{Probabilities, Reading, argmax},
};
use crate::{
    metrics::{
        classification::{Classified, OF_LABELS, OF_SCORES, Scores, is_of_ranks, top_k},
        probability::{brier_of, log_loss_of},
    },
    onnx::{
        answers::{ClassifierOutputs, classifier_outputs},
        error::EvalError,
    },
};

/// Usual metrics of decisions, and those besides for two classes and for more.
const USUAL: [&str; 5] = ["accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "matthews_corrcoef"];
const USUAL_OF_TWO: [&str; 5] = ["precision", "recall", "f1", "roc_auc", "average_precision"];
const USUAL_OF_MANY: [&str; 3] = ["precision_macro", "recall_macro", "roc_auc_ovr"];
const USUAL_OF_SCORES: [&str; 3] = ["log_loss", "brier", "calibration_error"];

/// More classes than this, and metrics of ranks, which keep every score, must be asked for.
const MOST_RANKED: usize = 100;

pub(super) struct Classification {
    target: Target,
    given: Vec<String>,
    targets_seen: BTreeSet<Label>,
    outputs: ClassifierOutputs,
    asked: Option<Vec<String>>,
    reading: Reading,
    /// From the first chunk on.
    known: Option<Known>,
}

/// What is known once the model has answered.
struct Known {
    classes: Classes,
    metrics: Vec<String>,
    gathered: Sliced<Classified>,
}

impl Classification {
    pub(super) fn new(setup: &TaskSetup) -> Result<Self, EvalError> {
        let outputs = classifier_outputs(setup.outputs)?;
        let known: Vec<&str> = OF_LABELS.into_iter().chain(OF_SCORES).collect();
        let asked = setup.check_metrics(&known, |name| known.contains(&name) || top_k(name).is_some())?;
        let needs_scores = |name: &&String| OF_SCORES.contains(&name.as_str()) || top_k(name).is_some();
        if let Some(name) = asked.iter().flatten().find(needs_scores)
            && outputs.scores.is_none()
        {
            return Err(EvalError::Usage(format!(
                "`{name}` needs scores of the classes, and the model gives labels only"
            )));
        }
        let targets_seen = distinct(setup.dataset, &setup.targets[0])?;
        let given = setup.classes.to_vec();
        Ok(Self {
            target: setup.target(),
            given,
            targets_seen,
            outputs,
            asked,
            reading: Reading::default(),
            known: None,
        })
    }

    /// Classes, from the first scores' number (or a map's keys), and the metrics that go with them.
    fn know(&self, scores: Option<&Probabilities>, keys: &[String]) -> Result<Known, EvalError> {
        let given = if self.given.is_empty() { keys } else { &self.given };
        let classes = match scores {
            Some(scores) => Classes::of_columns(scores.columns, given, &self.targets_seen, &self.target.column)?,
            None => Classes::new(self.targets_seen.iter().cloned()),
        };
        let metrics: Vec<String> = match &self.asked {
            Some(asked) => asked.clone(),
            None => {
                let of_classes: &[&str] = if classes.len() == 2 { &USUAL_OF_TWO } else { &USUAL_OF_MANY };
                let usual = USUAL.iter().chain(of_classes).chain(&USUAL_OF_SCORES);
                usual
                    .filter(|name| classes.len() <= MOST_RANKED || !is_of_ranks(name))
                    .map(|n| (*n).to_owned())
                    .collect()
            }
        };
        let blank = Classified::new(classes.len(), metrics.iter().map(String::as_str));
        for name in self.asked.iter().flatten() {
            blank.metric(name).map_err(EvalError::Usage)?;
        }
        Ok(Known { classes, metrics, gathered: Sliced::new(blank) })
    }
}

impl Task for Classification {
    fn outputs(&self) -> Vec<String> {
        self.outputs.names()
    }

    fn judge(&mut self, mut chunk: Chunk<'_>, told: &mut Told) -> Result<(), EvalError> {
        let first = chunk.first;
        let answers = &mut chunk.answers[0];
        let targets = labels(chunk.targets.remove(0)).map_err(|misfit| self.target.misfit(first, misfit))?;
        let mut keys = Vec::new();
        let scores = match &self.outputs.scores {
            Some(name) => {
                let scores = answers.take(name)?;
                keys.clone_from(&scores.keys);
                Some(self.reading.of_classes(scores, first)?)
            }
            None => None,
        };
        let predicted = match &self.outputs.labels {
            Some(name) => Some(labels(answers.take(name)?.values).map_err(|m| EvalError::Usage(m.message))?),
            None => None,
        };
        if let Some(labels) = predicted.as_ref().filter(|labels| labels.len() != chunk.rows) {
            return Err(EvalError::Usage(format!("the model gives {} labels for {} rows", labels.len(), chunk.rows)));
        }
        if self.known.is_none() {
            self.known = Some(self.know(scores.as_ref(), &keys)?);
        }
        let known = self.known.as_mut().expect("set above");
        for (row, target) in targets.iter().enumerate() {
            let number = first + row as u64;
            let Some(target) = known.classes.index(target) else {
                return Err(self.target.error(number, format!("`{}` is none of the classes", target.text())));
            };
            let of_row = scores.as_ref().map(|s| Scores { of_classes: s.row(row), epsilon: s.epsilon });
            let prediction = match (&predicted, of_row) {
                // A model without scores may know classes that the data lack.
                (Some(labels), None) => {
                    let prediction = known.classes.insert(labels[row].clone());
                    let classes = known.classes.len();
                    known.gathered.each(|gathered| gathered.grow(classes));
                    prediction
                }
                (Some(labels), Some(_)) => known.classes.index(&labels[row]).ok_or_else(|| {
                    EvalError::Usage(format!(
                        "row {number}: the model answered `{}`, which is none of the classes ({}); name them with `classes`",
                        labels[row].text(),
                        known.classes.texts().join(", ")
                    ))
                })?,
                (None, Some(scores)) => argmax(scores.of_classes) as u32,
                (None, None) => unreachable!("a classifier has one of the two"),
            };
            known.gathered.add(chunk.slices, row, |gathered| gathered.add(target, prediction, of_row, 1.0));
            told.say(|| judged(&known.classes, target, prediction, of_row));
        }
        Ok(())
    }

    fn metrics(&self, slice: Option<usize>) -> Result<BTreeMap<String, f64>, EvalError> {
        let Some(known) = &self.known else { return Ok(BTreeMap::new()) };
        let names: Vec<&str> = known.metrics.iter().map(String::as_str).collect();
        metrics_of(self.asked.as_deref(), &names, slice, |name| known.gathered.get(slice).metric(name))
    }

    fn count(&self, slice: usize) -> u64 {
        self.known.as_ref().map_or(0, |known| known.gathered.count(slice))
    }

    fn per_class(&self) -> BTreeMap<String, BTreeMap<String, f64>> {
        let Some(known) = &self.known else { return BTreeMap::new() };
        let scores = known.gathered.get(None).confusion().class_scores().into_iter().enumerate();
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
                Some((known.classes.label(class as u32).text(), BTreeMap::from(values)))
            })
            .collect()
    }

    fn confusion(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let Some(known) = &self.known else { return BTreeMap::new() };
        let matrix = known.gathered.get(None).confusion().matrix().unwrap_or_default();
        let name = |class: usize| known.classes.label(class as u32).text();
        let row = |row: &Vec<f64>| -> BTreeMap<String, u64> {
            let cells = row.iter().enumerate().filter(|(_, count)| **count > 0.0);
            cells.map(|(class, count)| (name(class), *count as u64)).collect()
        };
        let rows = matrix.iter().enumerate().map(|(class, cells)| (name(class), row(cells)));
        rows.filter(|(_, row)| !row.is_empty()).collect()
    }

    fn classes(&self) -> Vec<String> {
        self.known.as_ref().map(|known| known.classes.texts()).unwrap_or_default()
    }
}

fn judged(classes: &Classes, target: u32, prediction: u32, scores: Option<Scores<'_>>) -> Judged {
    let mut values = BTreeMap::from([("accuracy".to_owned(), f64::from(u8::from(target == prediction)))]);
    if let Some(Scores { of_classes, epsilon }) = scores {
        values.insert("log_loss".to_owned(), log_loss_of(of_classes[target as usize], epsilon));
        values.insert("brier".to_owned(), brier_of(of_classes, target as usize));
    }
    Judged {
        id: None,
        target: classes.label(target).json(),
        prediction: classes.label(prediction).json(),
        score: scores.map(|scores| scores.of_classes[prediction as usize]),
        values,
    }
}
