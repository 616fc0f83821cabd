use std::path::PathBuf;

use super::runtime::LoadError;
use crate::dataset::DataError;

/// Why there is no answer. Nothing half-written is left behind by any of them.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The model file: missing, truncated, not ONNX, of an unsupported opset.
    #[error("model {path}: {message}", path = .path.display())]
    Model { path: PathBuf, message: String },
    /// The data set, with file, row and column.
    #[error(transparent)]
    Data(#[from] DataError),
    /// What was asked for does not fit the model or the data.
    #[error("{0}")]
    Usage(String),
    /// The execution provider that was demanded is not to be had here.
    #[error("{0}")]
    Provider(String),
    #[error(transparent)]
    Runtime(#[from] LoadError),
    /// ONNX Runtime failed while it ran the model.
    #[error("ONNX Runtime failed at rows {first}–{last}: {message}")]
    Run { first: u64, last: u64, message: String },
    #[error("cannot write {path}", path = .path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

impl EvalError {
    /// The command line's exit code: 2 for input that is wrong, 3 for a machine that is.
    pub fn exit_code(&self) -> u8 {
        match self {
            EvalError::Model { .. } | EvalError::Data(_) | EvalError::Usage(_) | EvalError::Run { .. } => 2,
            EvalError::Provider(_) | EvalError::Runtime(_) | EvalError::Write { .. } => 3,
        }
    }
}
