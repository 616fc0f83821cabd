//! Class labels, and the order of their columns.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::{
    dataset::{Dataset, Values},
    onnx::error::EvalError,
};

/// More classes than this are a sign of a target that is no class.
const MOST_CLASSES: usize = 100_000;

/// A class's name. Text that is an integer is that integer: a CSV does not tell them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Label {
    Number(i64),
    Text(String),
}

impl Label {
    pub(super) fn of_text(text: &str) -> Self {
        match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => Label::Number(number),
            _ => Label::Text(text.to_owned()),
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Label::Number(number) => number.to_string(),
            Label::Text(text) => text.clone(),
        }
    }

    pub(super) fn json(&self) -> Value {
        match self {
            Label::Number(number) => Value::from(*number),
            Label::Text(text) => Value::from(text.as_str()),
        }
    }
}

/// Labels of a column; floating-point numbers must be whole.
pub(super) fn labels(values: Values) -> Result<Vec<Label>, crate::dataset::Misfit> {
    match values {
        Values::Text(texts) => Ok(texts.iter().map(|text| Label::of_text(text.trim())).collect()),
        values => Ok(values.numbers::<i64>()?.into_iter().map(Label::Number).collect()),
    }
}

/// Every distinct target, in order: one pass over that column alone.
pub(super) fn distinct(dataset: &Dataset, target: &str) -> Result<BTreeSet<Label>, EvalError> {
    let mut reader = dataset.reader(&[target])?;
    let mut found = BTreeSet::new();
    let mut first = 1;
    while let Some(mut batch) = reader.read(4096)? {
        let values = batch.remove(0);
        let rows = values.len() as u64;
        let labels = labels(values).map_err(|misfit| {
            dataset.error(Some(first + misfit.index as u64), Some(target), format!("{}: no class", misfit.message))
        })?;
        for label in labels {
            if !found.contains(&label) {
                found.insert(label);
            }
        }
        if found.len() > MOST_CLASSES {
            let message = format!("it has more than {MOST_CLASSES} different values; is the task a regression?");
            return Err(dataset.error(None, Some(target), message).into());
        }
        first += rows;
    }
    Ok(found)
}

/// The classes in the order of the model's columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Classes {
    labels: Vec<Label>,
    index: HashMap<Label, u32>,
}

impl Classes {
    pub(super) fn new(labels: impl IntoIterator<Item = Label>) -> Self {
        let mut classes = Self::default();
        for label in labels {
            classes.insert(label);
        }
        classes
    }

    /// The label's index; a new one at the end where it is not known yet.
    pub(super) fn insert(&mut self, label: Label) -> u32 {
        if let Some(index) = self.index.get(&label) {
            return *index;
        }
        let index = self.labels.len() as u32;
        self.labels.push(label.clone());
        self.index.insert(label, index);
        index
    }

    pub(super) fn index(&self, label: &Label) -> Option<u32> {
        // Most data sets number their classes from 0, which saves hashing a million labels.
        if let Label::Number(number) = label
            && let Ok(number) = u32::try_from(*number)
            && self.labels.get(number as usize) == Some(label)
        {
            return Some(number);
        }
        self.index.get(label).copied()
    }

    pub(super) fn label(&self, index: u32) -> &Label {
        &self.labels[index as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.labels.iter().map(Label::text).collect()
    }

    /// Which class each of `columns` scores speaks for: as given; else 0, 1, … where the targets are such
    /// numbers; else the targets in order, which is what scikit-learn does.
    pub(super) fn of_columns(
        columns: usize,
        given: &[String],
        targets: &BTreeSet<Label>,
        target: &str,
    ) -> Result<Self, EvalError> {
        let error = |message: String| Err(EvalError::Usage(message));
        let classes = if !given.is_empty() {
            Self::new(given.iter().map(|text| Label::of_text(text)))
        } else if targets.iter().all(|label| matches!(label, Label::Number(n) if (0..columns as i64).contains(n))) {
            Self::new((0..columns as i64).map(Label::Number))
        } else {
            Self::new(targets.iter().cloned())
        };
        if classes.len() != columns {
            return error(format!(
                "the model scores {columns} classes, but `{target}` has {} ({}); name them in the model's order with `classes`",
                classes.len(),
                crate::dataset::list(&classes.texts().iter().map(String::as_str).collect::<Vec<_>>())
            ));
        }
        if let Some(stranger) = targets.iter().find(|label| classes.index(label).is_none()) {
            return error(format!("the target `{}` in `{target}` is none of the classes", stranger.text()));
        }
        Ok(classes)
    }
}
