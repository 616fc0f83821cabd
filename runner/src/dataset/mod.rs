//! Data sets, read in batches: memory does not grow with the file.
//!
//! [`Dataset::open`] reads what columns there are; [`Dataset::reader`] then streams some of them, as often
//! as needed. Formats, a file each: `.npz` and `.npy` (NumPy), `.csv` with a header line, `.jsonl`, `.parquet`, and
//! a directory of images in a directory for each class.

mod csv_file;
mod digest;
mod images;
mod jsonl;
mod npy;
mod parquet_file;
mod values;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::SystemTime,
};

pub(crate) use digest::Digesting;
use digest::digest_of;
use sha2::{Digest as _, Sha256};
pub use values::{Element, Kind, Misfit, Values};
use workflows::ids::Digest;

/// A table on disk. Each column holds one array per row.
#[derive(Debug, Clone)]
pub struct Dataset {
    path: PathBuf,
    format: Format,
    columns: Vec<Column>,
    state: FileState,
}

#[derive(Debug, Clone)]
enum Format {
    Npz,
    Npy,
    Csv,
    Jsonl,
    Parquet,
    /// The images, by path from the directory, in order.
    Images(Arc<[String]>),
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

/// What must not change while a file is read. Readers of lines stop at `bytes`, so that a file that grows ends too.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileState {
    bytes: u64,
    modified: Option<SystemTime>,
}

/// What is wrong with a data set, and where. Rows count from 1, as a person counts them, without the header.
#[derive(Debug, Clone, thiserror::Error)]
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
pub trait Reader: Send {
    /// At most `rows` more rows (at least 1); none at the end.
    fn read(&mut self, rows: usize) -> Result<Option<Vec<Values>>, DataError>;

    /// Takes values that nobody needs any more: their memory may serve for the next, which saves asking the system for
    /// it, page by page.
    fn recycle(&mut self, _values: Values) {}
}

impl Dataset {
    /// Reads the file's layout.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let error = |message: String| DataError { file: path.to_owned(), row: None, column: None, message };
        let metadata = fs::metadata(path).map_err(|e| error(e.to_string()))?;
        if metadata.is_dir() {
            let images = images::list(path)?;
            let state = images::state(path, &images).map_err(|e| error(e.to_string()))?;
            let columns = images::columns(images.len() as u64);
            return Ok(Self { path: path.to_owned(), format: Format::Images(images.into()), columns, state });
        }
        let state = FileState::of(&metadata);
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let (format, columns) = match extension.as_str() {
            "npz" => (Format::Npz, npy::npz_columns(path)?),
            "npy" => (Format::Npy, npy::npy_columns(path)?),
            "csv" => (Format::Csv, csv_file::columns(path)?),
            "jsonl" | "ndjson" => (Format::Jsonl, jsonl::columns(path)?),
            "parquet" => (Format::Parquet, parquet_file::columns(path)?),
            other => {
                let message = format!(
                    "`.{other}` is not a format that Assay reads (.npz, .npy, .csv, .jsonl, .parquet, or a directory of images)"
                );
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
        Ok(match &self.format {
            Format::Npz | Format::Npy => Box::new(npy::NpyReader::open(&self.path, &columns)?),
            Format::Csv => Box::new(csv_file::CsvReader::open(&self.path, self.state.bytes, names)?),
            Format::Jsonl => Box::new(jsonl::JsonlReader::open(&self.path, self.state.bytes, &columns)?),
            Format::Parquet => Box::new(parquet_file::ParquetReader::open(&self.path, &columns)?),
            Format::Images(images) => Box::new(images::ImagesReader::new(images.clone(), names)),
        })
    }

    /// An error if the file is no longer the one that was opened.
    pub fn check_unchanged(&self) -> Result<(), DataError> {
        let now = match &self.format {
            Format::Images(images) => images::state(&self.path, images),
            Format::Npz | Format::Npy | Format::Csv | Format::Jsonl | Format::Parquet => {
                fs::metadata(&self.path).map(|metadata| FileState::of(&metadata))
            }
        };
        match now {
            Ok(now) if now == self.state => Ok(()),
            Ok(_) | Err(_) => Err(self.error(None, None, "the file changed while it was read".to_owned())),
        }
    }

    /// Digest and size of the file; of a directory, of its images by path and content.
    pub fn digest(&self) -> Result<(Digest, u64), DataError> {
        self.digest_unless(&AtomicBool::new(false))
    }

    /// The same, or an error soon after `stop` is set.
    fn digest_unless(&self, stop: &AtomicBool) -> Result<(Digest, u64), DataError> {
        let digest = match &self.format {
            Format::Images(images) => images::digest(&self.path, images.iter().map(String::as_str), stop),
            Format::Npz | Format::Npy | Format::Csv | Format::Jsonl | Format::Parquet => digest_of(&self.path, stop),
        };
        digest.map_err(|e| self.error(None, None, e.to_string()))
    }

    /// Digest and size of the files that these columns of texts name, row by row; none where there are none.
    pub fn digest_of_files(&self, columns: &[&str]) -> Result<Option<(Digest, u64)>, DataError> {
        let is_text = |name: &&&str| self.column(name).is_some_and(|column| column.kind == Kind::Text);
        let columns: Vec<&str> = columns.iter().filter(is_text).copied().collect();
        // The files of a directory are the data set itself.
        if columns.is_empty() || matches!(self.format, Format::Images(_)) {
            return Ok(None);
        }
        let (mut reader, mut first) = (self.reader(&columns)?, 1);
        let (mut hasher, mut bytes) = (Sha256::new(), 0);
        while let Some(chunk) = reader.read(1024)? {
            let rows = chunk[0].len();
            for (column, values) in columns.iter().zip(chunk) {
                for (row, path) in values.texts().iter().enumerate() {
                    let (digest, size) = digest_of(&self.directory().join(path), &AtomicBool::new(false))
                        .map_err(|e| self.error(Some(first + row as u64), Some(column), format!("{path}: {e}")))?;
                    hasher.update(format!("{path}\0{digest}\n"));
                    bytes += size;
                }
            }
            first += rows as u64;
        }
        Ok(Some((Digest::from_sha256(hasher.finalize().into()), bytes)))
    }

    /// The directory from which paths in the data set count.
    pub fn directory(&self) -> &Path {
        match &self.format {
            Format::Images(_) => &self.path,
            Format::Npz | Format::Npy | Format::Csv | Format::Jsonl | Format::Parquet => {
                self.path.parent().unwrap_or(Path::new(""))
            }
        }
    }

    /// An error about a place in this data set.
    pub fn error(&self, row: Option<u64>, column: Option<&str>, message: String) -> DataError {
        DataError { file: self.path.clone(), row, column: column.map(str::to_owned), message }
    }
}

impl FileState {
    fn of(metadata: &fs::Metadata) -> Self {
        Self { bytes: metadata.len(), modified: metadata.modified().ok() }
    }
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
