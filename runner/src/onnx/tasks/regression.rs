//! One number for each example.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Chunk, Judged, Sliced, Target, Task, TaskSetup, Told, metrics_of, refuse_nan};
use crate::{
    metrics::regression::{self, METRICS},
    onnx::{answers::number_output, error::EvalError},
};

pub(super) struct Regression {
    target: Target,
    output: String,
    asked: Option<Vec<String>>,
    gathered: Sliced<Numbers>,
}

/// Targets and predictions: 16 bytes an example, since ranks and variances need all of them.
#[derive(Clone, Default)]
pub(super) struct Numbers {
    pub targets: Vec<f64>,
    pub predictions: Vec<f64>,
}

impl Numbers {
    pub(super) fn add(&mut self, target: f64, prediction: f64) {
        self.targets.push(target);
        self.predictions.push(prediction);
    }

    pub(super) fn metric(&self, name: &str) -> Option<f64> {
        regression::metric(name, &self.targets, &self.predictions, None)
    }
}

impl Regression {
    pub(super) fn new(setup: &TaskSetup) -> Result<Self, EvalError> {
        Ok(Self {
            target: setup.target(),
            output: number_output(setup.outputs, &["variable", "pred", "output"])?,
            asked: setup.check_metrics(&METRICS, |name| METRICS.contains(&name))?,
            gathered: Sliced::new(Numbers::default()),
        })
    }
}

impl Task for Regression {
    fn outputs(&self) -> Vec<String> {
        vec![self.output.clone()]
    }

    fn judge(&mut self, mut chunk: Chunk<'_>, told: &mut Told) -> Result<(), EvalError> {
        let answer = chunk.answers[0].take(&self.output)?;
        if answer.width != 1 {
            let message =
                format!("the output `{}` has {} numbers a row; regression takes one", self.output, answer.width);
            return Err(EvalError::Usage(message));
        }
        let predictions = answer.numbers()?;
        let targets = self.target.numbers(chunk.first, chunk.targets.remove(0))?;
        refuse_nan(&predictions, 1, chunk.first)?;
        for (row, (target, prediction)) in targets.into_iter().zip(predictions).enumerate() {
            self.gathered.add(chunk.slices, row, |numbers| numbers.add(target, prediction));
            told.say(|| {
                let error = target - prediction;
                let values = [("mse", error * error), ("mae", error.abs())];
                Judged {
                    id: None,
                    target: Value::from(target),
                    prediction: Value::from(prediction),
                    score: None,
                    values: values.map(|(name, value)| (name.to_owned(), value)).into(),
                }
            });
        }
        Ok(())
    }

    fn metrics(&self, slice: Option<usize>) -> Result<BTreeMap<String, f64>, EvalError> {
        metrics_of(self.asked.as_deref(), &METRICS, slice, |name| Ok(self.gathered.get(slice).metric(name)))
    }

    fn count(&self, slice: usize) -> u64 {
        self.gathered.count(slice)
    }
}
