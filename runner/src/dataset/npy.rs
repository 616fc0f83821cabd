//! NumPy's `.npy` arrays and `.npz` archives of them, streamed.
//!
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>. Arrays of an archive
//! are read side by side, each through a handle of its own at its place in the file.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{Column, DataError, Kind, Reader, Values};

/// Longest header taken: a few hundred bytes are usual.
const HEADER_LIMIT: usize = 64 * 1024;

struct Header {
    format: Number,
    rows: u64,
    shape: Vec<usize>,
}

/// How an element is stored.
#[derive(Clone, Copy)]
struct Number {
    kind: Kind,
    /// Bytes of an element.
    size: usize,
    big_endian: bool,
    code: u8,
}

pub(super) fn npy_columns(path: &Path) -> Result<Vec<Column>, DataError> {
    let error = |message: String| DataError { file: path.to_owned(), row: None, column: None, message };
    let file = File::open(path).map_err(|e| error(e.to_string()))?;
    let header = read_header(&mut BufReader::new(file)).map_err(error)?;
    // A lone array has no name; `X` is what scikit-learn calls inputs.
    Ok(vec![column("X".to_owned(), header)])
}

pub(super) fn npz_columns(path: &Path) -> Result<Vec<Column>, DataError> {
    let error = |message: String| DataError { file: path.to_owned(), row: None, column: None, message };
    let mut columns = Vec::new();
    for entry in entries(path)? {
        let mut stream = entry.stream(path).map_err(|e| error(e.to_string()))?;
        let header = read_header(&mut stream)
            .map_err(|message| DataError { column: Some(entry.name.clone()), ..error(message) })?;
        columns.push(column(entry.name, header));
    }
    let rows = columns.first().and_then(|column| column.rows);
    if let Some(odd) = columns.iter().find(|column| column.rows != rows) {
        let (first, count) = (&columns[0].name, |rows: Option<u64>| rows.unwrap_or_default());
        let message = format!("it has {} rows, but `{first}` has {}", count(odd.rows), count(rows));
        return Err(DataError { column: Some(odd.name.clone()), ..error(message) });
    }
    Ok(columns)
}

fn column(name: String, header: Header) -> Column {
    Column { name, kind: header.format.kind, shape: header.shape, rows: Some(header.rows) }
}

/// An array in an archive.
struct Entry {
    name: String,
    start: u64,
    compressed: u64,
    deflated: bool,
}

impl Entry {
    fn stream(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.start))?;
        let bytes = file.take(self.compressed);
        if self.deflated {
            return Ok(Box::new(BufReader::new(flate2::read::DeflateDecoder::new(bytes))));
        }
        Ok(Box::new(BufReader::new(bytes)))
    }
}

fn entries(path: &Path) -> Result<Vec<Entry>, DataError> {
    let error = |message: String| DataError { file: path.to_owned(), row: None, column: None, message };
    let file = File::open(path).map_err(|e| error(e.to_string()))?;
    let mut archive =
        zip::ZipArchive::new(BufReader::new(file)).map_err(|e| error(format!("it is not an .npz archive: {e}")))?;
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|e| error(e.to_string()))?;
        let full = entry.name().map_err(|e| error(e.to_string()))?.into_owned();
        let Some(name) = full.strip_suffix(".npy") else { continue };
        let deflated = match entry.compression() {
            zip::CompressionMethod::Stored => false,
            zip::CompressionMethod::Deflated => true,
            other => return Err(error(format!("`{full}` is compressed by {other}, which NumPy does not write"))),
        };
        let start = entry.data_start().ok_or_else(|| error(format!("`{full}` has no data")))?;
        entries.push(Entry { name: name.to_owned(), start, compressed: entry.compressed_size(), deflated });
    }
    if entries.is_empty() {
        return Err(error("the archive holds no .npy arrays".to_owned()));
    }
    Ok(entries)
}

