//! What a model is asked to do, and how its answers are judged. A task is one file.

mod classification;
mod labels;
mod regression;

use std::{collections::BTreeMap, fmt, str::FromStr};

use ort::session::SessionOutputs;
use serde_json::Value;

use super::{error::EvalError, session::Port};
use crate::dataset::{Dataset, Values};

/// The tasks that Assay knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// One of several classes, from labels, probabilities or logits.
    Classification,
    /// One number.
    Regression,
}

impl TaskKind {
    pub const ALL: [TaskKind; 2] = [TaskKind::Classification, TaskKind::Regression];
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TaskKind::Classification => "classification",
            TaskKind::Regression => "regression",
        })
    }
}

impl FromStr for TaskKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = TaskKind::ALL.map(|task| task.to_string());
        TaskKind::ALL
            .into_iter()
            .find(|task| task.to_string() == text)
            .ok_or_else(|| format!("`{text}` is not a task that Assay knows ({})", known.join(", ")))
    }
}

/// One example, judged.
pub(super) struct Judged {
    pub target: Value,
    pub prediction: Value,
    pub score: Option<f64>,
    pub values: BTreeMap<String, f64>,
}

/// Judges batch by batch, and keeps of each example what the metrics need.
pub(super) trait Task {
    /// Judges the first `rows` rows of the outputs. `first` is the first one's number in the data set.
    fn judge(&mut self, outputs: &SessionOutputs, rows: usize, targets: Values, first: u64) -> Result<(), EvalError>;

    /// The example judged as the `index`-th, from 0.
    fn example(&self, index: usize) -> Judged;

    /// The metrics that were asked for, of these examples or of all.
    fn metrics(&self, subset: Option<&[usize]>) -> Result<BTreeMap<String, f64>, EvalError>;

    fn per_class(&self) -> BTreeMap<String, BTreeMap<String, f64>>;

    /// Labels in the order of probability columns; empty for tasks without classes.
    fn classes(&self) -> Vec<String>;
}

/// What a task is made from.
pub(super) struct TaskSetup<'a> {
    pub kind: TaskKind,
    /// None: the task's own choice, as far as the model's outputs allow it.
    pub metrics: Option<&'a [String]>,
    pub classes: &'a [String],
    pub target: &'a str,
    pub dataset: &'a Dataset,
    pub outputs: &'a [Port],
}

/// Makes a task, which may read the targets of the whole data set once.
pub(super) fn task(setup: &TaskSetup) -> Result<Box<dyn Task>, EvalError> {
    Ok(match setup.kind {
        TaskKind::Classification => Box::new(classification::Classification::new(setup)?),
        TaskKind::Regression => Box::new(regression::Regression::new(setup)?),
    })
}

/// The metric is none of the task's.
fn unknown_metric(name: &str, kind: TaskKind, known: &[&str]) -> EvalError {
    EvalError::Usage(format!("`{name}` is not a metric of {kind}; it has {}", known.join(", ")))
}
