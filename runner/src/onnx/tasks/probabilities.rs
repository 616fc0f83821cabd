//! From a model's scores to probabilities, whichever of the two they are.

use super::refuse_nan;
use crate::onnx::{answers::Answer, error::EvalError};

/// Rows of probabilities, one for each class.
pub(super) struct Probabilities {
    pub columns: usize,
    pub data: Vec<f64>,
    /// Machine epsilon of the type that the model answered in.
    pub epsilon: f64,
}

impl Probabilities {
    pub(super) fn row(&self, row: usize) -> &[f64] {
        &self.data[row * self.columns..(row + 1) * self.columns]
    }
}

/// Whether scores are probabilities already shows in the first chunk, and must stay so.
#[derive(Default)]
pub(super) struct Reading {
    are_logits: Option<bool>,
}

impl Reading {
    /// Of classes that exclude each other: logits go through softmax; one number is the second class's of two.
    pub(super) fn of_classes(&mut self, scores: Answer, first: u64) -> Result<Probabilities, EvalError> {
        let (columns, epsilon) = (scores.width, scores.epsilon);
        let data = scores.numbers()?;
        let are_logits = self.are_logits(&data, columns, first, is_distribution)?;
        if columns == 1 {
            let second = data.iter().map(|score| if are_logits { sigmoid(*score) } else { *score });
            return Ok(Probabilities { columns: 2, data: second.flat_map(|p| [1.0 - p, p]).collect(), epsilon });
        }
        let mut data = data;
        if are_logits {
            data.chunks_mut(columns).for_each(softmax);
        }
        Ok(Probabilities { columns, data, epsilon })
    }

    /// Of labels that go together: logits go through the logistic function.
    pub(super) fn of_labels(&mut self, scores: Answer, first: u64) -> Result<Probabilities, EvalError> {
        let (columns, epsilon) = (scores.width, scores.epsilon);
        let mut data = scores.numbers()?;
        if self.are_logits(&data, columns, first, |row| row.iter().all(|p| (0.0..=1.0).contains(p)))? {
            data.iter_mut().for_each(|score| *score = sigmoid(*score));
        }
        Ok(Probabilities { columns, data, epsilon })
    }

    fn are_logits(
        &mut self,
        data: &[f64],
        columns: usize,
        first: u64,
        probable: impl Fn(&[f64]) -> bool,
    ) -> Result<bool, EvalError> {
        refuse_nan(data, columns, first)?;
        let odd = data.chunks(columns.max(1)).position(|row| !probable(row));
        let are_logits = *self.are_logits.get_or_insert(odd.is_some());
        match odd {
            Some(row) if !are_logits => Err(EvalError::Usage(format!(
                "the scores of row {} are no probabilities, though the first ones looked like them",
                first + row as u64
            ))),
            Some(_) | None => Ok(are_logits),
        }
    }
}

/// All in [0, 1]; and adding up to one, where there is more than one (half precision loses three digits).
fn is_distribution(row: &[f64]) -> bool {
    row.iter().all(|p| (0.0..=1.0).contains(p)) && (row.len() == 1 || (row.iter().sum::<f64>() - 1.0).abs() < 2e-3)
}

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

fn softmax(row: &mut [f64]) {
    let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    row.iter_mut().for_each(|score| *score = (*score - highest).exp());
    let total: f64 = row.iter().sum();
    row.iter_mut().for_each(|score| *score /= total);
}

/// The first of the highest, as NumPy's `argmax`.
pub(super) fn argmax(row: &[f64]) -> usize {
    let mut best = 0;
    for (class, score) in row.iter().enumerate() {
        if *score > row[best] {
            best = class;
        }
    }
    best
}
