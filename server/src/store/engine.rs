//! The engine below the store: five verbs over byte strings. Everything above is written once,
//! whichever engine lies below; nothing above may assume that one process alone writes.

use std::ops::Bound;

use jiff::Timestamp;

/// Largest value that an engine takes; anything larger is a blob with a pointer.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// Most keys in one commit, checks, puts and deletes together; each key at most once among puts and deletes.
pub const MAX_KEYS: usize = 100;

/// Changes with every write of its key; compared for equality alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rev(pub u64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub rev: Rev,
}

/// What must still be true for a commit to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    Absent(Vec<u8>),
    /// The key holds the value that was read with this revision.
    At(Vec<u8>, Rev),
}

/// All or nothing, durable when it returns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    pub checks: Vec<Check>,
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    pub deletes: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    Done,
    /// A check did not hold: read again and decide again.
    Conflict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Reverse,
}

pub type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

#[derive(Debug, Clone)]
pub struct Engine {}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {}

impl Engine {
    pub async fn get(&self, key: &[u8]) -> Result<Option<Entry>, EngineError> {
        let _ = key;
        unimplemented!("arrives with the store room")
    }

    pub async fn scan(&self, range: Range, direction: Direction, limit: usize) -> Result<Vec<Entry>, EngineError> {
        let _ = (range, direction, limit);
        unimplemented!("arrives with the store room")
    }

    pub async fn commit(&self, commit: Commit) -> Result<Committed, EngineError> {
        let _ = commit;
        unimplemented!("arrives with the store room")
    }

    /// Wakes when a key with this prefix may have changed. A hint to look again, never the truth.
    pub fn watch(&self, prefix: &[u8]) -> tokio::sync::watch::Receiver<u64> {
        let _ = prefix;
        unimplemented!("arrives with the store room")
    }

    pub async fn now(&self) -> Result<Timestamp, EngineError> {
        unimplemented!("arrives with the store room")
    }
}
