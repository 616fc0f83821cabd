//! Any number of labels for each example: from decisions, from probabilities, or from logits.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Chunk, Judged, Sliced, Task, TaskSetup, Told, metrics_of, probabilities::Reading};
use crate::{
    dataset::{Dataset, Values},
    metrics::multilabel::{MultiLabel, OF_LABELS, OF_SCORES},
    onnx::{
        answers::{ClassifierOutputs, classifier_outputs},
        error::EvalError,
    },
};

/// A probability above this is a yes.
const THRESHOLD: f64 = 0.5;
/// What stands between the labels of one text.
const SEPARATOR: char = '|';

pub(super) struct Multilabel {
    dataset: Dataset,
    targets: Vec<String>,
    labels: Vec<String>,
    outputs: ClassifierOutputs,
    asked: Option<Vec<String>>,
    reading: Reading,
    gathered: Sliced<MultiLabel>,
}

impl Multilabel {
    pub(super) fn new(setup: &TaskSetup) -> Result<Self, EvalError> {
        let outputs = classifier_outputs(setup.outputs)?;
        let known: Vec<&str> = OF_LABELS.into_iter().chain(OF_SCORES).collect();
        let asked = setup.check_metrics(&known, |name| known.contains(&name))?;
        if let Some(name) = asked.iter().flatten().find(|name| OF_SCORES.contains(&name.as_str()))
            && outputs.scores.is_none()
        {
            return Err(EvalError::Usage(format!("`{name}` needs scores, and the model gives labels only")));
        }
        let width = |name: &String| setup.dataset.column(name).map_or(1, |column| column.width());
        let is_text =
            |name: &String| setup.dataset.column(name).is_some_and(|column| column.kind == crate::dataset::Kind::Text);
        let labels: Vec<String> = match setup.targets {
            _ if !setup.classes.is_empty() => setup.classes.to_vec(),
            [one] if width(one) == 1 && is_text(one) => {
                return Err(EvalError::Usage(format!(
                    "`{one}` holds texts; name all labels with `classes`, in the model's order"
                )));
            }
            [one] => (0..width(one)).map(|label| label.to_string()).collect(),
            many => many.to_vec(),
        };
        let keep = outputs.scores.is_some()
            && asked.as_ref().is_none_or(|asked| asked.iter().any(|name| OF_SCORES.contains(&name.as_str())));
        Ok(Self {
            dataset: setup.dataset.clone(),
            targets: setup.targets.to_vec(),
            gathered: Sliced::new(MultiLabel::new(labels.len(), keep)),
            labels,
            outputs,
            asked,
            reading: Reading::default(),
        })
    }

    /// Row by row, whether each label is one of the targets.
    fn targets(&self, columns: Vec<Values>, rows: usize, first: u64) -> Result<Vec<bool>, EvalError> {
        let labels = self.labels.len();
        let mut targets = vec![false; rows * labels];
        let error = |row: usize, column: &str, message: String| -> EvalError {
            self.dataset.error(Some(first + row as u64), Some(column), message).into()
        };
        let mut place = 0;
        for (name, values) in self.targets.iter().zip(columns) {
            let width = values.len() / rows.max(1);
            if let Values::Text(texts) = &values
                && self.targets.len() == 1
                && width == 1
            {
                for (row, text) in texts.iter().enumerate() {
                    for label in text.split(SEPARATOR).map(str::trim).filter(|label| !label.is_empty()) {
                        let index = self.labels.iter().position(|known| known == label);
                        let index =
                            index.ok_or_else(|| error(row, name, format!("`{label}` is none of the labels")))?;
                        targets[row * labels + index] = true;
                    }
                }
                return Ok(targets);
            }
            if place + width > labels {
                return Err(EvalError::Usage(format!("there are {labels} labels, but `{name}` has more targets")));
            }
            let numbers = values.numbers::<f64>().map_err(|m| error(m.index / width.max(1), name, m.message))?;
            for (index, number) in numbers.into_iter().enumerate() {
                let (row, label) = (index / width, index % width);
                if number != 0.0 && number != 1.0 {
                    return Err(error(row, name, format!("{number} is neither 0 nor 1")));
                }
                targets[row * labels + place + label] = number == 1.0;
            }
            place += width;
        }
        if place != labels {
            return Err(EvalError::Usage(format!("there are {labels} labels, but targets for {place} only")));
        }
        Ok(targets)
    }
}

