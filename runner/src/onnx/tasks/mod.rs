//! What a model is asked to do, and how its answers are judged. A task is one file.
//!
//! A task sees answers, never ONNX Runtime: it judges a chunk of rows at a time, and keeps of it only what the
//! metrics asked for need.

mod classification;
mod labels;
mod multilabel;
mod pairs;
mod probabilities;
mod ranking;
mod regression;
mod retrieval;
mod similarity;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    str::FromStr,
};

use serde_json::Value;

use super::{answers::Answers, error::EvalError, session::Port};
use crate::dataset::{Dataset, Misfit, Values};

/// The tasks that Assay knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// One of several classes, from labels, probabilities or logits.
    Classification,
    /// The same of texts, with a tokenizer.
    TextClassification,
    /// Any number of labels.
    Multilabel,
    /// One number.
    Regression,
    /// How alike the two of a pair are, by the cosine of their embeddings.
    Similarity,
    /// Which other examples are of an example's class, by the cosine of their embeddings.
    Retrieval,
    /// The order of a query's documents, by one score each or by the cosine of a pair's embeddings.
    Ranking,
}

impl TaskKind {
    pub const ALL: [TaskKind; 7] = [
        TaskKind::Classification,
        TaskKind::TextClassification,
        TaskKind::Multilabel,
        TaskKind::Regression,
        TaskKind::Similarity,
        TaskKind::Retrieval,
        TaskKind::Ranking,
    ];
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TaskKind::Classification => "classification",
            TaskKind::TextClassification => "text-classification",
            TaskKind::Multilabel => "multilabel",
            TaskKind::Regression => "regression",
            TaskKind::Similarity => "similarity",
            TaskKind::Retrieval => "retrieval",
            TaskKind::Ranking => "ranking",
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

/// A chunk of rows with the model's answers.
pub(super) struct Chunk<'a> {
    /// Number of the first row in the data set, from 1.
    pub first: u64,
    pub rows: usize,
    /// One for each target column.
    pub targets: Vec<Values>,
    pub groups: Option<&'a [String]>,
    /// For each slice column, each row's slice.
    pub slices: &'a [Vec<u32>],
    /// One for each side of a pair.
    pub answers: Vec<Answers>,
}

/// One example, judged.
pub(super) struct Judged {
    /// None: the next row's.
    pub id: Option<String>,
    pub target: Value,
    pub prediction: Value,
    pub score: Option<f64>,
    pub values: BTreeMap<String, f64>,
}

/// Where judgements go, if anybody wants them.
pub(super) struct Told {
    pub wanted: bool,
    pub judged: VecDeque<Judged>,
}

impl Told {
    fn say(&mut self, judged: impl FnOnce() -> Judged) {
        if self.wanted {
            self.judged.push_back(judged());
        }
    }
}

/// Judges chunk by chunk.
pub(super) trait Task {
    /// The model's outputs that are wanted.
    fn outputs(&self) -> Vec<String>;

    fn judge(&mut self, chunk: Chunk<'_>, told: &mut Told) -> Result<(), EvalError>;

    /// What can be said only when all rows were seen.
    fn finish(&mut self, _told: &mut Told) -> Result<(), EvalError> {
        Ok(())
    }

    /// The metrics that were asked for, of a slice or of all examples.
    fn metrics(&self, slice: Option<usize>) -> Result<BTreeMap<String, f64>, EvalError>;

    /// Examples of a slice.
    fn count(&self, slice: usize) -> u64;

    fn per_class(&self) -> BTreeMap<String, BTreeMap<String, f64>> {
        BTreeMap::new()
    }

    /// Target → prediction → examples.
    fn confusion(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        BTreeMap::new()
    }

    /// Labels in the order of probability columns; empty for tasks without classes.
    fn classes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What a task is made from.
pub(super) struct TaskSetup<'a> {
    pub kind: TaskKind,
    /// None: the task's own choice, as far as the model's outputs allow it.
    pub metrics: Option<&'a [String]>,
    pub classes: &'a [String],
    pub targets: &'a [String],
    pub dataset: &'a Dataset,
    pub outputs: &'a [Port],
    /// Whether two of each row are given to the model.
    pub pair: bool,
}

impl TaskSetup<'_> {
    /// The task's one target.
    fn target(&self) -> Target {
        Target { dataset: self.dataset.clone(), column: self.targets[0].clone() }
    }

    /// Refuses metrics that are none of the task's.
    fn check_metrics(&self, known: &[&str], is_known: impl Fn(&str) -> bool) -> Result<Option<Vec<String>>, EvalError> {
        if let Some(name) = self.metrics.unwrap_or_default().iter().find(|name| !is_known(name)) {
            return Err(EvalError::Usage(format!(
                "`{name}` is not a metric of {}; it has {}",
                self.kind,
                known.join(", ")
            )));
        }
        Ok(self.metrics.map(<[String]>::to_vec))
    }
}

