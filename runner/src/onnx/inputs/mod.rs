//! Which columns feed which input of the model, checked against its signature before the first batch.
//!
//! Columns of numbers go in as they are ([`Input`]); encoded images and texts by a plan of their own.

mod image;
mod text;
mod values;

use std::{collections::BTreeMap, ops::Range, path::Path};

use image::ImagePlan;
use ort::{session::SessionInputValue, value::TensorElementType};
use text::{Part, TextPlan};
use tokenizers::Encoding;
use values::view;

use super::{
    error::EvalError,
    preprocess::Preprocess,
    session::{Port, TensorType, element_name},
};
use crate::dataset::{Column, Dataset, Kind, Values, list};

/// What is said about the inputs: on the command line, or by the workflow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    /// Model input → columns. The rest goes by name, or to the only input that is left.
    pub mapping: &'a BTreeMap<String, Vec<String>>,
    pub tokenizer: Option<&'a Path>,
    pub preprocess: &'a Preprocess,
    /// Columns with another meaning (target, id, …).
    pub reserved: &'a [&'a str],
}

/// The plan: for each input of the model, in order, where its values come from.
#[derive(Debug)]
pub(super) struct Inputs {
    /// In the order of the model's inputs.
    sources: Vec<Source>,
    inputs: Vec<Input>,
    text: Option<TextPlan>,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    /// By index into [`Inputs::inputs`].
    Columns(usize),
    Tokens(Part, TensorElementType),
}

#[derive(Debug)]
struct Input {
    port: String,
    element: TensorElementType,
    /// Dimensions of one row.
    row: Vec<usize>,
    columns: Vec<String>,
    image: Option<ImagePlan>,
}

/// A chunk of rows in the types that the model takes.
pub(super) struct Converted {
    inputs: Vec<Values>,
    texts: Vec<Encoding>,
}

impl Converted {
    /// The numbers, when they were used.
    pub(super) fn into_values(self) -> Vec<Values> {
        self.inputs
    }
}

impl Inputs {
    pub(super) fn plan(ports: &[Port], dataset: &Dataset, given: &Given<'_>) -> Result<Self, EvalError> {
        let usage = |message: String| EvalError::Usage(message);
        let Given { mapping, tokenizer, preprocess, reserved } = given;
        if let Some(name) = mapping.keys().find(|name| !ports.iter().any(|port| port.name == **name)) {
            let known: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
            return Err(usage(format!("inputs: the model has no input `{name}`; it has {}", list(&known))));
        }
        let is_token = |port: &&Port| tokenizer.is_some() && Part::of(&port.name).is_some();
        let (tokens, ports_of_columns): (Vec<&Port>, Vec<&Port>) = ports.iter().partition(is_token);
        let mut columns: BTreeMap<&str, Vec<&Column>> = BTreeMap::new();
        for port in &ports_of_columns {
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
        let used: Vec<&str> = columns.values().flatten().map(|column| column.name.as_str()).collect();
        let mut free: Vec<&Column> = dataset
            .columns()
            .iter()
            .filter(|column| !used.contains(&column.name.as_str()) && !reserved.contains(&column.name.as_str()))
            .collect();
        let text = match tokenizer {
            None => None,
            Some(path) if tokens.is_empty() => {
                return Err(usage(format!(
                    "tokenizer {}: the model takes no tokens (input_ids, attention_mask, token_type_ids)",
                    path.display()
                )));
            }
            Some(path) => {
                let column = text_column(mapping, &free, dataset)?;
                free.retain(|column_left| column_left.name != column);
                Some(TextPlan::new(path, column, &tokens, preprocess.max_length)?)
            }
        };
        let open: Vec<&&Port> =
            ports_of_columns.iter().filter(|port| !columns.contains_key(port.name.as_str())).collect();
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
        let (mut sources, mut inputs) = (Vec::new(), Vec::new());
        for port in ports {
            match (columns.get(port.name.as_str()), Part::of(&port.name), &port.tensor) {
                (Some(columns), _, _) => {
                    sources.push(Source::Columns(inputs.len()));
                    inputs.push(Input::check(port, columns, dataset, preprocess)?);
                }
                (None, Some(part), Some(tensor)) => sources.push(Source::Tokens(part, tensor.element)),
                (None, _, _) => return Err(usage(format!("no column for the model's input `{port}`"))),
            }
        }
        Ok(Self { sources, inputs, text })
    }

    /// Names of the columns to read, in the order that [`Inputs::convert`] takes them.
    pub(super) fn columns(&self) -> Vec<&str> {
        let of_inputs = self.inputs.iter().flat_map(|input| input.columns.iter().map(String::as_str));
        of_inputs.chain(self.text.iter().map(|text| text.column.as_str())).collect()
    }

    /// Columns that hold images, as paths from the data set's directory.
    pub(super) fn image_columns(&self) -> Vec<&str> {
        self.inputs.iter().filter(|input| input.image.is_some()).map(|input| input.columns[0].as_str()).collect()
    }

    /// Bytes of one row, about.
    pub(super) fn row_bytes(&self) -> usize {
        // An image passes through float64.
        let bytes = |input: &Input| if input.image.is_some() { 12 } else { 4 };
        let of_inputs =
            self.inputs.iter().map(|input| input.row.iter().product::<usize>() * bytes(input)).sum::<usize>();
        of_inputs + if self.text.is_some() { 8192 } else { 0 }
    }

    /// Brings `rows` rows into the element types that the model takes. `first` is the number of the first
    /// of these rows, for errors. Where there are fewer rows than `padded`, the last one is repeated.
    pub(super) fn convert(
        &self,
        values: impl IntoIterator<Item = Values>,
        rows: usize,
        first: u64,
        padded: usize,
        dataset: &Dataset,
    ) -> Result<Converted, EvalError> {
        let mut values = values.into_iter();
        let mut converted = Converted { inputs: Vec::with_capacity(self.inputs.len()), texts: Vec::new() };
        for input in &self.inputs {
            let parts: Vec<(&str, Values)> =
                input.columns.iter().map(String::as_str).zip(values.by_ref()).collect::<Vec<_>>();
            let mut tensor = input.element_values(parts, rows, first, dataset)?;
            if rows < padded {
                tensor.repeat_last_row(rows, padded);
            }
            converted.inputs.push(tensor);
        }
        if let (Some(text), Some(values)) = (&self.text, values.next()) {
            converted.texts = text
                .encode(values.texts())
                .map_err(|(index, message)| dataset.error(Some(first + index as u64), Some(&text.column), message))?;
            let last = converted.texts[rows - 1].clone();
            converted.texts.resize(padded.max(rows), last);
        }
        Ok(converted)
    }

    /// Puts views of some rows of converted values, as the model takes them, in place of those of other rows.
    pub(super) fn view<'v>(
        &self,
        converted: &'v Converted,
        rows: Range<usize>,
        views: &mut Vec<SessionInputValue<'v>>,
    ) -> Result<(), ort::Error> {
        let source = |source: &Source| match (source, &self.text) {
            (Source::Columns(index), _) => view(&converted.inputs[*index], rows.clone(), &self.inputs[*index].row),
            (Source::Tokens(part, element), Some(text)) => text.view(&converted.texts, rows.clone(), *part, *element),
            (Source::Tokens(..), None) => unreachable!("planned with a tokenizer"),
        };
        views.clear();
        for input in self.sources.iter().map(source) {
            views.push(input?);
        }
        Ok(())
    }
}