impl Task for Multilabel {
    fn outputs(&self) -> Vec<String> {
        self.outputs.names()
    }

    fn judge(&mut self, mut chunk: Chunk<'_>, told: &mut Told) -> Result<(), EvalError> {
        let (labels, rows) = (self.labels.len(), chunk.rows);
        let targets = self.targets(std::mem::take(&mut chunk.targets), rows, chunk.first)?;
        let answers = &mut chunk.answers[0];
        let scores = match &self.outputs.scores {
            Some(name) => Some(self.reading.of_labels(answers.take(name)?, chunk.first)?),
            None => None,
        };
        let decided = match &self.outputs.labels {
            Some(name) => {
                let answer = answers.take(name)?;
                let numbers = answer.values.numbers::<f64>().map_err(|m| EvalError::Usage(m.message))?;
                Some(numbers.into_iter().map(|number| number != 0.0).collect::<Vec<_>>())
            }
            None => None,
        };
        let predictions = match (decided, &scores) {
            (Some(decided), _) => decided,
            (None, Some(scores)) => scores.data.iter().map(|p| *p > THRESHOLD).collect(),
            (None, None) => unreachable!("a classifier has one of the two"),
        };
        let answered = |count: usize| count / rows.max(1);
        if let Some(width) = [Some(predictions.len()), scores.as_ref().map(|scores| scores.data.len())]
            .into_iter()
            .flatten()
            .map(answered)
            .find(|width| *width != labels)
        {
            return Err(EvalError::Usage(format!("the model answers for {width} labels, but there are {labels}")));
        }
        for row in 0..rows {
            let range = row * labels..(row + 1) * labels;
            let (targets, predictions) = (&targets[range.clone()], &predictions[range.clone()]);
            let of_row = scores.as_ref().map(|scores| &scores.data[range]);
            self.gathered.add(chunk.slices, row, |gathered| gathered.add(targets, predictions, of_row));
            told.say(|| {
                let names = |holds: &[bool]| -> Value {
                    self.labels.iter().zip(holds).filter(|(_, holds)| **holds).map(|(name, _)| name.as_str()).collect()
                };
                let wrong = targets.iter().zip(predictions).filter(|(t, p)| t != p).count() as f64;
                let values = [("accuracy", f64::from(u8::from(wrong == 0.0))), ("hamming_loss", wrong / labels as f64)];
                Judged {
                    id: None,
                    target: names(targets),
                    prediction: names(predictions),
                    score: None,
                    values: values.map(|(name, value)| (name.to_owned(), value)).into(),
                }
            });
        }
        Ok(())
    }

    fn metrics(&self, slice: Option<usize>) -> Result<BTreeMap<String, f64>, EvalError> {
        let usual: Vec<&str> = OF_LABELS.into_iter().filter(|name| *name != "exact_match").chain(OF_SCORES).collect();
        metrics_of(self.asked.as_deref(), &usual, slice, |name| Ok(self.gathered.get(slice).metric(name)))
    }

    fn count(&self, slice: usize) -> u64 {
        self.gathered.count(slice)
    }

    fn per_class(&self) -> BTreeMap<String, BTreeMap<String, f64>> {
        let scores = self.gathered.get(None).label_scores();
        let of = |score: &crate::metrics::confusion::ClassScore| {
            let values = [
                ("precision", score.precision),
                ("recall", score.recall),
                ("f1", score.f1),
                ("support", score.support),
            ];
            values.map(|(name, value)| (name.to_owned(), value)).into()
        };
        self.labels.iter().cloned().zip(scores.iter().map(of)).collect()
    }

    fn classes(&self) -> Vec<String> {
        self.labels.clone()
    }
}