fn read_header(stream: &mut impl Read) -> Result<Header, String> {
    let mut start = [0; 8];
    stream.read_exact(&mut start).map_err(|_| "it is too short for an .npy array".to_owned())?;
    if &start[..6] != b"\x93NUMPY" {
        return Err("it is not an .npy array (its first bytes are not \\x93NUMPY)".to_owned());
    }
    let length = match start[6] {
        1 => {
            let mut bytes = [0; 2];
            stream.read_exact(&mut bytes).map_err(|e| e.to_string())?;
            usize::from(u16::from_le_bytes(bytes))
        }
        2 | 3 => {
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).map_err(|e| e.to_string())?;
            u32::from_le_bytes(bytes) as usize
        }
        version => return Err(format!("version {version} of the .npy format is unknown")),
    };
    if length > HEADER_LIMIT {
        return Err(format!("its header has {length} bytes, more than any real one"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).map_err(|_| "its header is cut off".to_owned())?;
    parse_header(&String::from_utf8_lossy(&bytes))
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (899, 64), }`
fn parse_header(text: &str) -> Result<Header, String> {
    let after = |key: &str| text.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
    let missing = |key: &str| format!("its header has no `{key}`");
    let descr = after("descr").ok_or_else(|| missing("descr"))?;
    let descr = descr
        .strip_prefix('\'')
        .and_then(|rest| rest.split_once('\''))
        .map(|(descr, _)| descr)
        .ok_or("it holds records with fields; Assay reads plain arrays")?;
    if after("fortran_order").ok_or_else(|| missing("fortran_order"))?.starts_with("True") {
        return Err("it is in Fortran order; save it with np.ascontiguousarray".to_owned());
    }
    let shape = after("shape").ok_or_else(|| missing("shape"))?;
    let inside = shape.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(|| missing("shape"))?.0;
    let dimensions: Vec<u64> = inside
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| part.trim_end_matches('L').parse().map_err(|_| format!("`{part}` is not a dimension")))
        .collect::<Result<_, _>>()?;
    let (rows, shape) = dimensions.split_first().ok_or("it is a single number, not rows of data")?;
    let shape: Vec<usize> = shape
        .iter()
        .map(|d| usize::try_from(*d).map_err(|_| format!("the dimension {d} is too large")))
        .collect::<Result<_, _>>()?;
    // A row must fit into memory, and no product below may overflow.
    let width = shape.iter().try_fold(1usize, |product, d| product.checked_mul(*d));
    if width.is_none_or(|width| width > 1 << 31) {
        return Err("its rows are too large".to_owned());
    }
    Ok(Header { format: number(descr)?, rows: *rows, shape })
}

fn number(descr: &str) -> Result<Number, String> {
    let mut characters = descr.chars();
    let order = characters.next().unwrap_or_default();
    let code = characters.next().unwrap_or_default();
    let unknown = || {
        let hint = if code == 'O' { " (Python objects; save plain numbers or text)" } else { "" };
        format!("its element type `{descr}`{hint} is not one that Assay reads")
    };
    let size: usize = characters.as_str().parse().map_err(|_| unknown())?;
    let kind = match (code, size) {
        ('f', 2 | 4) => Kind::F32,
        ('f', 8) => Kind::F64,
        ('i', 1) => Kind::I8,
        ('i', 2) => Kind::I16,
        ('i', 4) => Kind::I32,
        ('i', 8) => Kind::I64,
        ('u', 1) => Kind::U8,
        ('u', 2) => Kind::U16,
        ('u', 4) => Kind::U32,
        ('u', 8) => Kind::U64,
        ('b', 1) => Kind::Bool,
        ('U' | 'S', 1..=1_000_000) => Kind::Text,
        _ => return Err(unknown()),
    };
    let size = if code == 'U' { size * 4 } else { size };
    Ok(Number { kind, size, big_endian: order == '>', code: code as u8 })
}

/// Reads arrays side by side.
pub(super) struct NpyReader {
    path: PathBuf,
    arrays: Vec<Array>,
    rows: u64,
    read: u64,
    memory: Memory,
}

/// Memory that serves again.
#[derive(Default)]
struct Memory {
    /// What was read last, as it lies in the file.
    block: Vec<u8>,
    /// Values that were read before.
    spare: Vec<Values>,
}

/// Bytes read at once: few calls, and still in the processor's cache when they become values.
const BLOCK_BYTES: usize = 128 << 10;

struct Array {
    name: String,
    stream: Box<dyn Read + Send>,
    format: Number,
    width: usize,
}

impl NpyReader {
    pub(super) fn open(path: &Path, columns: &[&Column]) -> Result<Self, DataError> {
        let error = |message: String| DataError { file: path.to_owned(), row: None, column: None, message };
        let is_archive = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz"));
        let entries = if is_archive { entries(path)? } else { Vec::new() };
        let mut arrays = Vec::new();
        for column in columns {
            let stream = match entries.iter().find(|entry| entry.name == column.name) {
                Some(entry) => entry.stream(path),
                None => File::open(path).map(|file| Box::new(BufReader::new(file)) as Box<dyn Read + Send>),
            };
            let mut stream = stream.map_err(|e| error(e.to_string()))?;
            let header = read_header(&mut stream).map_err(error)?;
            let width = header.shape.iter().product();
            arrays.push(Array { name: column.name.clone(), stream, format: header.format, width });
        }
        let rows = columns.first().and_then(|column| column.rows).unwrap_or_default();
        Ok(Self { path: path.to_owned(), arrays, rows, read: 0, memory: Memory::default() })
    }
}

impl Reader for NpyReader {
    fn read(&mut self, rows: usize) -> Result<Option<Vec<Values>>, DataError> {
        let rows = (self.rows - self.read).min(rows as u64) as usize;
        if rows == 0 {
            return Ok(None);
        }
        let mut batch = Vec::with_capacity(self.arrays.len());
        for array in &mut self.arrays {
            let values = read_values(&mut array.stream, array.format, rows * array.width, &mut self.memory);
            batch.push(values.map_err(|e| DataError {
                file: self.path.clone(),
                row: Some(self.read + 1),
                column: Some(array.name.clone()),
                message: match e.kind() {
                    io::ErrorKind::UnexpectedEof => "the file ends before the last row".to_owned(),
                    _ => e.to_string(),
                },
            })?);
        }
        self.read += rows as u64;
        Ok(Some(batch))
    }

    fn recycle(&mut self, values: Values) {
        // Values that were converted may be of a kind that no array has, and would never be taken.
        let wanted = self.arrays.iter().any(|array| array.format.kind == values.kind());
        if wanted && self.memory.spare.len() < 2 * self.arrays.len() {
            self.memory.spare.push(values);
        }
    }
}

/// The next `count` elements.
fn read_values(stream: &mut impl Read, format: Number, count: usize, memory: &mut Memory) -> io::Result<Values> {
    let Memory { block, spare } = memory;
    macro_rules! each {
        ($variant:ident, $size:expr, $bytes:ident => $elements:expr) => {{
            let used = spare.iter().position(|values| matches!(values, Values::$variant(_)));
            let mut values = match used.map(|index| spare.swap_remove(index)) {
                Some(Values::$variant(values)) => values,
                _ => Vec::new(),
            };
            values.clear();
            values.reserve_exact(count);
            let most = (BLOCK_BYTES / $size).max(1);
            while values.len() < count {
                block.resize(most.min(count - values.len()) * $size, 0);
                stream.read_exact(block)?;
                let $bytes = &block[..];
                values.extend($elements);
            }
            Values::$variant(values)
        }};
    }
    macro_rules! plain {
        ($variant:ident, $type:ident) => {{
            const SIZE: usize = size_of::<$type>();
            if format.big_endian {
                each!($variant, SIZE, bytes => bytes.as_chunks().0.iter().map(|chunk| $type::from_be_bytes(*chunk)))
            } else {
                each!($variant, SIZE, bytes => bytes.as_chunks().0.iter().map(|chunk| $type::from_le_bytes(*chunk)))
            }
        }};
    }
    let half = |chunk: &[u8; 2]| {
        let bits = if format.big_endian { u16::from_be_bytes(*chunk) } else { u16::from_le_bytes(*chunk) };
        half::f16::from_bits(bits).to_f32()
    };
    Ok(match format.kind {
        Kind::F32 if format.size == 2 => each!(F32, 2, bytes => bytes.as_chunks().0.iter().map(half)),
        Kind::F32 => plain!(F32, f32),
        Kind::F64 => plain!(F64, f64),
        Kind::I8 => plain!(I8, i8),
        Kind::I16 => plain!(I16, i16),
        Kind::I32 => plain!(I32, i32),
        Kind::I64 => plain!(I64, i64),
        Kind::U8 => plain!(U8, u8),
        Kind::U16 => plain!(U16, u16),
        Kind::U32 => plain!(U32, u32),
        Kind::U64 => plain!(U64, u64),
        Kind::Bool => each!(Bool, 1, bytes => bytes.iter().map(|byte| *byte != 0)),
        // Headers name neither of the other two.
        Kind::F16 | Kind::Bytes | Kind::Text => {
            each!(Text, format.size, bytes => bytes.chunks_exact(format.size).map(|chunk| text(chunk, format)))
        }
    })
}

/// A fixed-width text, without its padding of zeros.
fn text(bytes: &[u8], format: Number) -> String {
    if format.code == b'S' {
        return String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    }
    let code = |c: &[u8; 4]| if format.big_endian { u32::from_be_bytes(*c) } else { u32::from_le_bytes(*c) };
    let characters = bytes.as_chunks::<4>().0.iter().map(code);
    let text: String = characters.map(|c| char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.trim_end_matches('\0').to_owned()
}

#[cfg(test)]
mod tests;
