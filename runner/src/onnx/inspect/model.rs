//! What a model file says, as far as people ask: read in one pass over its wire format, whatever its size.
//! Field numbers are those of `onnx.proto` (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>).

use std::{
    fs::File,
    io::{Read, Seek},
    path::Path,
};

use sha2::{Digest as _, Sha256};
use workflows::ids::Digest;

use super::{
    graph::{Dimension, Graph, Signature},
    tensor::{Tensor, TensorReader},
    wire::{Field, Message, ReadError, Value, Wire},
};

/// Whether the weights' numbers are read (and digested) or passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    Structure,
    Weights,
}

/// Subgraphs within subgraphs: more than any real model, fewer than a stack holds.
const MOST_NESTED: u32 = 50;
/// The longest name or symbol.
pub(super) const LONGEST_NAME: u64 = 4096;
/// Names and shapes that are kept of one model, in bytes; with it goes the memory that reading takes.
const MOST_KEPT: u64 = 128 << 20;
/// What keeping a thing costs beside its name, about.
const OVERHEAD: u64 = 192;

/// Reads a model file.
pub(super) fn read(path: &Path, depth: Depth) -> Result<Graph, ReadError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length == 0 {
        return Err(ReadError::Malformed { offset: 0, reason: "it is empty".to_owned() });
    }
    read_from(file, length, depth)
}

pub(super) fn read_from<R: Read + Seek>(source: R, length: u64, depth: Depth) -> Result<Graph, ReadError> {
    let (wire, message) = Wire::new(source, length);
    let mut reader = Reader { wire, depth, kept: 0, graph: Graph::default() };
    reader.model(message)?;
    let Reader { mut graph, wire, .. } = reader;
    if graph.ir_version == 0 || graph.opset.is_empty() {
        return Err(wire.malformed("no version of ONNX is named"));
    }
    // Up to IR version 3 every initialiser was listed as an input too; nobody feeds those.
    graph.inputs.retain(|input| !graph.weights.contains_key(&input.name));
    Ok(graph)
}

struct Reader<R> {
    wire: Wire<R>,
    depth: Depth,
    kept: u64,
    graph: Graph,
}

/// Which graph is being read.
#[derive(Debug, Clone, Copy)]
struct Where<'a> {
    /// Empty for the model's own.
    name: &'a str,
    nested: u32,
}

impl Where<'_> {
    fn named(&self, name: &str) -> String {
        if self.name.is_empty() { name.to_owned() } else { format!("{}/{name}", self.name) }
    }
}

/// What a node's attributes come to.
#[derive(Default)]
struct Attributes {
    any: bool,
    hasher: Sha256,
    /// Numbers in lists of them.
    floats: u64,
}

