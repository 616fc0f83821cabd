//! The store: records under keys, over an engine of five verbs. The only place that names sled.

pub mod backup;
mod codec;
pub mod engine;
pub mod keys;
pub mod records;

use std::ops::Bound;

use bytes::Bytes;
use jiff::Timestamp;

use self::{
    codec::{Decoded, Encoded},
    engine::{Check, Commit, Committed, Direction, Engine, EngineError, Entry, Rev},
    keys::Key,
    records::Record,
};
use crate::blobs::{BlobError, Blobs};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error("a stored {record} cannot be read: {message}")]
    Corrupt { record: &'static str, message: String },
}

impl StoreError {
    fn corrupt<R>(message: impl std::fmt::Display) -> Self {
        let record = std::any::type_name::<R>();
        Self::Corrupt { record: record.rsplit("::").next().unwrap_or(record), message: message.to_string() }
    }
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// A record and the revision by which a later commit can check that it is still the same.
#[derive(Debug, Clone)]
pub struct Stored<R> {
    pub key: Vec<u8>,
    pub record: R,
    pub rev: Rev,
}

/// Typed access to the engine.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    blobs: Blobs,
}

/// Changes that happen together or not at all.
#[derive(Default)]
pub struct Change {
    checks: Vec<Check>,
    puts: Vec<(Vec<u8>, Encoded)>,
    deletes: Vec<Vec<u8>>,
}

impl Change {
    /// Only if nothing is there.
    pub fn absent(&mut self, key: &Key) -> &mut Self {
        self.checks.push(Check::Absent(key.as_bytes().to_vec()));
        self
    }

    /// Only if it is still what was read.
    pub fn at<R>(&mut self, read: &Stored<R>) -> &mut Self {
        self.checks.push(Check::At(read.key.clone(), read.rev));
        self
    }

    /// Only if it is still what was read, present or absent.
    pub fn same<R>(&mut self, key: &Key, read: Option<&Stored<R>>) -> &mut Self {
        match read {
            Some(read) => self.at(read),
            None => self.absent(key),
        }
    }

    pub fn put<R: Record>(&mut self, key: Key, record: &R) -> &mut Self {
        self.puts.push((key.into_bytes(), codec::encode(record)));
        self
    }

    /// A key that says everything by being there.
    pub fn mark(&mut self, key: Key) -> &mut Self {
        self.puts.push((key.into_bytes(), Encoded::Value(Vec::new())));
        self
    }

    /// Bytes that are no record; they must fit into a value.
    pub fn put_raw(&mut self, key: Key, bytes: Vec<u8>) -> &mut Self {
        self.puts.push((key.into_bytes(), Encoded::Value(bytes)));
        self
    }

    /// Takes a put back, for another one of the same key.
    pub fn unput(&mut self, key: &Key) -> &mut Self {
        self.puts.retain(|(put, _)| put != key.as_bytes());
        self
    }

    pub fn delete(&mut self, key: &Key) -> &mut Self {
        self.deletes.push(key.as_bytes().to_vec());
        self
    }

    pub fn delete_stored<R>(&mut self, read: &Stored<R>) -> &mut Self {
        self.deletes.push(read.key.clone());
        self
    }

    /// How many more keys the engine takes in this commit.
    pub fn room(&self) -> usize {
        engine::MAX_KEYS.saturating_sub(self.checks.len() + self.puts.len() + self.deletes.len())
    }
}

impl Store {
    pub fn new(engine: Engine, blobs: Blobs) -> Self {
        Self { engine, blobs }
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The time by which leases are measured.
    pub async fn now(&self) -> Result<Timestamp> {
        Ok(self.engine.now().await?)
    }

    /// Wakes when something beneath the key may have changed.
    pub fn watch(&self, prefix: &Key) -> tokio::sync::watch::Receiver<u64> {
        self.engine.watch(prefix.as_bytes())
    }

    pub async fn get<R: Record>(&self, key: &Key) -> Result<Option<Stored<R>>> {
        match self.engine.get(key.as_bytes()).await? {
            None => Ok(None),
            Some(entry) => Ok(Some(self.read(entry).await?)),
        }
    }

    pub async fn get_raw(&self, key: &Key) -> Result<Option<Vec<u8>>> {
        Ok(self.engine.get(key.as_bytes()).await?.map(|entry| entry.value))
    }

    /// Records beneath a key in order, from its first (or, in reverse, its last) on.
    pub async fn scan<R: Record>(&self, prefix: &Key, direction: Direction, limit: usize) -> Result<Vec<Stored<R>>> {
        let range = (Bound::Included(prefix.as_bytes().to_vec()), Bound::Excluded(prefix.after_prefix()));
        self.scan_range(range, direction, limit).await
    }

    pub async fn scan_range<R: Record>(
        &self,
        range: engine::Range,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Stored<R>>> {
        let entries = self.engine.scan(range, direction, limit).await?;
        let mut records = Vec::with_capacity(entries.len());
        for entry in entries {
            records.push(self.read(entry).await?);
        }
        Ok(records)
    }

    /// Keys beneath a key.
    pub async fn scan_keys(&self, prefix: &Key, direction: Direction, limit: usize) -> Result<Vec<Vec<u8>>> {
        let range = (Bound::Included(prefix.as_bytes().to_vec()), Bound::Excluded(prefix.after_prefix()));
        self.scan_range_keys(range, direction, limit).await
    }

    pub async fn scan_range_keys(
        &self,
        range: engine::Range,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>> {
        Ok(self.engine.scan(range, direction, limit).await?.into_iter().map(|entry| entry.key).collect())
    }

    /// True once the change is on disk; false if one of its checks did not hold, and nothing happened.
    pub async fn commit(&self, change: Change) -> Result<bool> {
        let mut commit = Commit { checks: change.checks, puts: Vec::new(), deletes: change.deletes };
        for (key, encoded) in change.puts {
            let value = match encoded {
                Encoded::Value(value) => value,
                Encoded::TooLarge { version, json } => {
                    let blob = self.blobs.put(Bytes::from(json)).await?;
                    codec::pointer(version, &blob)
                }
            };
            commit.puts.push((key, value));
        }
        match self.engine.commit(commit).await? {
            Committed::Done => Ok(true),
            Committed::Conflict => Ok(false),
        }
    }

    async fn read<R: Record>(&self, entry: Entry) -> Result<Stored<R>> {
        let record = match codec::decode(&entry.value)? {
            Decoded::Record(record) => record,
            Decoded::Spilled { version, blob } => {
                let bytes = codec::spilled_bytes::<R>(&blob, self.blobs.get(&blob.digest).await?)?;
                codec::decode_json(version, &bytes)?
            }
        };
        Ok(Stored { key: entry.key, record, rev: entry.rev })
    }
}
