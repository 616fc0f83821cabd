//! What can go wrong in the engine, in words for the administrator.

use std::path::{Path, PathBuf};

/// Why the engine did not do as asked. A commit whose checks do not hold is no error but
/// [`Committed::Conflict`](super::Committed::Conflict).
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the data directory {} is in use by {holder}", dir.display())]
    InUse {
        dir: PathBuf,
        /// `process 1234`, or `another process` where it has not written its id yet.
        holder: String,
    },

    #[error(
        "the store in {} cannot be read ({reason}), not even without its snapshots. It was not reset. \
         Keep the directory, and restore a backup into a new one with `assay store restore`",
        dir.display()
    )]
    Unreadable { dir: PathBuf, reason: String },

    #[error("the store in {} was written by a newer version of Assay (format {found}, this one knows {known})", dir.display())]
    NewerFormat { dir: PathBuf, found: u64, known: u64 },

    #[error("{doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },

    /// The store is open and healthy; the commit was not tried.
    #[error("the disk of {} is full: {free_bytes} bytes are free and the store keeps {reserve_bytes} in reserve", dir.display())]
    DiskFull { dir: PathBuf, free_bytes: u64, reserve_bytes: u64 },

    /// Nothing is acknowledged any more: what reached the disk is not known until the next opening.
    #[error("the store takes no more commits, since it could not write ({reason}); mend the cause and start again")]
    Failed { reason: String },

    #[error("the store could not be read: {reason}")]
    Read { reason: String },

    /// The caller's mistake; the commit was not tried.
    #[error("the store refused {0}")]
    Invalid(String),

    #[error("the store is closed")]
    Closed,
}

impl EngineError {
    pub(in crate::store) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        EngineError::Io { doing, path: path.to_owned(), source }
    }

    pub(super) fn read(error: &sled::Error) -> Self {
        EngineError::Read { reason: error.to_string() }
    }
}
