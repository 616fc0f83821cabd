//! One number for each example.

use std::collections::BTreeMap;

use ort::session::SessionOutputs;
use serde_json::Value;

use super::{Judged, Task, TaskKind, TaskSetup, unknown_metric};
use crate::{
    dataset::{Dataset, Values},
    metrics::regression as metrics,
    onnx::{error::EvalError, outputs},
};

const METRICS: [&str; 8] = ["mse", "rmse", "mae", "r2", "mape", "max_error", "pearson", "spearman"];

pub(super) struct Regression {
    dataset: Dataset,
    target: String,
    output: String,
    asked: Option<Vec<String>>,
    targets: Vec<f64>,
    predictions: Vec<f64>,
}

impl Regression {
    pub(super) fn new(setup: &TaskSetup) -> Result<Self, EvalError> {
        let asked = setup.metrics.map(<[String]>::to_vec);
        if let Some(name) = asked.iter().flatten().find(|name| !METRICS.contains(&name.as_str())) {
            return Err(unknown_metric(name, TaskKind::Regression, &METRICS));
        }
        Ok(Self {
            dataset: setup.dataset.clone(),
            target: setup.target.to_owned(),
            output: outputs::regression_output(setup.outputs)?,
            asked,
            targets: Vec::new(),
            predictions: Vec::new(),
        })
    }
}

impl Task for Regression {
    fn judge(&mut self, outputs: &SessionOutputs, rows: usize, targets: Values, first: u64) -> Result<(), EvalError> {
        let predictions = outputs::matrix(outputs, &self.output, rows)?;
        if predictions.columns != 1 {
            let message =
                format!("the output `{}` has {} numbers a row; regression takes one", self.output, predictions.columns);
            return Err(EvalError::Usage(message));
        }
        let targets = targets.numbers::<f64>().map_err(|misfit| {
            self.dataset.error(Some(first + misfit.index as u64), Some(&self.target), misfit.message)
        })?;
        let row = |position: usize| first + position as u64;
        if let Some(position) = targets.iter().position(|target| !target.is_finite()) {
            return Err(self
                .dataset
                .error(Some(row(position)), Some(&self.target), "it is not a finite number".to_owned())
                .into());
        }
        if let Some(position) = predictions.data.iter().position(|prediction| !prediction.is_finite()) {
            return Err(EvalError::Usage(format!(
                "the model's answer to row {} is not a finite number",
                row(position)
            )));
        }
        self.targets.extend(targets);
        self.predictions.extend(predictions.data);
        Ok(())
    }

    fn example(&self, index: usize) -> Judged {
        let (target, prediction) = (self.targets[index], self.predictions[index]);
        let error = target - prediction;
        let values = [("mse", error * error), ("mae", error.abs())];
        Judged {
            target: Value::from(target),
            prediction: Value::from(prediction),
            score: None,
            values: values.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }

    fn metrics(&self, subset: Option<&[usize]>) -> Result<BTreeMap<String, f64>, EvalError> {
        let pick = |values: &[f64]| -> Vec<f64> {
            subset.map_or_else(|| values.to_vec(), |indices| indices.iter().map(|i| values[*i]).collect())
        };
        let (t, p) = (pick(&self.targets), pick(&self.predictions));
        let names: Vec<&str> =
            self.asked.as_ref().map_or_else(|| METRICS.to_vec(), |asked| asked.iter().map(String::as_str).collect());
        let mut values = BTreeMap::new();
        for name in names {
            let value = match name {
                "mse" => metrics::mse(&t, &p, None),
                "rmse" => metrics::rmse(&t, &p, None),
                "mae" => metrics::mae(&t, &p, None),
                "r2" => metrics::r2(&t, &p, None),
                "mape" => metrics::mape(&t, &p, None),
                "max_error" => metrics::max_error(&t, &p),
                "pearson" => metrics::pearson(&t, &p),
                "spearman" => metrics::spearman(&t, &p),
                _ => None,
            };
            match value {
                Some(value) => {
                    values.insert(name.to_owned(), value);
                }
                None if self.asked.is_some() && subset.is_none() => {
                    return Err(EvalError::Usage(format!(
                        "`{name}` is not defined on this data set (too few or constant values)"
                    )));
                }
                None => {}
            }
        }
        Ok(values)
    }

    fn per_class(&self) -> BTreeMap<String, BTreeMap<String, f64>> {
        BTreeMap::new()
    }

    fn classes(&self) -> Vec<String> {
        Vec::new()
    }
}