/// Makes a task, which may read the targets of the whole data set once.
pub(super) fn task(setup: &TaskSetup) -> Result<Box<dyn Task>, EvalError> {
    Ok(match setup.kind {
        TaskKind::Classification | TaskKind::TextClassification => {
            Box::new(classification::Classification::new(setup)?)
        }
        TaskKind::Multilabel => Box::new(multilabel::Multilabel::new(setup)?),
        TaskKind::Regression => Box::new(regression::Regression::new(setup)?),
        TaskKind::Similarity => Box::new(similarity::Similarity::new(setup)?),
        TaskKind::Retrieval => Box::new(retrieval::Retrieval::new(setup)?),
        TaskKind::Ranking => Box::new(ranking::Ranking::new(setup)?),
    })
}

/// The column of right answers, for reading it and for errors about it.
struct Target {
    dataset: Dataset,
    column: String,
}

impl Target {
    fn error(&self, row: u64, message: String) -> EvalError {
        self.dataset.error(Some(row), Some(&self.column), message).into()
    }

    fn misfit(&self, first: u64, misfit: Misfit) -> EvalError {
        self.error(first + misfit.index as u64, misfit.message)
    }

    /// Finite numbers.
    fn numbers(&self, first: u64, values: Values) -> Result<Vec<f64>, EvalError> {
        let numbers = values.numbers::<f64>().map_err(|misfit| self.misfit(first, misfit))?;
        match numbers.iter().position(|number| !number.is_finite()) {
            Some(index) => Err(self.error(first + index as u64, "it is not a finite number".to_owned())),
            None => Ok(numbers),
        }
    }
}

/// The model's answers must be numbers; which row has one that is none.
fn refuse_nan(numbers: &[f64], width: usize, first: u64) -> Result<(), EvalError> {
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(index) => Err(EvalError::Usage(format!(
            "the model's answer to row {} is {}, not a finite number",
            first + (index / width.max(1)) as u64,
            numbers[index]
        ))),
        None => Ok(()),
    }
}

/// One gatherer for all examples, and one for each slice.
struct Sliced<T> {
    blank: T,
    all: (T, u64),
    slices: Vec<(T, u64)>,
}

impl<T: Clone> Sliced<T> {
    fn new(blank: T) -> Self {
        Self { all: (blank.clone(), 0), blank, slices: Vec::new() }
    }

    /// Adds one row to all gatherers that it belongs to.
    fn add(&mut self, slices: &[Vec<u32>], row: usize, mut add: impl FnMut(&mut T)) {
        add(&mut self.all.0);
        self.all.1 += 1;
        for of_column in slices {
            let slice = of_column[row] as usize;
            if self.slices.len() <= slice {
                self.slices.resize_with(slice + 1, || (self.blank.clone(), 0));
            }
            add(&mut self.slices[slice].0);
            self.slices[slice].1 += 1;
        }
    }

    /// Changes every gatherer, and those to come.
    fn each(&mut self, mut change: impl FnMut(&mut T)) {
        change(&mut self.blank);
        change(&mut self.all.0);
        self.slices.iter_mut().for_each(|(slice, _)| change(slice));
    }

    fn get(&self, slice: Option<usize>) -> &T {
        match slice {
            None => &self.all.0,
            Some(slice) => self.slices.get(slice).map_or(&self.blank, |(of, _)| of),
        }
    }

    fn count(&self, slice: usize) -> u64 {
        self.slices.get(slice).map_or(0, |(_, count)| *count)
    }
}

/// The metrics asked for, or the usual ones. What was asked for must be defined for all examples; of a slice, and
/// of the usual ones, what is undefined is absent.
fn metrics_of(
    asked: Option<&[String]>,
    usual: &[&str],
    slice: Option<usize>,
    of: impl Fn(&str) -> Result<Option<f64>, String>,
) -> Result<BTreeMap<String, f64>, EvalError> {
    let mut metrics = BTreeMap::new();
    let Some(asked) = asked else {
        for name in usual {
            if let Ok(Some(value)) = of(name) {
                metrics.insert((*name).to_owned(), value);
            }
        }
        return Ok(metrics);
    };
    for name in asked {
        match of(name).map_err(EvalError::Usage)? {
            Some(value) => {
                metrics.insert(name.clone(), value);
            }
            None if slice.is_some() => {}
            None => {
                return Err(EvalError::Usage(format!(
                    "`{name}` is not defined on this data set: too few examples, all targets alike, or a class that never occurs"
                )));
            }
        }
    }
    Ok(metrics)
}
