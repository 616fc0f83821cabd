//! Apache Parquet, the form in which the Hugging Face hub ships data, streamed page by page.
//!
//! Columns are the leaves of the schema: `text`, `image.bytes` of a struct, and lists whose rows all have the
//! length of the first (an embedding). Compressed with Snappy, Zstandard, gzip, or not.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use parquet::{
    basic::{ConvertedType, LogicalType, Type as Physical},
    column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader},
    data_type::{
        BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
    },
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
    schema::types::ColumnDescriptor,
};

use super::{Column, DataError, Kind, Reader, Values};

fn error(path: &Path, message: String) -> DataError {
    DataError { file: path.to_owned(), row: None, column: None, message }
}

fn open(path: &Path) -> Result<SerializedFileReader<File>, DataError> {
    let file = File::open(path).map_err(|e| error(path, e.to_string()))?;
    SerializedFileReader::new(file)
        .map_err(|e| error(path, format!("it is not a Parquet file, or it is cut off ({e})")))
}

/// Names of the levels that a list puts between its own name and its elements.
const WRAPPERS: [&str; 4] = ["list", "element", "item", "array"];

fn name(leaf: &ColumnDescriptor) -> String {
    let parts = leaf.path().parts();
    let is_list = leaf.max_rep_level() > 0;
    let kept: Vec<&str> = parts
        .iter()
        .enumerate()
        .filter(|(depth, part)| !(is_list && *depth > 0 && WRAPPERS.contains(&part.as_str())))
        .map(|(_, part)| part.as_str())
        .collect();
    kept.join(".")
}

/// What the values are; none for what Assay does not read (decimals, INT96 times).
fn kind(leaf: &ColumnDescriptor) -> Option<Kind> {
    let logical = leaf.logical_type_ref();
    if leaf.converted_type() == ConvertedType::DECIMAL || matches!(logical, Some(LogicalType::Decimal { .. })) {
        return None;
    }
    let unsigned = matches!(
        leaf.converted_type(),
        ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
    );
    Some(match leaf.physical_type() {
        Physical::BOOLEAN => Kind::Bool,
        Physical::INT32 if unsigned => Kind::U32,
        Physical::INT32 => Kind::I32,
        Physical::INT64 if unsigned => Kind::U64,
        Physical::INT64 => Kind::I64,
        Physical::FLOAT => Kind::F32,
        Physical::DOUBLE => Kind::F64,
        Physical::BYTE_ARRAY => match leaf.converted_type() {
            ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => Kind::Text,
            _ => Kind::Bytes,
        },
        Physical::FIXED_LEN_BYTE_ARRAY if matches!(logical, Some(LogicalType::Float16)) => Kind::F16,
        Physical::FIXED_LEN_BYTE_ARRAY => Kind::Bytes,
        Physical::INT96 => return None,
    })
}

pub(super) fn columns(path: &Path) -> Result<Vec<Column>, DataError> {
    let file = open(path)?;
    let metadata = file.metadata().file_metadata();
    let rows = u64::try_from(metadata.num_rows()).map_err(|e| error(path, e.to_string()))?;
    let mut columns = Vec::new();
    for (index, leaf) in metadata.schema_descr().columns().iter().enumerate() {
        let Some(kind) = kind(leaf) else { continue };
        let mut shape = Vec::new();
        if leaf.max_rep_level() > 0 && rows > 0 {
            let mut first = Cursor { index, name: name(leaf), group: 0, reader: None };
            let (_, repetition) = first.read(&file, 1, 0).map_err(|e| DataError { file: path.to_owned(), ..e })?;
            shape = list_shape(&repetition, leaf.max_rep_level());
        }
        columns.push(Column { name: name(leaf), kind, shape, rows: Some(rows) });
    }
    if columns.is_empty() {
        return Err(error(path, "it has no columns that Assay reads".to_owned()));
    }
    Ok(columns)
}

/// The shape of one row from its repetition levels: an element of level r begins a new list of depth r.
fn list_shape(repetition: &[i16], depth: i16) -> Vec<usize> {
    let mut shape = Vec::new();
    let mut outer = 1;
    for level in 1..=depth {
        let count = repetition.iter().filter(|r| **r <= level).count();
        shape.push(count / outer.max(1));
        outer = count;
    }
    shape
}

/// Where one column is being read.
struct Cursor {
    index: usize,
    name: String,
    group: usize,
    reader: Option<ColumnReader>,
}

pub(super) struct ParquetReader {
    path: PathBuf,
    file: SerializedFileReader<File>,
    cursors: Vec<(Cursor, usize)>,
    read: u64,
    rows: u64,
}

