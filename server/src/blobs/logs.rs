//! Logs that still grow: one file each, appended to by offset, on the disk before it is acknowledged.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_util::io::ReaderStream;
use workflows::evaluation::BlobRef;

use super::{BlobError, Blobs, check_room};

/// Logs whose locks are kept at hand; beyond it those that nobody uses are forgotten.
const MOST_IDLE: usize = 256;

/// Chunk in which a finished log is copied.
const COPY_BYTES: usize = 256 * 1024;

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Appended {
    /// The log has all the bytes; so many in all.
    Length(u64),
    /// Refused: bytes are missing before the offset. The log has so many.
    Gap { length: u64 },
}

/// Growing logs in a local directory, by name. Any text is a name. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogStore {
    dir: PathBuf,
    live: Arc<Mutex<BTreeMap<String, Arc<Live>>>>,
}

/// One log that is being written or watched.
#[derive(Debug)]
struct Live {
    /// Held by whoever changes the file.
    writing: tokio::sync::Mutex<()>,
    length: watch::Sender<u64>,
}

impl LogStore {
    /// Logs in `dir`, which is made where it is not there.
    pub fn open(dir: &Path) -> Result<Self, BlobError> {
        fs::create_dir_all(dir)?;
        // Directories of an earlier process that was killed before it had made their names durable.
        File::open(dir)?.sync_all()?;
        Ok(Self { dir: dir.to_owned(), live: Arc::default() })
    }

    /// Appends `bytes`, which are the log's from `offset` on. Bytes that it already has are skipped, so
    /// that a repeat is harmless. Costs one `fdatasync`: the sender forgets what was acknowledged.
    pub async fn append(&self, name: &str, offset: u64, bytes: &[u8]) -> Result<Appended, BlobError> {
        check_room(&self.dir)?;
        let live = self.live(name);
        let _writing = live.writing.lock().await;
        let (path, bytes) = (self.path(name), bytes.to_vec());
        let appended = blocking(move || append(&path, offset, &bytes)).await?;
        if let Appended::Length(length) = appended {
            live.length.send_if_modified(|known| std::mem::replace(known, length) != length);
        }
        Ok(appended)
    }

    /// Up to `limit` bytes from `offset` on; empty beyond the end, and for a log that is not there.
    pub async fn read(&self, name: &str, offset: u64, limit: usize) -> Result<Bytes, BlobError> {
        let path = self.path(name);
        let bytes = blocking(move || {
            let Some(file) = none_if_missing(File::open(path))? else { return Ok(Vec::new()) };
            let left = file.metadata()?.len().saturating_sub(offset);
            let mut bytes = vec![0; usize::try_from(left).unwrap_or(limit).min(limit)];
            file.read_exact_at(&mut bytes, offset)?;
            Ok(bytes)
        });
        Ok(bytes.await?.into())
    }

    /// Bytes that the log has; 0 for one that is not there.
    pub async fn length(&self, name: &str) -> Result<u64, BlobError> {
        let path = self.path(name);
        Ok(blocking(move || Ok(none_if_missing(fs::metadata(path))?.map_or(0, |meta| meta.len()))).await?)
    }

    /// Changes when the log has grown. A hint to read again: its number starts at 0 for each server.
    pub fn watch(&self, name: &str) -> watch::Receiver<u64> {
        self.live(name).length.subscribe()
    }

    /// Copies the whole log into a blob. The log stays until [`LogStore::remove`], to be called when the
    /// blob's digest was recorded: so a crash between the two loses nothing, and this may be repeated.
    pub async fn finalise(&self, name: &str, blobs: &Blobs) -> Result<BlobRef, BlobError> {
        let live = self.live(name);
        let _writing = live.writing.lock().await;
        match none_if_missing(tokio::fs::File::open(self.path(name)).await)? {
            Some(file) => blobs.put_stream(ReaderStream::with_capacity(file, COPY_BYTES), u64::MAX).await,
            None => blobs.put(Bytes::new()).await,
        }
    }

    /// Removes the log; whether it was there.
    pub async fn remove(&self, name: &str) -> Result<bool, BlobError> {
        let live = self.live(name);
        let _writing = live.writing.lock().await;
        let path = self.path(name);
        let removed = blocking(move || none_if_missing(fs::remove_file(path))).await?;
        self.live.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(removed.is_some())
    }

    /// Names are any text of any length, file names are not: so the name's hash is the file's name.
    fn path(&self, name: &str) -> PathBuf {
        let hex = hex::encode(Sha256::digest(name));
        self.dir.join(&hex[..2]).join(format!("{hex}.log"))
    }

    fn live(&self, name: &str) -> Arc<Live> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if live.len() > MOST_IDLE {
            live.retain(|_, live| Arc::strong_count(live) > 1 || live.length.receiver_count() > 0);
        }
        let new = || Arc::new(Live { writing: tokio::sync::Mutex::new(()), length: watch::channel(0).0 });
        Arc::clone(live.entry(name.to_owned()).or_insert_with(new))
    }
}

fn append(path: &Path, offset: u64, bytes: &[u8]) -> io::Result<Appended> {
    let mut file = match none_if_missing(OpenOptions::new().append(true).open(path))? {
        Some(file) => file,
        None if offset > 0 => return Ok(Appended::Gap { length: 0 }),
        None => create(path)?,
    };
    let length = file.metadata()?.len();
    if offset > length {
        return Ok(Appended::Gap { length });
    }
    let known = usize::try_from(length - offset).unwrap_or(usize::MAX).min(bytes.len());
    let new = &bytes[known..];
    if let Err(error) = file.write_all(new).and_then(|()| file.sync_data()) {
        // Half a write must not be taken for the sender's bytes.
        file.set_len(length)?;
        return Err(error);
    }
    Ok(Appended::Length(length + new.len() as u64))
}

/// Makes the file, and its name durable.
fn create(path: &Path) -> io::Result<File> {
    let (Some(parent), Some(grandparent)) = (path.parent(), path.parent().and_then(Path::parent)) else {
        return OpenOptions::new().append(true).create(true).open(path);
    };
    if !parent.is_dir() {
        fs::create_dir_all(parent)?;
        File::open(grandparent)?.sync_all()?;
    }
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    File::open(parent)?.sync_all()?;
    Ok(file)
}

fn none_if_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::from)?
}
