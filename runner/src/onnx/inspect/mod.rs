//! Looking at a model without running it: what it is, what it needs from beside it, what changed.
//!
//! The file is hostile input: `wire` reads it as a stream, `model` keeps little of it (a `graph`), `external`
//! refuses files that are not the model's own. [`ModelFile`] is the proof that all this was done: nothing
//! else can be opened with ONNX Runtime.

mod difference;
mod external;
mod graph;
mod model;
mod tensor;
mod wire;

use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use workflows::{evaluation::FileFacts, ids::Digest};

pub use self::{
    difference::{Change, Difference, Names, Weights, difference},
    graph::{Dimension, Graph, Signature},
    model::Depth,
};
use super::{EvalError, facts::file_facts};

/// A model file that may be opened: it is ONNX, and the files that it needs lie beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFile {
    path: PathBuf,
    facts: FileFacts,
    graph: Graph,
    external: Vec<ExternalFile>,
}

/// A file with weights, beside the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExternalFile {
    /// As the model names it.
    pub location: String,
    pub digest: Digest,
    pub bytes: u64,
}

/// What `assay inspect --json` says of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    pub model: FileFacts,
    #[serde(flatten)]
    pub graph: Graph,
    /// Initialisers.
    pub weights: u64,
    pub external: Vec<ExternalFile>,
    /// With another model: what this one changes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

/// The model compared with, and what changed from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    pub model: FileFacts,
    #[serde(flatten)]
    pub difference: Difference,
}

impl ModelFile {
    /// Reads a model's structure and digests it, with the files that hold its weights.
    pub fn examine(path: &Path) -> Result<Self, EvalError> {
        Self::read(path, Depth::Structure)
    }

    fn read(path: &Path, depth: Depth) -> Result<Self, EvalError> {
        let error = |message: String| EvalError::Model { path: path.to_owned(), message };
        if path.is_dir() {
            return Err(error("it is a directory".to_owned()));
        }
        // ONNX Runtime goes by this ending too, and would read another format than we did.
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ort")) {
            return Err(error(
                "it is in ONNX Runtime's own format; Assay takes the ONNX file it was made from".to_owned(),
            ));
        }
        let mut graph = model::read(path, depth).map_err(|e| error(e.to_string()))?;
        // An engine from elsewhere, which is code; and the file that it lies in is named where no one looks.
        if let Some(operator) = graph.operators.keys().find(|name| name.ends_with("EPContext")) {
            return Err(error(format!(
                "it holds a compiled engine ({operator}); Assay takes the model it was made from"
            )));
        }
        let io_error = |e: std::io::Error| error(e.to_string());
        let mut facts = file_facts(path).map_err(io_error)?;
        let files = external::files(path, &graph.external).map_err(error)?;
        let mut external = Vec::new();
        for (location, file) in &files {
            let FileFacts { digest, bytes, .. } = file_facts(file).map_err(io_error)?;
            external.push(ExternalFile { location: location.clone(), digest, bytes });
        }
        if depth == Depth::Weights {
            for tensor in graph.weights.values_mut() {
                if let Some(part) = &tensor.external {
                    tensor.digest = Some(external::digest(&files[&part.location], part).map_err(io_error)?);
                }
            }
        }
        if !external.is_empty() {
            // The model is all of its files: one digest and one size for them together.
            let mut hasher = Sha256::new();
            hasher.update(facts.digest.as_str());
            for file in &external {
                hasher.update(format!("\n{}\0{}", file.location, file.digest));
                facts.bytes += file.bytes;
            }
            facts.digest = Digest::from_sha256(hasher.finalize().into());
        }
        Ok(Self { path: path.to_owned(), facts, graph, external })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Digest and size, the weights beside it included.
    pub fn facts(&self) -> &FileFacts {
        &self.facts
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

/// Looks at a model, and at what it changes of another one.
pub fn inspect(path: &Path, against: Option<&Path>) -> Result<Inspection, EvalError> {
    let depth = if against.is_some() { Depth::Weights } else { Depth::Structure };
    let head = ModelFile::read(path, depth)?;
    let against = match against {
        None => None,
        Some(path) => {
            let base = ModelFile::read(path, depth)?;
            Some(Against { difference: difference(&base, &head), model: base.facts })
        }
    };
    Ok(Inspection {
        model: head.facts,
        weights: head.graph.weights.len() as u64,
        graph: head.graph,
        external: head.external,
        against,
    })
}

#[cfg(test)]
mod tests;
