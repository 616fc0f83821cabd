//! What a model answered to a chunk of rows, copied out batch by batch.
//!
//! Copying is all that happens between two runs of the model; answers are judged a chunk at a time.

use ort::{
    session::SessionOutputs,
    value::{DynMapValueType, DynValue, TensorElementType, Value, ValueType},
};

use super::{
    error::EvalError,
    session::{Port, element_name},
};
use crate::dataset::{Values, list};

/// One output's answers, rows one after the other.
#[derive(Debug)]
pub(super) struct Answer {
    pub name: String,
    pub values: Values,
    /// Rows that are awaited: room for them is made once.
    rows: usize,
    /// Values of a row.
    pub width: usize,
    /// Classes by name, where the model answers with maps (ZipMap); else empty.
    pub keys: Vec<String>,
    /// Machine epsilon of the type that the model answered in; 0 for what is no floating-point number.
    pub epsilon: f64,
}

/// The outputs that a task wants.
#[derive(Debug)]
pub(super) struct Answers(Vec<Answer>);

impl Answers {
    /// Those to `rows` rows.
    pub(super) fn new(names: &[String], rows: usize) -> Self {
        let answer = |name: &String| Answer {
            name: name.clone(),
            values: Values::F32(Vec::new()),
            rows,
            width: 0,
            keys: Vec::new(),
            epsilon: 0.0,
        };
        Self(names.iter().map(answer).collect())
    }

    /// Takes the answers to `rows` rows; the model may have been given `padded`.
    pub(super) fn add(&mut self, outputs: &SessionOutputs, rows: usize, padded: usize) -> Result<(), EvalError> {
        for answer in &mut self.0 {
            let value = outputs.get(&answer.name);
            let value = value.ok_or_else(|| EvalError::Usage(format!("the model gave no output `{}`", answer.name)))?;
            answer.add(value, rows, padded)?;
        }
        Ok(())
    }

    /// The output of this name, which the task asked for.
    pub(super) fn take(&mut self, name: &str) -> Result<Answer, EvalError> {
        let index = self.0.iter().position(|answer| answer.name == name);
        let index = index.ok_or_else(|| EvalError::Usage(format!("the model gave no output `{name}`")))?;
        Ok(self.0.swap_remove(index))
    }
}

impl Answer {
    fn add(&mut self, value: &DynValue, rows: usize, padded: usize) -> Result<(), EvalError> {
        macro_rules! plain {
            ($type:ty, $variant:ident, $epsilon:expr) => {{
                let (shape, data) = value.try_extract_tensor::<$type>().map_err(|e| self.wrong(e.message()))?;
                let data = self.rows_of(shape, data, rows, padded)?;
                self.epsilon = $epsilon;
                match &mut self.values {
                    Values::$variant(all) => all.extend_from_slice(data),
                    _ => {
                        let mut all = Vec::with_capacity(self.rows * self.width);
                        all.extend_from_slice(data);
                        self.values = Values::$variant(all);
                    }
                }
            }};
        }
        match value.dtype() {
            ValueType::Tensor { ty, .. } => match ty {
                TensorElementType::Float16 => plain!(half::f16, F16, half::f16::EPSILON.to_f64()),
                TensorElementType::Float32 => plain!(f32, F32, f64::from(f32::EPSILON)),
                TensorElementType::Float64 => plain!(f64, F64, f64::EPSILON),
                TensorElementType::Int64 => plain!(i64, I64, 0.0),
                TensorElementType::Int32 => plain!(i32, I32, 0.0),
                TensorElementType::Bool => plain!(bool, Bool, 0.0),
                TensorElementType::String => {
                    let (shape, data) = value.try_extract_strings().map_err(|e| self.wrong(e.message()))?;
                    let data = self.rows_of(shape, &data, rows, padded)?.to_vec();
                    match &mut self.values {
                        Values::Text(all) => all.extend(data),
                        _ => self.values = Values::Text(data),
                    }
                }
                other => return Err(self.wrong(&format!("it is of {}", element_name(*other)))),
            },
            ValueType::Sequence(_) => self.add_maps(value, rows)?,
            ValueType::Map { .. } | ValueType::Optional(_) => return Err(self.wrong(&value.dtype().to_string())),
        }
        Ok(())
    }

    fn wrong(&self, reason: &str) -> EvalError {
        EvalError::Usage(format!("the output `{}` is not what Assay reads: {reason}", self.name))
    }

    /// The first `rows` rows of an output `[N, …]`, which must have as many as the model was given.
    fn rows_of<'d, T>(
        &mut self,
        shape: &[i64],
        data: &'d [T],
        rows: usize,
        padded: usize,
    ) -> Result<&'d [T], EvalError> {
        let available = shape.first().map_or(1, |rows| *rows as usize);
        if available != padded {
            return Err(EvalError::Usage(format!(
                "the output `{}` has {available} rows for {padded} rows of input",
                self.name
            )));
        }
        let width = data.len() / available;
        if self.width != 0 && self.width != width {
            return Err(EvalError::Usage(format!(
                "the output `{}` has {width} values a row, and had {} before",
                self.name, self.width
            )));
        }
        self.width = width;
        Ok(&data[..rows * width])
    }

    /// A map from class to probability for each row, as scikit-learn's converter makes by default.
    fn add_maps(&mut self, value: &DynValue, rows: usize) -> Result<(), EvalError> {
        let maps = value.try_extract_sequence::<DynMapValueType>().map_err(|e| self.wrong(e.message()))?;
        if maps.len() < rows {
            return Err(self.wrong(&format!("it has {} maps for {rows} rows", maps.len())));
        }
        for map in &maps[..rows] {
            let pairs = pairs(map).map_err(|e| self.wrong(e.message()))?;
            if self.keys.is_empty() {
                self.keys = pairs.iter().map(|(key, _)| key.clone()).collect();
                self.width = pairs.len();
                self.epsilon = f64::from(f32::EPSILON);
                self.values = Values::F32(Vec::new());
            }
            if !pairs.iter().map(|(key, _)| key).eq(&self.keys) {
                return Err(self.wrong("its maps have different keys"));
            }
            if let Values::F32(all) = &mut self.values {
                all.extend(pairs.iter().map(|(_, score)| score));
            }
        }
        Ok(())
    }

    /// Floating-point numbers, or an error that says what there is.
    pub(super) fn numbers(self) -> Result<Vec<f64>, EvalError> {
        match &self.values {
            Values::F16(_) | Values::F32(_) | Values::F64(_) => {
                self.values.numbers().map_err(|misfit| EvalError::Usage(misfit.message))
            }
            other => {
                let kind = other.kind().name();
                Err(EvalError::Usage(format!("the output `{}` is of {kind}, not of floating-point numbers", self.name)))
            }
        }
    }
}