impl ParquetReader {
    pub(super) fn open(path: &Path, columns: &[&Column]) -> Result<Self, DataError> {
        let file = open(path)?;
        let metadata = file.metadata().file_metadata();
        let leaves = metadata.schema_descr().columns();
        let cursor = |column: &&Column| {
            let index = leaves.iter().position(|leaf| name(leaf) == column.name && kind(leaf).is_some());
            let index = index.ok_or_else(|| error(path, "the file changed while it was read".to_owned()))?;
            Ok((Cursor { index, name: column.name.clone(), group: 0, reader: None }, column.width()))
        };
        let cursors = columns.iter().map(cursor).collect::<Result<_, DataError>>()?;
        let rows = u64::try_from(metadata.num_rows()).map_err(|e| error(path, e.to_string()))?;
        Ok(Self { path: path.to_owned(), file, cursors, read: 0, rows })
    }
}

impl Reader for ParquetReader {
    fn read(&mut self, rows: usize) -> Result<Option<Vec<Values>>, DataError> {
        let rows = (self.rows - self.read).min(rows as u64) as usize;
        if rows == 0 {
            return Ok(None);
        }
        let mut batch = Vec::with_capacity(self.cursors.len());
        for (cursor, width) in &mut self.cursors {
            let (values, repetition) =
                cursor.read(&self.file, rows, self.read).map_err(|e| DataError { file: self.path.clone(), ..e })?;
            check_widths(&repetition, *width).map_err(|(row, message)| DataError {
                file: self.path.clone(),
                row: Some(self.read + row + 1),
                column: Some(cursor.name.clone()),
                message,
            })?;
            batch.push(values);
        }
        self.read += rows as u64;
        Ok(Some(batch))
    }
}

/// That every row has as many elements as the first row of the file.
fn check_widths(repetition: &[i16], width: usize) -> Result<(), (u64, String)> {
    let mut starts: Vec<usize> = repetition.iter().enumerate().filter(|(_, r)| **r == 0).map(|(i, _)| i).collect();
    starts.push(repetition.len());
    for (row, pair) in starts.windows(2).enumerate() {
        let has = pair[1] - pair[0];
        if has != width {
            return Err((row as u64, format!("it holds {has} values, but in the first row {width}")));
        }
    }
    Ok(())
}

impl Cursor {
    /// Exactly `rows` rows, from as many row groups as needed; `done` rows were read before, for errors.
    fn read(
        &mut self,
        file: &SerializedFileReader<File>,
        rows: usize,
        done: u64,
    ) -> Result<(Values, Vec<i16>), DataError> {
        let place = |row: Option<u64>, message: String| DataError {
            file: PathBuf::new(),
            row,
            column: Some(self.name.clone()),
            message,
        };
        let broken = |e: ParquetError| place(Some(done + 1), e.to_string());
        let leaf = file.metadata().file_metadata().schema_descr().column(self.index);
        let kind = kind(&leaf).ok_or_else(|| place(None, "its type is not one that Assay reads".to_owned()))?;
        let (mut all, mut repetition) = (empty(kind), Vec::new());
        let mut have = 0;
        while have < rows {
            let Some(reader) = self.reader.take() else {
                if self.group >= file.num_row_groups() {
                    return Err(place(Some(done + have as u64 + 1), "the file ends before the last row".to_owned()));
                }
                let group = file.get_row_group(self.group).map_err(broken)?;
                self.reader = Some(group.get_column_reader(self.index).map_err(broken)?);
                self.group += 1;
                continue;
            };
            let mut levels = Levels { most: leaf.max_def_level(), definition: Vec::new(), repetition: Vec::new() };
            let (reader, records, values) = levels.values(reader, kind, rows - have).map_err(broken)?;
            if let Some(row) = levels.null_row() {
                return Err(place(Some(done + (have + row) as u64 + 1), "it is null or empty".to_owned()));
            }
            if records == 0 {
                continue;
            }
            self.reader = Some(reader);
            if leaf.max_rep_level() == 0 {
                levels.repetition = vec![0; records];
            }
            have += records;
            repetition.append(&mut levels.repetition);
            all.append(values).map_err(|_| place(None, "its type changes between row groups".to_owned()))?;
        }
        Ok((all, repetition))
    }
}

