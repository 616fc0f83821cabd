//! How keys and values lie in sled: one tree, three key spaces, told apart by their first byte.
//!
//! | first byte | then | value |
//! |---|---|---|
//! | 0 | name | the engine's own facts: the format, the highest revision given out |
//! | 1 | revision (u64), number of the part (u8) | a part of a long value |
//! | 2 | the caller's key | revision (u64), length (u32), the value's first [`PART_BYTES`] |
//!
//! All numbers are big-endian.
//!
//! Why parts: sled 0.34 keeps up to twenty neighbours in one leaf page, and writes a page larger than
//! a quarter of a segment to a file of its own under `blobs/`. Those files it never syncs (a power cut
//! loses acknowledged data) and leaks when pages are replaced. With parts, pages stay below the limit
//! and no such file ever arises; [`super::MAX_KEY_BYTES`] does the same for index pages.

use std::ops::Bound;

use super::{EngineError, Entry, MAX_KEY_BYTES, Rev};

/// Segment of sled's log; a page above a quarter of it would leave the log.
pub(super) const SEGMENT_BYTES: usize = 1024 * 1024;

/// Longest piece of a value in one row.
pub(super) const PART_BYTES: usize = 8 * 1024;

/// Pages hold at most 20 leaf rows (16, or 4 merged into 16) or 320 index rows (256, or 64 merged into
/// 256); 16 bytes a row cover their framing.
const _: () = assert!(20 * (PART_BYTES + ROW_HEADER_BYTES + MAX_KEY_BYTES + 16) < SEGMENT_BYTES / 4);
const _: () = assert!(320 * (MAX_KEY_BYTES + 16) < SEGMENT_BYTES / 4);

const ROW_HEADER_BYTES: usize = 12;
const OWN: u8 = 0;
const PART: u8 = 1;
const ROW: u8 = 2;

/// The tree, in the callers' terms. Cheap to clone: clones see the same data.
#[derive(Debug, Clone)]
pub(in crate::store) struct Rows {
    db: sled::Db,
}

/// A value with the revision under which it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) rev: Rev,
    pub(super) value: Vec<u8>,
}

impl Stored {
    pub(super) fn into_entry(self, key: Vec<u8>) -> Entry {
        Entry { key, value: self.value, rev: self.rev }
    }
}

impl Rows {
    pub(super) fn new(db: sled::Db) -> Self {
        Self { db }
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Stored>, EngineError> {
        let row = self.db.get(prefixed(ROW, key)).map_err(|error| EngineError::read(&error))?;
        row.map(|row| self.decode(key, &row)).transpose()
    }

    /// All rows with keys between the bounds, in ascending order; reversible.
    pub(in crate::store) fn iter(
        &self,
        (start, end): (Bound<&[u8]>, Bound<&[u8]>),
    ) -> impl DoubleEndedIterator<Item = Result<Entry, EngineError>> + use<'_> {
        let start = match start {
            Bound::Included(key) => Bound::Included(prefixed(ROW, key)),
            Bound::Excluded(key) => Bound::Excluded(prefixed(ROW, key)),
            Bound::Unbounded => Bound::Included(vec![ROW]),
        };
        let end = match end {
            Bound::Included(key) => Bound::Included(prefixed(ROW, key)),
            Bound::Excluded(key) => Bound::Excluded(prefixed(ROW, key)),
            Bound::Unbounded => Bound::Excluded(vec![ROW + 1]),
        };
        self.db.range((start, end)).map(|row| {
            let (key, row) = row.map_err(|error| EngineError::read(&error))?;
            let key = key[1..].to_vec();
            let stored = self.decode(&key, &row)?;
            Ok(stored.into_entry(key))
        })
    }

    fn decode(&self, key: &[u8], row: &[u8]) -> Result<Stored, EngineError> {
        let damaged = || EngineError::Read { reason: format!("the record `{}` is damaged", key.escape_ascii()) };
        let (rev, rest) = row.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (length, first) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let rev = Rev(u64::from_be_bytes(*rev));
        let length = u32::from_be_bytes(*length) as usize;
        let mut value = Vec::with_capacity(length);
        value.extend_from_slice(first);
        for number in 1..parts(length) {
            let part = self.db.get(part_key(rev, number)).map_err(|error| EngineError::read(&error))?;
            value.extend_from_slice(&part.ok_or_else(damaged)?);
        }
        if value.len() == length { Ok(Stored { rev, value }) } else { Err(damaged()) }
    }

    /// A number that the engine keeps for itself.
    pub(super) fn own_number(&self, name: &str) -> Result<Option<u64>, EngineError> {
        let value = self.db.get(prefixed(OWN, name.as_bytes())).map_err(|error| EngineError::read(&error))?;
        let decode = |value: &[u8]| {
            let bytes = value.try_into().map_err(|_| EngineError::Read { reason: format!("`{name}` is damaged") })?;
            Ok(u64::from_be_bytes(bytes))
        };
        value.map(|value| decode(&value)).transpose()
    }

    /// Applies the batch as one: after a crash all of it is there or nothing. Not yet durable.
    pub(super) fn apply(&self, batch: RowBatch) -> Result<(), sled::Error> {
        self.db.apply_batch(batch.0)
    }

    /// Hands everything written to the operating system. Not yet durable either: sled's flush ends in
    /// `sync_file_range`, which neither empties the disk's cache nor writes metadata.
    pub(super) fn flush(&self) -> Result<(), sled::Error> {
        self.db.flush().map(|_bytes| ())
    }

    pub(in crate::store) fn size_on_disk(&self) -> Result<u64, EngineError> {
        self.db.size_on_disk().map_err(|error| EngineError::read(&error))
    }
}

/// Writes that happen together.
#[derive(Debug, Default)]
pub(super) struct RowBatch(sled::Batch);

impl RowBatch {
    pub(super) fn put(&mut self, key: &[u8], stored: &Stored) {
        let mut pieces = stored.value.chunks(PART_BYTES);
        let first = pieces.next().unwrap_or_default();
        let length = u32::try_from(stored.value.len()).expect("a value's size was checked");
        let mut row = Vec::with_capacity(ROW_HEADER_BYTES + first.len());
        row.extend_from_slice(&stored.rev.0.to_be_bytes());
        row.extend_from_slice(&length.to_be_bytes());
        row.extend_from_slice(first);
        self.0.insert(prefixed(ROW, key), row);
        for (number, piece) in (1..).zip(pieces) {
            self.0.insert(part_key(stored.rev, number), piece);
        }
    }

    /// Removes the key and the parts of the value that it holds, `old`.
    pub(super) fn delete(&mut self, key: &[u8], old: &Stored) {
        self.0.remove(prefixed(ROW, key));
        self.delete_parts(old);
    }

    /// Removes the parts of a value that is being replaced.
    pub(super) fn delete_parts(&mut self, old: &Stored) {
        for number in 1..parts(old.value.len()) {
            self.0.remove(part_key(old.rev, number));
        }
    }

    pub(super) fn put_own_number(&mut self, name: &str, number: u64) {
        self.0.insert(prefixed(OWN, name.as_bytes()), &number.to_be_bytes());
    }
}

/// How many pieces a value of this length has; its first lies in the row itself.
fn parts(length: usize) -> u8 {
    u8::try_from(length.div_ceil(PART_BYTES)).unwrap_or(u8::MAX)
}

fn prefixed(space: u8, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(1 + key.len());
    full.push(space);
    full.extend_from_slice(key);
    full
}

fn part_key(rev: Rev, number: u8) -> Vec<u8> {
    let mut key = prefixed(PART, &rev.0.to_be_bytes());
    key.push(number);
    key
}
