//! Data sets, read in batches: memory does not grow with the file.
//!
//! [`Dataset::open`] reads what columns there are; [`Dataset::reader`] then streams some of them, as often
//! as needed. Formats: `.npz` and `.npy` (NumPy), `.csv` with a header line.

mod csv_file;
mod npy;
mod values;

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

pub use values::{Element, Kind, Misfit, Values};

/// A table on disk. Each column holds one array per row.
#[derive(Debug, Clone)]
pub struct Dataset {
    path: PathBuf,
    format: Format,
    columns: Vec<Column>,
    state: FileState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Npz,
    Npy,
    Csv,
}

/// One named array per row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    /// Of one row: empty for a single number.
    pub shape: Vec<usize>,
    /// Where the format tells without reading everything.
    pub rows: Option<u64>,
}

impl Column {
    /// Elements of one row.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What must not change while a file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileState {
    bytes: u64,
    modified: Option<SystemTime>,
}

/// What is wrong with a data set, and where. Rows count from 1, as a person counts them, without the header.
#[derive(Debug, thiserror::Error)]
pub struct DataError {
    pub file: PathBuf,
    pub row: Option<u64>,
    pub column: Option<String>,
    pub message: String,
}

impl std::fmt::Display for DataError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "data set {}: ", self.file.display())?;
        if let Some(row) = self.row {
            write!(f, "row {row}: ")?;
        }
        if let Some(column) = &self.column {
            write!(f, "column `{column}`: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Streams rows of the columns that were asked for, in that order.
pub trait Reader {
    /// At most `rows` more rows (at least 1); none at the end.
    fn read(&mut self, rows: usize) -> Result<Option<Vec<Values>>, DataError>;
}

impl Dataset {
    /// Reads the file's layout.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let error = |message: String| DataError { file: path.to_owned(), row: None, column: None, message };
        let state = state(path).map_err(|e| error(e.to_string()))?;
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let (format, columns) = match extension.as_str() {
            "npz" => (Format::Npz, npy::npz_columns(path)?),
            "npy" => (Format::Npy, npy::npy_columns(path)?),
            "csv" => (Format::Csv, csv_file::columns(path)?),
            other => {
                let message = format!("`.{other}` is not a format that Assay reads (.npz, .npy, .csv)");
                return Err(error(message));
            }
        };
        Ok(Self { path: path.to_owned(), format, columns, state })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Streams the columns of these names, which must exist.
    pub fn reader(&self, names: &[&str]) -> Result<Box<dyn Reader>, DataError> {
        for name in names {
            if self.column(name).is_none() {
                let known: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
                let message = format!("there is no column `{name}`; it has {}", list(&known));
                return Err(self.error(None, None, message));
            }
        }
        let columns: Vec<&Column> = names.iter().filter_map(|name| self.column(name)).collect();
        match self.format {
            Format::Npz | Format::Npy => Ok(Box::new(npy::NpyReader::open(&self.path, &columns)?)),
            Format::Csv => Ok(Box::new(csv_file::CsvReader::open(&self.path, names)?)),
        }
    }

    /// An error if the file is no longer the one that was opened.
    pub fn check_unchanged(&self) -> Result<(), DataError> {
        match state(&self.path) {
            Ok(now) if now == self.state => Ok(()),
            Ok(_) | Err(_) => Err(self.error(None, None, "the file changed while it was read".to_owned())),
        }
    }

    /// An error about a place in this data set.
    pub fn error(&self, row: Option<u64>, column: Option<&str>, message: String) -> DataError {
        DataError { file: self.path.clone(), row, column: column.map(str::to_owned), message }
    }
}

fn state(path: &Path) -> std::io::Result<FileState> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(std::io::Error::other("it is a directory"));
    }
    Ok(FileState { bytes: metadata.len(), modified: metadata.modified().ok() })
}

/// `a, b and c`, cut where it gets long.
pub(crate) fn list(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    match names {
        [] => "none".to_owned(),
        [one] => format!("`{one}`"),
        names if names.len() > SHOWN => {
            let shown: Vec<String> = names[..SHOWN].iter().map(|name| format!("`{name}`")).collect();
            format!("{} and {} more", shown.join(", "), names.len() - SHOWN)
        }
        [rest @ .., last] => {
            let rest: Vec<String> = rest.iter().map(|name| format!("`{name}`")).collect();
            format!("{} and `{last}`", rest.join(", "))
        }
    }
}
