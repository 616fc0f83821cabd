//! Embeddings, and how alike two of them are.

use super::{Port, refuse_nan};
use crate::onnx::{
    answers::{Answers, number_output},
    error::EvalError,
};

/// The output that holds embeddings.
pub(super) fn embedding_output(ports: &[Port]) -> Result<String, EvalError> {
    number_output(ports, &["embed", "pool", "sentence", "feature"])
}

/// Rows of embeddings, and their width.
pub(super) fn embeddings(answers: &mut Answers, output: &str, first: u64) -> Result<(Vec<f64>, usize), EvalError> {
    let answer = answers.take(output)?;
    let width = answer.width;
    let numbers = answer.numbers()?;
    refuse_nan(&numbers, width, first)?;
    Ok((numbers, width))
}

/// The cosine of the angle between two embeddings; 0 where one has no direction.
pub(super) fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let norm = (dot(a, a) * dot(b, b)).sqrt();
    if norm == 0.0 { 0.0 } else { dot(a, b) / norm }
}

/// The cosine of each row's pair of embeddings.
pub(super) fn cosines(answers: &mut [Answers], output: &str, first: u64) -> Result<Vec<f64>, EvalError> {
    let [one, other] = answers else {
        return Err(EvalError::Usage(
            "the task compares two; say which columns the other one has with `pair`".to_owned(),
        ));
    };
    let (one, width) = embeddings(one, output, first)?;
    let (other, _) = embeddings(other, output, first)?;
    Ok(one.chunks(width).zip(other.chunks(width)).map(|(a, b)| cosine(a, b)).collect())
}
