//! JSON Lines: an object a line, streamed. The first row says which columns there are and of which shape.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Take},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{Column, DataError, Kind, Reader, Values};

/// Longest line taken: a row that holds an image as numbers has a few megabytes.
const LINE_LIMIT: u64 = 256 << 20;

type Row = Map<String, Value>;

struct Lines {
    path: PathBuf,
    file: BufReader<Take<File>>,
    line: Vec<u8>,
    /// Of the line read last.
    number: u64,
    /// Rows read.
    rows: u64,
}

impl Lines {
    /// Reads the first `bytes` bytes.
    fn open(path: &Path, bytes: u64) -> Result<Self, DataError> {
        let error =
            |e: std::io::Error| DataError { file: path.to_owned(), row: None, column: None, message: e.to_string() };
        let file = BufReader::with_capacity(1 << 16, File::open(path).map_err(error)?.take(bytes));
        Ok(Self { path: path.to_owned(), file, line: Vec::new(), number: 0, rows: 0 })
    }

    /// An error about the row being read.
    fn error(&self, column: Option<&str>, message: String) -> DataError {
        DataError { file: self.path.clone(), row: Some(self.rows), column: column.map(str::to_owned), message }
    }

    /// The next line that is not blank.
    fn next(&mut self) -> Result<Option<Row>, DataError> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.file.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut self.line);
            let read = read.map_err(|e| self.error(None, e.to_string()))?;
            if read == 0 {
                return Ok(None);
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        self.rows += 1;
        match serde_json::from_slice(&self.line) {
            Ok(Value::Object(row)) => Ok(Some(row)),
            Ok(_) => Err(self.error(None, format!("line {} is no JSON object", self.number))),
            Err(e) => Err(self.error(None, format!("line {} is not JSON: {e}", self.number))),
        }
    }
}

pub(super) fn columns(path: &Path) -> Result<Vec<Column>, DataError> {
    let mut lines = Lines::open(path, u64::MAX)?;
    let Some(row) = lines.next()? else {
        let message = "it is empty; each line must hold one JSON object".to_owned();
        return Err(DataError { file: path.to_owned(), row: None, column: None, message });
    };
    Ok(row
        .into_iter()
        .filter_map(|(name, value)| {
            let (shape, kind) = layout(&value)?;
            Some(Column { name, kind, shape, rows: None })
        })
        .collect())
}

/// Shape and kind by the first element; none for what is no array of numbers, texts or truths.
fn layout(value: &Value) -> Option<(Vec<usize>, Kind)> {
    match value {
        Value::Array(items) => {
            let (mut shape, kind) = layout(items.first()?)?;
            shape.insert(0, items.len());
            Some((shape, kind))
        }
        Value::Number(number) if number.is_f64() => Some((Vec::new(), Kind::F64)),
        Value::Number(_) => Some((Vec::new(), Kind::I64)),
        Value::String(_) => Some((Vec::new(), Kind::Text)),
        Value::Bool(_) => Some((Vec::new(), Kind::Bool)),
        Value::Null | Value::Object(_) => None,
    }
}

pub(super) struct JsonlReader {
    lines: Lines,
    columns: Vec<Column>,
}

impl JsonlReader {
    pub(super) fn open(path: &Path, bytes: u64, columns: &[&Column]) -> Result<Self, DataError> {
        let columns = columns.iter().map(|column| (*column).clone()).collect();
        Ok(Self { lines: Lines::open(path, bytes)?, columns })
    }
}

impl Reader for JsonlReader {
    fn read(&mut self, rows: usize) -> Result<Option<Vec<Values>>, DataError> {
        let mut batch: Vec<Vec<Value>> = vec![Vec::new(); self.columns.len()];
        let mut count = 0;
        while count < rows {
            let Some(mut row) = self.lines.next()? else { break };
            for (values, column) in batch.iter_mut().zip(&self.columns) {
                let value = row.get_mut(&column.name).map(Value::take);
                let value = value.ok_or_else(|| self.lines.error(Some(&column.name), "it is missing".to_owned()))?;
                flatten(value, &column.shape, column.kind, values)
                    .map_err(|message| self.lines.error(Some(&column.name), message))?;
            }
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        Ok(Some(batch.into_iter().zip(&self.columns).map(|(values, column)| gather(values, column.kind)).collect()))
    }
}

/// Puts the elements of one row behind the others, where they have the shape and kind of the first row's.
fn flatten(value: Value, shape: &[usize], kind: Kind, into: &mut Vec<Value>) -> Result<(), String> {
    match (value, shape) {
        (Value::Array(items), [length, rest @ ..]) if items.len() == *length => {
            items.into_iter().try_for_each(|item| flatten(item, rest, kind, into))
        }
        (Value::Array(items), [length, ..]) => {
            Err(format!("it holds {} values, but in the first row {length}", items.len()))
        }
        (value, []) => {
            let fits = match kind {
                Kind::Text => value.is_string(),
                Kind::Bool => value.is_boolean(),
                _ => value.is_number(),
            };
            if !fits {
                let text = value.to_string().chars().take(60).collect::<String>();
                return Err(format!("`{text}` is not {}, as in the first row", what(kind)));
            }
            into.push(value);
            Ok(())
        }
        (_, shape) => Err(format!("it is no array of {} values, as in the first row", shape[0])),
    }
}

fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Bool => "true or false",
        _ => "a number",
    }
}

/// Numbers are integers where all of them are, else float64.
fn gather(values: Vec<Value>, kind: Kind) -> Values {
    match kind {
        Kind::Text => Values::Text(
            values
                .into_iter()
                .map(|value| if let Value::String(text) = value { text } else { String::new() })
                .collect(),
        ),
        Kind::Bool => Values::Bool(values.iter().map(|value| value.as_bool().unwrap_or_default()).collect()),
        _ => match values.iter().map(Value::as_i64).collect() {
            Some(integers) => Values::I64(integers),
            None => Values::F64(values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()),
        },
    }
}
