//! Large things: artifacts, models, outcomes, finished logs. The store keeps pointers to them.
//!
//! A [`Blobs`] keeps each under the SHA-256 of its bytes, so that the same bytes are kept once, putting
//! them twice is harmless, and what was read can be checked. [`LogStore`] holds the logs that still grow.
//! Both have put what they acknowledge on the disk.

mod logs;

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart, local::LocalFileSystem, path::Path as Location};
use sha2::{Digest as _, Sha256};
use workflows::{evaluation::BlobRef, ids::Digest};

pub use self::logs::{Appended, LogStore};
use crate::disk;

/// Parts of a stream that are written while the next ones arrive.
const PARTS_AT_ONCE: usize = 2;

/// Above this many bytes hashing leaves the async runtime's threads.
const HASH_INLINE_BYTES: usize = 256 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Store(#[from] object_store::Error),
    #[error("the disk of {} is full: {free_bytes} bytes are free", dir.display())]
    DiskFull { dir: PathBuf, free_bytes: u64 },
    /// What is kept under the digest has another one.
    #[error("the blob {digest} is damaged")]
    Damaged { digest: Digest },
    #[error("the upload has more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the upload broke off: {0}")]
    BrokenOff(String),
}

/// Content-addressed blobs over an object store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// Where the blobs are a directory of this machine.
    dir: Option<PathBuf>,
}

impl Blobs {
    /// Blobs in a local directory, which is made where it is not there.
    pub fn open(dir: &Path) -> Result<Self, BlobError> {
        std::fs::create_dir_all(dir)?;
        // Uploads that a killed process left unfinished.
        match std::fs::remove_dir_all(dir.join("incoming")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        // With `fsync`, files, renames and new directories are on the disk when a put returns; the
        // default is to leave that to the operating system.
        let store = LocalFileSystem::new_with_prefix(dir)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), dir: Some(dir.to_owned()) })
    }

    /// Blobs in any object store whose puts are durable, such as S3.
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, dir: None }
    }

    pub async fn put(&self, bytes: Bytes) -> Result<BlobRef, BlobError> {
        self.check_room()?;
        let digest = digest_of(bytes.clone()).await?;
        let length = bytes.len() as u64;
        // Even if it is there: whoever put it may have been killed before it was on the disk.
        self.store.put(&location(&digest), bytes.into()).await?;
        Ok(BlobRef { digest, bytes: length })
    }

    /// Puts what the stream yields, in constant memory. Nothing is kept of a stream that fails or has
    /// more than `limit` bytes.
    pub async fn put_stream<E: std::fmt::Display>(
        &self,
        stream: impl Stream<Item = Result<Bytes, E>>,
        limit: u64,
    ) -> Result<BlobRef, BlobError> {
        self.check_room()?;
        // The digest is known at the end alone: written beside, then renamed.
        let incoming = Location::from(format!("incoming/{:032x}", rand::random::<u128>()));
        let mut upload = WriteMultipart::new(self.store.put_multipart(&incoming).await?);
        let mut stream = std::pin::pin!(stream);
        let mut hasher = Sha256::new();
        let mut bytes = 0u64;
        let received = loop {
            let chunk = match stream.next().await {
                None => break Ok(()),
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => break Err(BlobError::BrokenOff(error.to_string())),
            };
            bytes += chunk.len() as u64;
            if bytes > limit {
                break Err(BlobError::TooLarge { limit });
            }
            hasher.update(&chunk);
            if let Err(error) = upload.wait_for_capacity(PARTS_AT_ONCE).await {
                break Err(error.into());
            }
            upload.write(&chunk);
        };
        if let Err(error) = received {
            upload.abort().await?;
            return Err(error);
        }
        upload.finish().await?;
        let digest = Digest::from_sha256(hasher.finalize().into());
        self.store.rename(&incoming, &location(&digest)).await?;
        Ok(BlobRef { digest, bytes })
    }

    /// The whole blob, checked against its digest; none if it is not there.
    pub async fn get(&self, digest: &Digest) -> Result<Option<Bytes>, BlobError> {
        let Some(found) = none_if_missing(self.store.get(&location(digest)).await)? else { return Ok(None) };
        let bytes = found.bytes().await?;
        if digest_of(bytes.clone()).await? == *digest {
            Ok(Some(bytes))
        } else {
            Err(BlobError::Damaged { digest: digest.clone() })
        }
    }

    /// The blob in chunks, in constant memory. Its digest is known at the end alone: a damaged blob ends
    /// in [`BlobError::Damaged`].
    pub async fn get_stream(
        &self,
        digest: &Digest,
    ) -> Result<Option<impl Stream<Item = Result<Bytes, BlobError>> + Send + use<>>, BlobError> {
        let Some(found) = none_if_missing(self.store.get(&location(digest)).await)? else { return Ok(None) };
        let start = Some((found.into_stream(), Sha256::new(), digest.clone()));
        Ok(Some(stream::unfold(start, |state| async move {
            let (mut chunks, mut hasher, digest) = state?;
            match chunks.next().await {
                Some(Ok(chunk)) => {
                    hasher.update(&chunk);
                    Some((Ok(chunk), Some((chunks, hasher, digest))))
                }
                Some(Err(error)) => Some((Err(error.into()), None)),
                None if Digest::from_sha256(hasher.finalize().into()) == digest => None,
                None => Some((Err(BlobError::Damaged { digest }), None)),
            }
        })))
    }

    /// Up to `limit` bytes from `offset` on; empty beyond the end, none if the blob is not there. A part
    /// cannot be checked against the digest.
    pub async fn read(&self, digest: &Digest, offset: u64, limit: usize) -> Result<Option<Bytes>, BlobError> {
        let location = location(digest);
        let Some(length) = none_if_missing(self.store.head(&location).await)?.map(|meta| meta.size) else {
            return Ok(None);
        };
        let end = length.min(offset.saturating_add(limit as u64));
        if offset >= end {
            return Ok(Some(Bytes::new()));
        }
        Ok(none_if_missing(self.store.get_range(&location, offset..end).await)?)
    }

    pub async fn exists(&self, digest: &Digest) -> Result<bool, BlobError> {
        Ok(none_if_missing(self.store.head(&location(digest)).await)?.is_some())
    }

    /// Removes the blob; whether it was there.
    pub async fn remove(&self, digest: &Digest) -> Result<bool, BlobError> {
        Ok(none_if_missing(self.store.delete(&location(digest)).await)?.is_some())
    }

    fn check_room(&self) -> Result<(), BlobError> {
        self.dir.as_deref().map_or(Ok(()), check_room)
    }
}

fn check_room(dir: &Path) -> Result<(), BlobError> {
    let free_bytes = disk::free_bytes(dir);
    if free_bytes < disk::BLOB_RESERVE_BYTES {
        return Err(BlobError::DiskFull { dir: dir.to_owned(), free_bytes });
    }
    Ok(())
}

/// Directories of at most a few thousand files each, for a million blobs.
fn location(digest: &Digest) -> Location {
    let hex = digest.hex();
    Location::from(format!("sha256/{}/{hex}", &hex[..2]))
}

fn none_if_missing<T>(result: object_store::Result<T>) -> object_store::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn digest_of(bytes: Bytes) -> Result<Digest, BlobError> {
    let hash = |bytes: Bytes| Digest::from_sha256(Sha256::digest(bytes).into());
    if bytes.len() <= HASH_INLINE_BYTES {
        return Ok(hash(bytes));
    }
    Ok(tokio::task::spawn_blocking(move || hash(bytes)).await.map_err(std::io::Error::from)?)
}
