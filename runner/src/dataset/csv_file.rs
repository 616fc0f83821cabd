//! Comma-separated values with a header line (RFC 4180), streamed.

use std::{
    fs::File,
    io::{Read as _, Take},
    path::{Path, PathBuf},
};

use super::{Column, DataError, Kind, Reader, Values};

fn error(path: &Path, row: Option<u64>, message: String) -> DataError {
    DataError { file: path.to_owned(), row, column: None, message }
}

/// Reads the first `bytes` bytes.
fn open(path: &Path, bytes: u64) -> Result<csv::Reader<Take<File>>, DataError> {
    let file = File::open(path).map_err(|e| error(path, None, e.to_string()))?;
    Ok(csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(file.take(bytes)))
}

pub(super) fn columns(path: &Path) -> Result<Vec<Column>, DataError> {
    let mut reader = open(path, u64::MAX)?;
    let header = reader.headers().map_err(|e| error(path, None, e.to_string()))?;
    let mut columns: Vec<Column> = Vec::new();
    for name in header {
        // A byte order mark is no part of the first name.
        let name = name.trim_start_matches('\u{feff}').to_owned();
        if columns.iter().any(|column| column.name == name) {
            return Err(error(path, None, format!("two columns are named `{name}`")));
        }
        columns.push(Column { name, kind: Kind::Text, shape: Vec::new(), rows: None });
    }
    if columns.is_empty() {
        return Err(error(path, None, "it is empty; the first line names the columns".to_owned()));
    }
    Ok(columns)
}

pub(super) struct CsvReader {
    path: PathBuf,
    reader: csv::Reader<Take<File>>,
    /// Index in the file of each column asked for.
    indices: Vec<usize>,
    record: csv::StringRecord,
    read: u64,
}

impl CsvReader {
    pub(super) fn open(path: &Path, bytes: u64, names: &[&str]) -> Result<Self, DataError> {
        let all = columns(path)?;
        let indices = names.iter().filter_map(|name| all.iter().position(|column| column.name == *name)).collect();
        let reader = open(path, bytes)?;
        Ok(Self { path: path.to_owned(), reader, indices, record: csv::StringRecord::new(), read: 0 })
    }
}

impl Reader for CsvReader {
    fn read(&mut self, rows: usize) -> Result<Option<Vec<Values>>, DataError> {
        let mut batch: Vec<Vec<String>> = self.indices.iter().map(|_| Vec::with_capacity(rows)).collect();
        let mut count = 0;
        while count < rows {
            let row = self.read + 1;
            let more = self.reader.read_record(&mut self.record).map_err(|e| {
                let message = match e.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("it has {len} fields, but the header has {expected_len}")
                    }
                    _ => e.to_string(),
                };
                error(&self.path, Some(row), message)
            })?;
            if !more {
                break;
            }
            for (values, index) in batch.iter_mut().zip(&self.indices) {
                values.push(self.record.get(*index).unwrap_or_default().to_owned());
            }
            self.read += 1;
            count += 1;
        }
        Ok((count > 0).then(|| batch.into_iter().map(Values::Text).collect()))
    }
}