impl<R: Read + Seek> Reader<R> {
    fn model(&mut self, message: Message) -> Result<(), ReadError> {
        let main = Where { name: "", nested: 0 };
        let (mut name, mut version) = (String::new(), String::new());
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                (1, Value::Varint(ir)) => self.graph.ir_version = ir,
                (2, Value::Bytes(length)) => name = self.wire.text(length, LONGEST_NAME)?,
                (3, Value::Bytes(length)) => version = self.wire.text(length, LONGEST_NAME)?,
                (7, Value::Bytes(length)) => self.graph(self.wire.enter(length), main)?,
                (8, Value::Bytes(length)) => self.opset(length)?,
                (20, Value::Bytes(length)) => self.training(self.wire.enter(length))?,
                (25, Value::Bytes(length)) => self.function(self.wire.enter(length))?,
                _ => self.pass(field)?,
            }
        }
        self.graph.producer = format!("{name} {version}").trim().to_owned();
        Ok(())
    }

    fn opset(&mut self, length: u64) -> Result<(), ReadError> {
        let message = self.wire.enter(length);
        let (mut domain, mut version) = (String::new(), 0);
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(length)) => domain = self.wire.text(length, LONGEST_NAME)?,
                (2, Value::Varint(number)) => version = number,
                _ => self.pass(field)?,
            }
        }
        let domain = if domain.is_empty() { "ai.onnx".to_owned() } else { domain };
        self.keep(&domain)?;
        self.graph.opset.insert(domain, version);
        Ok(())
    }

    fn graph(&mut self, message: Message, at: Where<'_>) -> Result<(), ReadError> {
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(length)) => self.node(self.wire.enter(length), at)?,
                (5, Value::Bytes(length)) => self.weight(length, at)?,
                (15, Value::Bytes(length)) => self.sparse(length, at, true)?,
                (11, Value::Bytes(length)) if at.nested == 0 => {
                    let signature = self.signature(length)?;
                    self.graph.inputs.push(signature);
                }
                (12, Value::Bytes(length)) if at.nested == 0 => {
                    let signature = self.signature(length)?;
                    self.graph.outputs.push(signature);
                }
                _ => self.pass(field)?,
            }
        }
        Ok(())
    }

    /// Graphs of training, which nobody runs here, may point at files as well.
    fn training(&mut self, message: Message) -> Result<(), ReadError> {
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                (1 | 2, Value::Bytes(length)) => {
                    self.graph(self.wire.enter(length), Where { name: "training", nested: 1 })?;
                }
                _ => self.pass(field)?,
            }
        }
        Ok(())
    }

    fn function(&mut self, message: Message) -> Result<(), ReadError> {
        let at = Where { name: "function", nested: 1 };
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                (7, Value::Bytes(length)) => self.node(self.wire.enter(length), at)?,
                (11, Value::Bytes(length)) => {
                    self.attribute(self.wire.enter(length), at, &mut Attributes::default())?;
                }
                _ => self.pass(field)?,
            }
        }
        Ok(())
    }

    fn node(&mut self, message: Message, at: Where<'_>) -> Result<(), ReadError> {
        let (mut name, mut operator, mut domain) = (String::new(), String::new(), String::new());
        let mut attributes = Attributes::default();
        let number = self.graph.nodes;
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                (3, Value::Bytes(length)) => name = self.wire.text(length, LONGEST_NAME)?,
                (4, Value::Bytes(length)) => operator = self.wire.text(length, LONGEST_NAME)?,
                (7, Value::Bytes(length)) => domain = self.wire.text(length, LONGEST_NAME)?,
                (5, Value::Bytes(length)) => {
                    // Its subgraphs are named after it; writers put the name first.
                    let label = if name.is_empty() { at.named(&number.to_string()) } else { at.named(&name) };
                    self.attribute(self.wire.enter(length), Where { name: &label, ..at }, &mut attributes)?;
                }
                _ => self.pass(field)?,
            }
        }
        self.graph.nodes += 1;
        if domain == "ai.onnx.ml" {
            self.graph.parameters = self.graph.parameters.saturating_add(attributes.floats);
        }
        let operator = match domain.as_str() {
            "" | "ai.onnx" => operator,
            domain => format!("{domain}.{operator}"),
        };
        if !self.graph.operators.contains_key(&operator) {
            self.keep(&operator)?;
        }
        let count = self.graph.operators.entry(operator.clone()).or_default();
        *count += 1;
        if self.depth == Depth::Weights && attributes.any {
            let name = if name.is_empty() { format!("{operator} {count}") } else { name };
            let name = at.named(&name);
            self.keep(&name)?;
            self.graph.attributes.insert(name, Digest::from_sha256(attributes.hasher.finalize().into()));
        }
        Ok(())
    }

    fn attribute(&mut self, message: Message, at: Where<'_>, sum: &mut Attributes) -> Result<(), ReadError> {
        let mut name = String::new();
        sum.any = true;
        while let Some(field) = self.wire.next(message)? {
            sum.hasher.update(field.number.to_le_bytes());
            match (field.number, field.value) {
                (1, Value::Bytes(length)) => {
                    name = self.wire.text(length, LONGEST_NAME)?;
                    sum.hasher.update(&name);
                }
                // Constants are no weights, but their numbers may lie in a file.
                (5 | 10, Value::Bytes(length)) => {
                    let tensor = self.tensor(length, self.depth)?;
                    sum.hasher.update(format!("{tensor:?}"));
                }
                (22 | 23, Value::Bytes(length)) => self.sparse(length, at, false)?,
                (6 | 11, Value::Bytes(length)) => {
                    if at.nested == MOST_NESTED {
                        return Err(ReadError::TooMuch("subgraphs within more than 50 others"));
                    }
                    let name = at.named(&name);
                    self.graph(self.wire.enter(length), Where { name: &name, nested: at.nested + 1 })?;
                }
                (2..=9, Value::Bytes(length)) => {
                    if field.number == 7 {
                        sum.floats += length / 4;
                    }
                    if self.depth == Depth::Weights {
                        self.wire.stream(length, |bytes| sum.hasher.update(bytes))?;
                    } else {
                        self.wire.skip(length)?;
                    }
                }
                (2..=9, Value::Varint(number)) => sum.hasher.update(number.to_le_bytes()),
                (2..=9, Value::Fixed32(bytes)) => {
                    sum.floats += u64::from(field.number == 7);
                    sum.hasher.update(bytes);
                }
                _ => self.pass(field)?,
            }
        }
        Ok(())
    }

    fn weight(&mut self, length: u64, at: Where<'_>) -> Result<(), ReadError> {
        let tensor = self.tensor(length, self.depth)?;
        self.add_weight(tensor, at)
    }

    fn add_weight(&mut self, tensor: Tensor, at: Where<'_>) -> Result<(), ReadError> {
        self.graph.parameters = self.graph.parameters.saturating_add(tensor.elements());
        let name = at.named(&tensor.name);
        self.keep(&name)?;
        self.kept += 8 * tensor.shape.len() as u64;
        self.graph.weights.insert(name, tensor);
        Ok(())
    }

    /// A sparse tensor is two others: what is stored, and where it belongs.
    fn sparse(&mut self, length: u64, at: Where<'_>, is_weight: bool) -> Result<(), ReadError> {
        let message = self.wire.enter(length);
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(length)) if is_weight => self.weight(length, at)?,
                (1 | 2, Value::Bytes(length)) => {
                    self.tensor(length, Depth::Structure)?;
                }
                _ => self.pass(field)?,
            }
        }
        Ok(())
    }

    fn tensor(&mut self, length: u64, depth: Depth) -> Result<Tensor, ReadError> {
        let message = self.wire.enter(length);
        let tensor = TensorReader::new(depth).read(&mut self.wire, message)?;
        if let Some(external) = &tensor.external {
            self.keep(&external.location)?;
            self.graph.external.push(external.clone());
        }
        Ok(tensor)
    }

    fn signature(&mut self, length: u64) -> Result<Signature, ReadError> {
        let message = self.wire.enter(length);
        let mut signature = Signature { name: String::new(), dtype: "unknown".to_owned(), shape: None };
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(length)) => signature.name = self.wire.text(length, LONGEST_NAME)?,
                (2, Value::Bytes(length)) => (signature.dtype, signature.shape) = self.port_type(length)?,
                _ => self.pass(field)?,
            }
        }
        self.keep(&signature.name)?;
        Ok(signature)
    }

    fn port_type(&mut self, length: u64) -> Result<(String, Option<Vec<Dimension>>), ReadError> {
        let message = self.wire.enter(length);
        let mut port = ("unknown".to_owned(), None);
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(length)) => port = self.tensor_type(length)?,
                (4 | 5 | 8 | 9, Value::Bytes(length)) => {
                    let name = match field.number {
                        4 => "sequence",
                        5 => "map",
                        8 => "sparse tensor",
                        _ => "optional",
                    };
                    port.0 = name.to_owned();
                    self.wire.skip(length)?;
                }
                _ => self.pass(field)?,
            }
        }
        Ok(port)
    }

    fn tensor_type(&mut self, length: u64) -> Result<(String, Option<Vec<Dimension>>), ReadError> {
        let message = self.wire.enter(length);
        let (mut dtype, mut shape) = ("unknown".to_owned(), None);
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                (1, Value::Varint(number)) => dtype = super::tensor::dtype_name(number),
                (2, Value::Bytes(length)) => shape = Some(self.shape(length)?),
                _ => self.pass(field)?,
            }
        }
        Ok((dtype, shape))
    }

    fn shape(&mut self, length: u64) -> Result<Vec<Dimension>, ReadError> {
        let message = self.wire.enter(length);
        let mut shape = Vec::new();
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(length)) => {
                    self.keep("")?;
                    shape.push(self.dimension(length)?);
                }
                _ => self.pass(field)?,
            }
        }
        Ok(shape)
    }

    fn dimension(&mut self, length: u64) -> Result<Dimension, ReadError> {
        let message = self.wire.enter(length);
        let mut dimension = Dimension::Any;
        while let Some(field) = self.wire.next(message)? {
            match (field.number, field.value) {
                // A negative size, as some exporters write it, is an open one.
                (1, Value::Varint(size)) if size <= i64::MAX as u64 => dimension = Dimension::Fixed(size),
                (2, Value::Bytes(length)) if length > 0 => {
                    dimension = Dimension::Symbol(self.wire.text(length, LONGEST_NAME)?);
                }
                _ => self.pass(field)?,
            }
        }
        Ok(dimension)
    }

    fn pass(&mut self, field: Field) -> Result<(), ReadError> {
        match field.value {
            Value::Bytes(length) => self.wire.skip(length),
            Value::Varint(_) | Value::Fixed64(_) | Value::Fixed32(_) => Ok(()),
        }
    }

    fn keep(&mut self, name: &str) -> Result<(), ReadError> {
        self.kept += OVERHEAD + name.len() as u64;
        if self.kept > MOST_KEPT {
            return Err(ReadError::TooMuch("more names and shapes than any model needs"));
        }
        Ok(())
    }
}
