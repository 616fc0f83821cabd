//! A model in the words of ONNX, as [`super::model`] reads it.

use std::collections::BTreeMap;

use serde::Serialize;
use workflows::ids::Digest;

use super::tensor::Tensor;

/// A model, in the words of ONNX.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Graph {
    pub ir_version: u64,
    /// Domain of operators (`ai.onnx` is the standard's) → version.
    pub opset: BTreeMap<String, u64>,
    /// What wrote it, as it says itself; may be empty.
    pub producer: String,
    pub inputs: Vec<Signature>,
    pub outputs: Vec<Signature>,
    /// Numbers in initialisers, those of subgraphs included (of sparse ones those that are stored), and in
    /// the attributes of `ai.onnx.ml`'s operators, where scikit-learn's models keep what they learned.
    pub parameters: u64,
    /// Nodes in all graphs, those of subgraphs and functions included.
    pub nodes: u64,
    /// Operator (with its domain where that is not the standard's) → number of nodes.
    pub operators: BTreeMap<String, u64>,
    /// Initialisers, by name; those of a subgraph by `node/attribute/name`.
    #[serde(skip)]
    pub weights: BTreeMap<String, Tensor>,
    /// Digests of the nodes' attributes, by the nodes' names; filled with [`super::model::Depth::Weights`].
    #[serde(skip)]
    pub attributes: BTreeMap<String, Digest>,
    /// Tensors whose numbers lie in other files, wherever in the model they are.
    #[serde(skip)]
    pub external: Vec<External>,
}

/// An input or output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signature {
    pub name: String,
    /// NumPy's name of the element type; for what is no tensor, what it is.
    pub dtype: String,
    /// None: any rank. An open dimension is its symbol, or null where it has none.
    pub shape: Option<Vec<Dimension>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Dimension {
    Fixed(u64),
    Symbol(String),
    Any,
}

/// Where a tensor's numbers lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    pub tensor: String,
    /// As the model names it, relative to its own directory.
    pub location: String,
    pub offset: u64,
    /// None: to the file's end.
    pub length: Option<u64>,
}

impl std::fmt::Display for Signature {
    /// `X: float32 [N, 64]`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.dtype)?;
        let Some(shape) = &self.shape else { return Ok(()) };
        let dimensions: Vec<String> = shape.iter().map(ToString::to_string).collect();
        write!(f, " [{}]", dimensions.join(", "))
    }
}

impl std::fmt::Display for Dimension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Dimension::Fixed(size) => size.fmt(f),
            Dimension::Symbol(symbol) => f.write_str(symbol),
            Dimension::Any => f.write_str("?"),
        }
    }
}
