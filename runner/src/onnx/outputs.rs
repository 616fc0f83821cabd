//! Reading the numbers out of a model's outputs.

use ort::{session::SessionOutputs, value::TensorElementType};

use super::{
    error::EvalError,
    session::{Port, element_name},
};
use crate::dataset::{Values, list};

/// A matrix of floating-point outputs.
pub(super) struct Matrix {
    pub columns: usize,
    pub data: Vec<f64>,
    /// Machine epsilon of the type that the model answered in.
    pub epsilon: f64,
}

/// The first `rows` rows of an output of numbers, `[N]` or `[N, C]` (or `[N, 1, …, C]`).
pub(super) fn matrix(outputs: &SessionOutputs, name: &str, rows: usize) -> Result<Matrix, EvalError> {
    let value = outputs.get(name).ok_or_else(|| EvalError::Usage(format!("the model gave no output `{name}`")))?;
    let (shape, data, epsilon): (Vec<i64>, Vec<f64>, f64) = if let Ok((shape, data)) = value.try_extract_tensor::<f32>()
    {
        (shape.to_vec(), data.iter().map(|x| f64::from(*x)).collect(), f64::from(f32::EPSILON))
    } else if let Ok((shape, data)) = value.try_extract_tensor::<f64>() {
        (shape.to_vec(), data.to_vec(), f64::EPSILON)
    } else {
        return Err(EvalError::Usage(format!(
            "the output `{name}` is {}, not a matrix of float32 or float64",
            value.dtype()
        )));
    };
    let available = shape.first().map_or(1, |rows| *rows as usize);
    if available < rows || available == 0 {
        return Err(EvalError::Usage(format!("the output `{name}` has {available} rows for {rows} rows of input")));
    }
    let columns = data.len() / available;
    let mut data = data;
    data.truncate(rows * columns);
    Ok(Matrix { columns, data, epsilon })
}

/// The first `rows` labels of an output of integers or text, `[N]` or `[N, 1]`.
pub(super) fn labels(outputs: &SessionOutputs, name: &str, rows: usize) -> Result<Values, EvalError> {
    let value = outputs.get(name).ok_or_else(|| EvalError::Usage(format!("the model gave no output `{name}`")))?;
    let mut values = if let Ok((_, data)) = value.try_extract_tensor::<i64>() {
        Values::I64(data.to_vec())
    } else if let Ok((_, data)) = value.try_extract_tensor::<i32>() {
        Values::I32(data.to_vec())
    } else if let Ok((_, data)) = value.try_extract_strings() {
        Values::Text(data)
    } else {
        return Err(EvalError::Usage(format!(
            "the output `{name}` is {}, not labels of integers or text",
            value.dtype()
        )));
    };
    let available = values.len();
    if available < rows {
        return Err(EvalError::Usage(format!("the output `{name}` has {available} labels for {rows} rows of input")));
    }
    match &mut values {
        Values::I64(v) => v.truncate(rows),
        Values::I32(v) => v.truncate(rows),
        Values::Text(v) => v.truncate(rows),
        _ => unreachable!("made above"),
    }
    Ok(values)
}

/// Names of the outputs that carry a classifier's labels and its scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClassifierOutputs {
    pub labels: Option<String>,
    pub scores: Option<String>,
}

/// Finds them by type, and among several of one type by name.
pub(super) fn classifier_outputs(ports: &[Port]) -> Result<ClassifierOutputs, EvalError> {
    let pick = |wanted: fn(TensorElementType) -> bool, words: &[&str]| {
        let of_type: Vec<&Port> =
            ports.iter().filter(|port| port.tensor.as_ref().is_some_and(|tensor| wanted(tensor.element))).collect();
        let named = of_type.iter().find(|port| {
            let name = port.name.to_lowercase();
            words.iter().any(|word| name.contains(word))
        });
        named.or(of_type.first()).map(|port| port.name.clone())
    };
    let labels = pick(
        |element| matches!(element, TensorElementType::Int64 | TensorElementType::Int32 | TensorElementType::String),
        &["label", "class", "pred"],
    );
    let scores = pick(
        |element| matches!(element, TensorElementType::Float32 | TensorElementType::Float64),
        &["prob", "logit", "score"],
    );
    if labels.is_none() && scores.is_none() {
        let known: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        return Err(EvalError::Usage(format!(
            "the model gives neither labels nor scores of classes; it gives {}",
            list(&known)
        )));
    }
    Ok(ClassifierOutputs { labels, scores })
}

/// The one output of floating-point numbers.
pub(super) fn regression_output(ports: &[Port]) -> Result<String, EvalError> {
    let floats = |port: &&Port| {
        port.tensor
            .as_ref()
            .is_some_and(|tensor| matches!(tensor.element, TensorElementType::Float32 | TensorElementType::Float64))
    };
    ports.iter().find(floats).map(|port| port.name.clone()).ok_or_else(|| {
        let known: Vec<String> = ports
            .iter()
            .map(|port| {
                let element = port.tensor.as_ref().map_or_else(|| "no tensor".to_owned(), |t| element_name(t.element));
                format!("{} ({element})", port.name)
            })
            .collect();
        EvalError::Usage(format!("the model gives no floating-point number; it gives {}", known.join(", ")))
    })
}