/// The column with the texts: what `inputs` says, else the only column of text that is left.
fn text_column(
    mapping: &BTreeMap<String, Vec<String>>,
    free: &[&Column],
    dataset: &Dataset,
) -> Result<String, EvalError> {
    if let Some(columns) = ["input_ids", "attention_mask", "token_type_ids"].iter().find_map(|port| mapping.get(*port))
    {
        let [column] = &columns[..] else {
            return Err(EvalError::Usage("inputs: texts are in one column".to_owned()));
        };
        if dataset.column(column).is_none() {
            return Err(dataset.error(None, None, format!("there is no column `{column}`")).into());
        }
        return Ok(column.clone());
    }
    let texts: Vec<&&Column> = free.iter().filter(|column| column.kind == Kind::Text).collect();
    match (&texts[..], texts.iter().find(|column| column.name == "text")) {
        (_, Some(column)) | ([column], None) => Ok(column.name.clone()),
        (texts, None) => {
            let known: Vec<&str> = texts.iter().map(|column| column.name.as_str()).collect();
            Err(EvalError::Usage(format!(
                "which column of {} holds the texts? Left are {}; name it with `inputs: input_ids=COLUMN`",
                dataset.path().display(),
                list(&known)
            )))
        }
    }
}

impl Input {
    fn check(port: &Port, columns: &[&Column], dataset: &Dataset, preprocess: &Preprocess) -> Result<Self, EvalError> {
        let mismatch = |given: String| {
            EvalError::Usage(format!("the model takes `{port}`, but {} gives {given}", dataset.path().display()))
        };
        let Some(tensor @ TensorType { element, shape, .. }) = &port.tensor else {
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
        let is_float =
            matches!(element, TensorElementType::Float16 | TensorElementType::Float32 | TensorElementType::Float64);
        let names = columns.iter().map(|column| column.name.clone()).collect();
        if let Some(image) = ImagePlan::new(&port.name, tensor, columns, preprocess, is_float)? {
            let row = image.row();
            return Ok(Self { port: port.name.clone(), element: *element, row, columns: names, image: Some(image) });
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
        Ok(Self { port: port.name.clone(), element: *element, row, columns: names, image: None })
    }
}

fn kind_of(element: TensorElementType) -> Option<Kind> {
    Some(match element {
        TensorElementType::Float16 => Kind::F16,
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
