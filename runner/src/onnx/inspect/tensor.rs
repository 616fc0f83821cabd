//! One tensor of a model: its type, its shape, and a digest of its numbers.

use std::io::{Read, Seek};

use sha2::{Digest as _, Sha256};
use workflows::ids::Digest;

use super::{
    graph::External,
    model::{Depth, LONGEST_NAME},
    wire::{Message, ReadError, Value, Wire},
};

/// A tensor, without its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<u64>,
    /// Of the numbers as little-endian bytes; none where they were not read.
    pub digest: Option<Digest>,
    /// Where they lie, if not in the model file.
    pub external: Option<External>,
}

impl Tensor {
    /// How many numbers it holds.
    pub fn elements(&self) -> u64 {
        self.shape.iter().fold(1, |product, size| product.saturating_mul(*size))
    }
}

/// More dimensions than any operator takes.
const MOST_DIMENSIONS: usize = 64;

/// Reads a `TensorProto`.
pub(super) struct TensorReader {
    depth: Depth,
    hasher: Sha256,
    data_type: u64,
    tensor: Tensor,
}

impl TensorReader {
    pub(super) fn new(depth: Depth) -> Self {
        let tensor =
            Tensor { name: String::new(), dtype: String::new(), shape: Vec::new(), digest: None, external: None };
        Self { depth, hasher: Sha256::new(), data_type: 0, tensor }
    }

    pub(super) fn read<R: Read + Seek>(mut self, wire: &mut Wire<R>, message: Message) -> Result<Tensor, ReadError> {
        while let Some(field) = wire.next(message)? {
            match (field.number, field.value) {
                (1, Value::Varint(size)) => self.dimension(wire, size)?,
                (1, Value::Bytes(length)) => {
                    let packed = wire.enter(length);
                    while let Some(size) = wire.packed_varint(packed)? {
                        self.dimension(wire, size)?;
                    }
                }
                (2, Value::Varint(number)) => self.data_type = number,
                (8, Value::Bytes(length)) => self.tensor.name = wire.text(length, LONGEST_NAME)?,
                (13, Value::Bytes(length)) => self.external_entry(wire, length)?,
                // Numbers of 32 and 64 bits and raw ones are little-endian in the file as well.
                (4 | 6 | 9 | 10, Value::Bytes(length)) if self.depth == Depth::Weights => {
                    if field.number == 6 {
                        self.hasher.update(length.to_le_bytes());
                    }
                    wire.stream(length, |bytes| self.hasher.update(bytes))?;
                }
                (5 | 7 | 11, Value::Bytes(length)) if self.depth == Depth::Weights => {
                    let packed = wire.enter(length);
                    while let Some(number) = wire.packed_varint(packed)? {
                        self.integer(number);
                    }
                }
                (5 | 7 | 11, Value::Varint(number)) => self.integer(number),
                (4, Value::Fixed32(bytes)) => self.hasher.update(bytes),
                (10, Value::Fixed64(bytes)) => self.hasher.update(bytes),
                (_, Value::Bytes(length)) => wire.skip(length)?,
                (_, Value::Varint(_) | Value::Fixed64(_) | Value::Fixed32(_)) => {}
            }
        }
        self.tensor.dtype = dtype_name(self.data_type);
        match &mut self.tensor.external {
            Some(external) => external.tensor.clone_from(&self.tensor.name),
            None if self.depth == Depth::Weights => {
                self.tensor.digest = Some(Digest::from_sha256(self.hasher.finalize().into()));
            }
            None => {}
        }
        Ok(self.tensor)
    }

    fn dimension<R: Read + Seek>(&mut self, wire: &Wire<R>, size: u64) -> Result<(), ReadError> {
        if self.tensor.shape.len() == MOST_DIMENSIONS {
            return Err(wire.malformed("a tensor of more than 64 dimensions"));
        }
        self.tensor.shape.push(size);
        Ok(())
    }

    /// An integer in as many bytes as its type has, so that it does not matter whether it was written
    /// raw or as a varint.
    fn integer(&mut self, number: u64) {
        let width = match self.data_type {
            2 | 3 | 9 | 17..=26 => 1,
            4 | 5 | 10 | 16 => 2,
            6 | 12 => 4,
            _ => 8,
        };
        self.hasher.update(&number.to_le_bytes()[..width]);
    }

    /// A key and its value. Every location counts, whatever else the tensor says: parsers merge the parts of
    /// a message, and a part alone may look harmless.
    fn external_entry<R: Read + Seek>(&mut self, wire: &mut Wire<R>, length: u64) -> Result<(), ReadError> {
        let message = wire.enter(length);
        let (mut key, mut value) = (String::new(), String::new());
        while let Some(field) = wire.next(message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(length)) => key = wire.text(length, LONGEST_NAME)?,
                (2, Value::Bytes(length)) => value = wire.text(length, LONGEST_NAME)?,
                (_, Value::Bytes(length)) => wire.skip(length)?,
                (_, Value::Varint(_) | Value::Fixed64(_) | Value::Fixed32(_)) => {}
            }
        }
        let number =
            || value.parse::<u64>().map_err(|_| wire.malformed(format!("an external {key} that is no number")));
        let external = self.tensor.external.get_or_insert_with(|| External {
            tensor: String::new(),
            location: String::new(),
            offset: 0,
            length: None,
        });
        match key.as_str() {
            "location" if external.location.is_empty() || external.location == value => external.location = value,
            "location" => return Err(wire.malformed("a tensor whose numbers lie in two files")),
            "offset" => external.offset = number()?,
            "length" => external.length = Some(number()?),
            _ => {}
        }
        Ok(())
    }
}

/// NumPy's name of an element type, by its number in `TensorProto.DataType`.
pub(super) fn dtype_name(number: u64) -> String {
    const NAMES: [&str; 27] = [
        "undefined",
        "float32",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "int32",
        "int64",
        "string",
        "bool",
        "float16",
        "float64",
        "uint32",
        "uint64",
        "complex64",
        "complex128",
        "bfloat16",
        "float8e4m3fn",
        "float8e4m3fnuz",
        "float8e5m2",
        "float8e5m2fnuz",
        "uint4",
        "int4",
        "float4e2m1",
        "float8e8m0",
        "uint2",
        "int2",
    ];
    usize::try_from(number)
        .ok()
        .and_then(|index| NAMES.get(index))
        .map_or_else(|| format!("type {number}"), |name| (*name).to_owned())
}