fn empty(kind: Kind) -> Values {
    match kind {
        Kind::Bool => Values::Bool(Vec::new()),
        Kind::I32 => Values::I32(Vec::new()),
        Kind::U32 => Values::U32(Vec::new()),
        Kind::I64 => Values::I64(Vec::new()),
        Kind::U64 => Values::U64(Vec::new()),
        Kind::F64 => Values::F64(Vec::new()),
        Kind::Text => Values::Text(Vec::new()),
        Kind::Bytes => Values::Bytes(Vec::new()),
        Kind::F16 => Values::F16(Vec::new()),
        Kind::F32 | Kind::I8 | Kind::I16 | Kind::U8 | Kind::U16 => Values::F32(Vec::new()),
    }
}

/// Values, the reader that gave them, and the rows that they are of.
type Typed<T> = (Vec<<T as DataType>::T>, ColumnReaderImpl<T>, usize);

/// Levels of what is read: nothing may be null.
struct Levels {
    most: i16,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl Levels {
    /// Reads at most `rows` rows of one row group; gives the reader back with their number and values.
    fn values(
        &mut self,
        reader: ColumnReader,
        kind: Kind,
        rows: usize,
    ) -> Result<(ColumnReader, usize, Values), ParquetError> {
        macro_rules! read {
            ($type:ty, $variant:ident, $values:ident => $converted:expr) => {{
                let ($values, reader, records) = self.typed::<$type>(reader, rows)?;
                Ok((ColumnReader::$variant(reader), records, $converted))
            }};
        }
        let text = |bytes: &[u8]| {
            std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|e| ParquetError::General(format!("text that is not UTF-8: {e}")))
        };
        match (&reader, kind) {
            (ColumnReader::BoolColumnReader(_), _) => read!(BoolType, BoolColumnReader, v => Values::Bool(v)),
            (ColumnReader::Int32ColumnReader(_), Kind::U32) => {
                read!(Int32Type, Int32ColumnReader, v => Values::U32(v.into_iter().map(i32::cast_unsigned).collect()))
            }
            (ColumnReader::Int32ColumnReader(_), _) => read!(Int32Type, Int32ColumnReader, v => Values::I32(v)),
            (ColumnReader::Int64ColumnReader(_), Kind::U64) => {
                read!(Int64Type, Int64ColumnReader, v => Values::U64(v.into_iter().map(i64::cast_unsigned).collect()))
            }
            (ColumnReader::Int64ColumnReader(_), _) => read!(Int64Type, Int64ColumnReader, v => Values::I64(v)),
            (ColumnReader::FloatColumnReader(_), _) => read!(FloatType, FloatColumnReader, v => Values::F32(v)),
            (ColumnReader::DoubleColumnReader(_), _) => read!(DoubleType, DoubleColumnReader, v => Values::F64(v)),
            (ColumnReader::ByteArrayColumnReader(_), Kind::Text) => read!(ByteArrayType, ByteArrayColumnReader,
                v => Values::Text(v.iter().map(|bytes| text(bytes.data())).collect::<Result<_, _>>()?)),
            (ColumnReader::ByteArrayColumnReader(_), _) => read!(ByteArrayType, ByteArrayColumnReader,
                v => Values::Bytes(v.iter().map(|bytes| bytes.data().to_vec()).collect())),
            (ColumnReader::FixedLenByteArrayColumnReader(_), Kind::F16) => {
                read!(FixedLenByteArrayType, FixedLenByteArrayColumnReader, v => Values::F16(
                    v.iter().map(|bytes| half::f16::from_le_bytes(bytes.data().try_into().unwrap_or_default())).collect()
                ))
            }
            (ColumnReader::FixedLenByteArrayColumnReader(_), _) => {
                read!(FixedLenByteArrayType, FixedLenByteArrayColumnReader,
                    v => Values::Bytes(v.iter().map(|bytes| bytes.data().to_vec()).collect()))
            }
            (ColumnReader::Int96ColumnReader(_), _) => {
                Err(ParquetError::General("INT96 times are not read".to_owned()))
            }
        }
    }

    fn typed<T: DataType>(&mut self, reader: ColumnReader, rows: usize) -> Result<Typed<T>, ParquetError> {
        let mut reader = get_typed_column_reader::<T>(reader);
        let mut values = Vec::new();
        let (records, _, _) =
            reader.read_records(rows, Some(&mut self.definition), Some(&mut self.repetition), &mut values)?;
        Ok((values, reader, records))
    }

    /// The row, from 0, of the first element that is not there.
    fn null_row(&self) -> Option<usize> {
        let place = self.definition.iter().position(|level| *level < self.most)?;
        if self.repetition.is_empty() {
            return Some(place);
        }
        Some(self.repetition[..=place].iter().filter(|r| **r == 0).count().saturating_sub(1))
    }
}
