//! Rows of a data set in the types that the model takes, and views of them as its tensors.

use std::ops::Range;

use ort::{
    session::SessionInputValue,
    value::{Shape, Tensor, TensorElementType, TensorRef},
};

use super::{EvalError, Input};
use crate::{
    dataset::{DataError, Dataset, Values},
    onnx::session::element_name,
};

impl Input {
    pub(super) fn element_values(
        &self,
        parts: Vec<(&str, Values)>,
        rows: usize,
        first: u64,
        dataset: &Dataset,
    ) -> Result<Values, EvalError> {
        let parts = match &self.image {
            None => parts,
            Some(image) => {
                let mut numbers = Vec::new();
                for (name, images) in parts {
                    let converted = image.convert(&images, dataset.directory());
                    let converted: Result<_, DataError> = converted
                        .map_err(|(index, message)| dataset.error(Some(first + index as u64), Some(name), message));
                    numbers.push((name, Values::F64(converted?)));
                }
                numbers
            }
        };
        macro_rules! gather {
            ($variant:ident) => {
                Values::$variant(interleave(parts, rows, first, dataset)?)
            };
        }
        Ok(match self.element {
            TensorElementType::Float16 => gather!(F16),
            TensorElementType::Float32 => gather!(F32),
            TensorElementType::Float64 => gather!(F64),
            TensorElementType::Int8 => gather!(I8),
            TensorElementType::Int16 => gather!(I16),
            TensorElementType::Int32 => gather!(I32),
            TensorElementType::Int64 => gather!(I64),
            TensorElementType::Uint8 => gather!(U8),
            TensorElementType::Uint16 => gather!(U16),
            TensorElementType::Uint32 => gather!(U32),
            TensorElementType::Uint64 => gather!(U64),
            TensorElementType::Bool => gather!(Bool),
            TensorElementType::String => {
                let columns: Vec<Vec<String>> = parts.into_iter().map(|(_, values)| values.texts()).collect();
                Values::Text(transpose(columns, rows))
            }
            other => {
                return Err(EvalError::Usage(format!("the input `{}` is of {}", self.port, element_name(other))));
            }
        })
    }
}

/// Numbers of several columns, row by row.
fn interleave<T: crate::dataset::Element>(
    parts: Vec<(&str, Values)>,
    rows: usize,
    first: u64,
    dataset: &Dataset,
) -> Result<Vec<T>, EvalError> {
    let mut columns = Vec::with_capacity(parts.len());
    for (name, values) in parts {
        let width = values.len() / rows.max(1);
        let numbers = values.numbers().map_err(|misfit| {
            let row = first + (misfit.index / width.max(1)) as u64;
            dataset.error(Some(row), Some(name), misfit.message)
        })?;
        columns.push(numbers);
    }
    Ok(transpose(columns, rows))
}

fn transpose<T: Clone>(mut columns: Vec<Vec<T>>, rows: usize) -> Vec<T> {
    if columns.len() == 1 {
        return columns.remove(0);
    }
    (0..rows).flat_map(|row| columns.iter().map(move |column| column[row].clone())).collect()
}

pub(super) fn view<'v>(
    values: &'v Values,
    rows: Range<usize>,
    row: &[usize],
) -> Result<SessionInputValue<'v>, ort::Error> {
    let width: usize = row.iter().product();
    // Up to four dimensions lie in it without an allocation: there is one of these a batch, and a batch may be one row.
    let shape = Shape::new(std::iter::once(rows.len()).chain(row.iter().copied()).map(|size| size as i64));
    let range = rows.start * width..rows.end * width;
    macro_rules! tensor {
        ($values:expr) => {
            TensorRef::from_array_view((shape, &$values[range]))?.into()
        };
    }
    Ok(match values {
        Values::F16(v) => tensor!(v),
        Values::F32(v) => tensor!(v),
        Values::F64(v) => tensor!(v),
        Values::I8(v) => tensor!(v),
        Values::I16(v) => tensor!(v),
        Values::I32(v) => tensor!(v),
        Values::I64(v) => tensor!(v),
        Values::U8(v) => tensor!(v),
        Values::U16(v) => tensor!(v),
        Values::U32(v) => tensor!(v),
        Values::U64(v) => tensor!(v),
        Values::Bool(v) => tensor!(v),
        Values::Text(v) => Tensor::from_string_array((shape, &v[range]))?.into(),
        Values::Bytes(_) => return Err(ort::Error::new("bytes are no tensor")),
    })
}
