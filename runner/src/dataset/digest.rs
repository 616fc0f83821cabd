//! Digests of data sets, computed beside other work.

use std::{
    cell::LazyCell,
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use sha2::{Digest as _, Sha256};
use workflows::ids::Digest;

use super::{DataError, Dataset};

/// A data set's digest and size.
type Answer = Result<(Digest, u64), DataError>;

/// They are computed on a thread of their own. Where nobody waits for them any more, it ends after the block that it is at.
pub(crate) struct Digesting(LazyCell<Answer, Box<dyn FnOnce() -> Answer>>);

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Digesting {
    pub(crate) fn start(dataset: &Dataset) -> Self {
        let (dataset, stop) = (dataset.clone(), StopOnDrop(Arc::default()));
        let stopped = stop.0.clone();
        let thread = thread::spawn(move || dataset.digest_unless(&stopped));
        Self(LazyCell::new(Box::new(move || {
            let _stop = stop;
            thread.join().expect("digesting does not panic")
        })))
    }

    /// Waits for the digest and the size.
    pub(crate) fn wait(&self) -> Result<&(Digest, u64), DataError> {
        self.0.as_ref().map_err(Clone::clone)
    }
}

/// Bytes read at once: few calls, and still in the processor's cache when they are hashed.
const BLOCK_BYTES: u64 = 128 << 10;

/// Digest and size of a file as far as it goes when it is opened, so that one that grows ends too.
pub(super) fn digest_of(path: &Path, stop: &AtomicBool) -> io::Result<(Digest, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let (mut file, mut hasher, mut bytes) = (file.take(length), Sha256::new(), 0);
    let mut block = vec![0; length.clamp(1, BLOCK_BYTES) as usize];
    while !stop.load(Ordering::Relaxed) {
        match file.read(&mut block) {
            Ok(0) => return Ok((Digest::from_sha256(hasher.finalize().into()), bytes)),
            Ok(read) => {
                hasher.update(&block[..read]);
                bytes += read as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other("its digest was not waited for"))
}
