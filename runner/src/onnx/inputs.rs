//! Which columns feed which input of the model, checked against its signature before the first batch.

use std::{collections::BTreeMap, ops::Range};

use ort::{
    session::SessionInputValue,
    value::{Tensor, TensorElementType, TensorRef},
};

use super::{
    error::EvalError,
    session::{Port, TensorType, element_name},
};
use crate::dataset::{Column, Dataset, Kind, Values, list};

/// The plan: for each input of the model, in order, its columns.
#[derive(Debug)]
pub(super) struct Inputs {
    inputs: Vec<Input>,
}

#[derive(Debug)]
struct Input {
    port: String,
    element: TensorElementType,
    /// Dimensions of one row.
    row: Vec<usize>,
    columns: Vec<String>,
}

impl Inputs {
    /// `mapping` names columns for inputs; the rest goes by name, or to the only input that is left.
    /// `reserved` are the columns with another meaning (target, id, …).
    pub(super) fn plan(
        ports: &[Port],
        dataset: &Dataset,
        mapping: &BTreeMap<String, Vec<String>>,
        reserved: &[&str],
    ) -> Result<Self, EvalError> {
        let usage = |message: String| EvalError::Usage(message);
        if let Some(name) = mapping.keys().find(|name| !ports.iter().any(|port| port.name == **name)) {
            let known: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
            return Err(usage(format!("inputs: the model has no input `{name}`; it has {}", list(&known))));
        }
        let mut columns: BTreeMap<&str, Vec<&Column>> = BTreeMap::new();
        for port in ports {
            if let Some(names) = mapping.get(&port.name) {
                let found: Option<Vec<&Column>> = names.iter().map(|name| dataset.column(name)).collect();
                let found = found.ok_or_else(|| {
                    usage(format!("inputs: `{}` names a column that {} lacks", port.name, dataset.path().display()))
                })?;
                columns.insert(&port.name, found);
            } else if let Some(column) = dataset.column(&port.name)
                && !reserved.contains(&column.name.as_str())
            {
                columns.insert(&port.name, vec![column]);
            }
        }
        let open: Vec<&Port> = ports.iter().filter(|port| !columns.contains_key(port.name.as_str())).collect();
        let used: Vec<&str> = columns.values().flatten().map(|column| column.name.as_str()).collect();
        let free: Vec<&Column> = dataset
            .columns()
            .iter()
            .filter(|column| !used.contains(&column.name.as_str()) && !reserved.contains(&column.name.as_str()))
            .collect();
        match (&open[..], &free[..]) {
            ([], _) => {}
            ([port], [_, ..]) if free.len() == 1 || free.iter().all(|column| column.shape.is_empty()) => {
                columns.insert(&port.name, free);
            }
            ([port, ..], _) => {
                let known: Vec<&str> = free.iter().map(|column| column.name.as_str()).collect();
                return Err(usage(format!(
                    "no column for the model's input `{port}`: of {}, {} left beside target and id; \
                     name the columns with `inputs`",
                    dataset.path().display(),
                    list(&known)
                )));
            }
        }
        let inputs = ports
            .iter()
            .map(|port| Input::check(port, &columns[port.name.as_str()], dataset))
            .collect::<Result<_, _>>()?;
        Ok(Self { inputs })
    }

    /// Names of the columns to read, in the order that [`Inputs::convert`] takes them.
    pub(super) fn columns(&self) -> Vec<&str> {
        self.inputs.iter().flat_map(|input| input.columns.iter().map(String::as_str)).collect()
    }

    /// Bytes of one row, about.
    pub(super) fn row_bytes(&self) -> usize {
        self.inputs.iter().map(|input| input.row.iter().product::<usize>() * 4).sum()
    }

    /// Brings `rows` rows into the element types that the model takes. `first` is the number of the first
    /// of these rows, for errors. Where there are fewer rows than `padded`, the last one is repeated.
    pub(super) fn convert(
        &self,
        values: Vec<Values>,
        rows: usize,
        first: u64,
        padded: usize,
        dataset: &Dataset,
    ) -> Result<Vec<Values>, EvalError> {
        let mut values = values.into_iter();
        let mut converted = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let parts: Vec<(&str, Values)> =
                input.columns.iter().map(String::as_str).zip(values.by_ref()).collect::<Vec<_>>();
            let mut tensor = input.element_values(parts, rows, first, dataset)?;
            if rows < padded {
                tensor.repeat_last_row(rows, padded);
            }
            converted.push(tensor);
        }
        Ok(converted)
    }

    /// Views of some rows of converted values, as the model takes them.
    pub(super) fn views<'v>(
        &self,
        values: &'v [Values],
        rows: Range<usize>,
    ) -> Result<Vec<SessionInputValue<'v>>, ort::Error> {
        self.inputs.iter().zip(values).map(|(input, values)| view(values, rows.clone(), &input.row)).collect()
    }
}

