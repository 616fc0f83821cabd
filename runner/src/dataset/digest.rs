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
use crate::priority::Priority;

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
    pub(crate) fn start(dataset: &Dataset, priority: Priority) -> Self {
        let (dataset, stop) = (dataset.clone(), StopOnDrop(Arc::default()));
        let stopped = stop.0.clone();
        let thread = thread::spawn(move || {
            priority.take();
            dataset.digest_unless(&stopped)
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_the_whole_file_and_one_that_nobody_waits_for_ends() {
        let directory = tempfile::tempdir().unwrap();
        for length in [0, 1, BLOCK_BYTES as usize, 3 * BLOCK_BYTES as usize + 7] {
            let path = directory.path().join("file");
            let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let expected = (Digest::from_sha256(Sha256::digest(&bytes).into()), length as u64);
            assert_eq!(digest_of(&path, &AtomicBool::new(false)).unwrap(), expected, "{length} bytes");
            assert!(digest_of(&path, &AtomicBool::new(true)).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_digest_is_computed_once_and_told_as_often_as_asked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.csv");
        std::fs::write(&path, "x,target\n1,2\n").unwrap();
        let dataset = Dataset::open(&path).unwrap();
        let digesting = Digesting::start(&dataset, Priority::Usual);
        let first = digesting.wait().unwrap().clone();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(*digesting.wait().unwrap(), first);
        assert_eq!(first.1, 13);
        assert!(Digesting::start(&dataset, Priority::Usual).wait().is_err(), "the file is gone");
    }
}