/// Keys in order, so that maps of one model agree.
fn pairs(map: &Value<DynMapValueType>) -> ort::Result<Vec<(String, f32)>> {
    if let Ok(mut pairs) = map.try_extract_key_values::<i64, f32>() {
        pairs.sort_by_key(|(key, _)| *key);
        return Ok(pairs.into_iter().map(|(key, score)| (key.to_string(), score)).collect());
    }
    let mut pairs = map.try_extract_key_values::<String, f32>()?;
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(pairs)
}

/// Whether each of these outputs is numbers, of one size for every batch of one size.
pub(super) fn are_of_one_size(ports: &[Port], names: &[String]) -> bool {
    names.iter().all(|name| {
        let tensor = ports.iter().find(|port| port.name == *name).and_then(|port| port.tensor.as_ref());
        tensor.is_some_and(|tensor| {
            let row = tensor.shape.get(1..).unwrap_or_default();
            tensor.element != TensorElementType::String && !tensor.shape.is_empty() && row.iter().all(Option::is_some)
        })
    })
}

/// Names of the outputs that carry a classifier's labels and its scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClassifierOutputs {
    pub labels: Option<String>,
    pub scores: Option<String>,
}

/// Finds them by type, and among several of one type by name.
pub(super) fn classifier_outputs(ports: &[Port]) -> Result<ClassifierOutputs, EvalError> {
    let pick = |wanted: &dyn Fn(&Port) -> bool, words: &[&str]| {
        let of_type: Vec<&Port> = ports.iter().filter(|port| wanted(port)).collect();
        let named = of_type.iter().find(|port| {
            let name = port.name.to_lowercase();
            words.iter().any(|word| name.contains(word))
        });
        named.or(of_type.first()).map(|port| port.name.clone())
    };
    let labels = pick(
        &|port| {
            port.tensor.as_ref().is_some_and(|tensor| {
                matches!(
                    tensor.element,
                    TensorElementType::Int64
                        | TensorElementType::Int32
                        | TensorElementType::String
                        | TensorElementType::Bool
                )
            })
        },
        &["label", "class", "pred"],
    );
    // What is no tensor is a sequence of maps.
    let scores =
        pick(&|port| port.tensor.as_ref().is_none_or(|tensor| is_float(tensor.element)), &["prob", "logit", "score"]);
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

impl ClassifierOutputs {
    pub(super) fn names(&self) -> Vec<String> {
        self.labels.iter().chain(&self.scores).cloned().collect()
    }
}

fn is_float(element: TensorElementType) -> bool {
    matches!(element, TensorElementType::Float16 | TensorElementType::Float32 | TensorElementType::Float64)
}

/// The first output of floating-point numbers whose name has one of these words, else the first at all.
pub(super) fn number_output(ports: &[Port], words: &[&str]) -> Result<String, EvalError> {
    let floats: Vec<&Port> =
        ports.iter().filter(|port| port.tensor.as_ref().is_some_and(|tensor| is_float(tensor.element))).collect();
    let named = floats.iter().find(|port| words.iter().any(|word| port.name.to_lowercase().contains(word)));
    named.or(floats.first()).map(|port| port.name.clone()).ok_or_else(|| {
        let known: Vec<String> = ports.iter().map(ToString::to_string).collect();
        EvalError::Usage(format!("the model gives no floating-point number; it gives {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::session::TensorType;

    #[test]
    fn only_numbers_of_a_known_size_keep_their_memory() {
        let port = |name: &str, element, shape: &[Option<usize>]| Port {
            name: name.to_owned(),
            tensor: Some(TensorType { element, shape: shape.to_vec(), symbols: vec![String::new(); shape.len()] }),
        };
        let (float, text) = (TensorElementType::Float32, TensorElementType::String);
        let ports = [
            port("probabilities", float, &[None, Some(10)]),
            port("fixed", float, &[Some(4), Some(10)]),
            port("one", float, &[None]),
            port("labels", text, &[None]),
            port("tokens", float, &[None, None, Some(64)]),
            port("scalar", float, &[]),
            Port { name: "maps".to_owned(), tensor: None },
        ];
        let of_one_size =
            |names: &[&str]| are_of_one_size(&ports, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert!(of_one_size(&["probabilities", "fixed", "one"]));
        for odd in ["labels", "tokens", "scalar", "maps", "missing"] {
            assert!(!of_one_size(&["probabilities", odd]), "{odd}");
        }
    }
}