impl Input {
    fn check(port: &Port, columns: &[&Column], dataset: &Dataset) -> Result<Self, EvalError> {
        let mismatch = |given: String| {
            EvalError::Usage(format!("the model takes `{port}`, but {} gives {given}", dataset.path().display()))
        };
        let Some(TensorType { element, shape, .. }) = &port.tensor else {
            return Err(EvalError::Usage(format!(
                "the model's input `{}` is no tensor; Assay feeds tensors",
                port.name
            )));
        };
        if kind_of(*element).is_none() {
            let element = element_name(*element);
            return Err(EvalError::Usage(format!(
                "the model's input `{}` is of {element}, which Assay does not feed",
                port.name
            )));
        }
        let wanted = shape.get(1..).unwrap_or_default();
        let fits = |row: &[usize]| {
            row.len() == wanted.len()
                && row.iter().zip(wanted).all(|(have, want)| want.is_none_or(|want| want == *have))
        };
        let describe = |row: &[usize]| {
            let dimensions: Vec<String> =
                std::iter::once("N".to_owned()).chain(row.iter().map(ToString::to_string)).collect();
            format!("[{}]", dimensions.join(", "))
        };
        let row = match columns {
            [column] if fits(&column.shape) => column.shape.clone(),
            // One number a row, for an input of one column.
            [column] if column.shape.is_empty() && fits(&[1]) => vec![1],
            // An image without its channel of one: [28, 28] for [1, 28, 28].
            [column]
                if wanted.iter().all(Option::is_some) && without_ones(&column.shape) == known_without_ones(wanted) =>
            {
                wanted.iter().flatten().copied().collect()
            }
            [column] => {
                return Err(mismatch(format!("`{}`: {} {}", column.name, column.kind.name(), describe(&column.shape))));
            }
            many => {
                if !fits(&[many.len()]) {
                    return Err(mismatch(format!("{} columns: {}", many.len(), describe(&[many.len()]))));
                }
                vec![many.len()]
            }
        };
        if *element != TensorElementType::String && columns.iter().any(|column| column.kind == Kind::Text) {
            // Text is parsed as numbers, row by row: that is what a CSV holds.
            tracing::debug!(input = port.name, "parsing text as numbers");
        }
        let names = columns.iter().map(|column| column.name.clone()).collect();
        Ok(Self { port: port.name.clone(), element: *element, row, columns: names })
    }

    fn element_values(
        &self,
        parts: Vec<(&str, Values)>,
        rows: usize,
        first: u64,
        dataset: &Dataset,
    ) -> Result<Values, EvalError> {
        macro_rules! gather {
            ($variant:ident) => {
                Values::$variant(interleave(parts, rows, first, dataset)?)
            };
        }
        Ok(match self.element {
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

fn kind_of(element: TensorElementType) -> Option<Kind> {
    Some(match element {
        TensorElementType::Float32 => Kind::F32,
        TensorElementType::Float64 => Kind::F64,
        TensorElementType::Int8 => Kind::I8,
        TensorElementType::Int16 => Kind::I16,
        TensorElementType::Int32 => Kind::I32,
        TensorElementType::Int64 => Kind::I64,
        TensorElementType::Uint8 => Kind::U8,
        TensorElementType::Uint16 => Kind::U16,
        TensorElementType::Uint32 => Kind::U32,
        TensorElementType::Uint64 => Kind::U64,
        TensorElementType::Bool => Kind::Bool,
        TensorElementType::String => Kind::Text,
        _ => return None,
    })
}

fn without_ones(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|d| *d != 1).collect()
}

fn known_without_ones(shape: &[Option<usize>]) -> Vec<usize> {
    shape.iter().flatten().copied().filter(|d| *d != 1).collect()
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

fn view<'v>(values: &'v Values, rows: Range<usize>, row: &[usize]) -> Result<SessionInputValue<'v>, ort::Error> {
    let width: usize = row.iter().product();
    let mut shape = Vec::with_capacity(row.len() + 1);
    shape.push(rows.len());
    shape.extend_from_slice(row);
    let range = rows.start * width..rows.end * width;
    macro_rules! tensor {
        ($values:expr) => {
            TensorRef::from_array_view((shape, &$values[range]))?.into()
        };
    }
    Ok(match values {
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
    })
}
