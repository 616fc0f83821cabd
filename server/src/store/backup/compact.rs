//! Rewriting a store into the space that it needs. sled never gives space back: a busy store takes
//! about five times what is in it.

use std::{ops::Bound, path::Path};

use super::{BackupError, Summary, summarise};
use crate::store::engine::{Directory, Loader};

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    pub summary: Summary,
    /// What the store took before, and takes now.
    pub bytes_before: u64,
    pub bytes_after: u64,
}

/// Copies the store in `dir` into a fresh one, which takes its place when it is on the disk and was read
/// back. Needs the store closed, and room for what is in it. Killed at any moment, it leaves the old
/// store or the new one.
pub fn compact(dir: &Path) -> Result<Compacted, BackupError> {
    let (mut directory, rows) = Directory::open(dir)?;
    let bytes_before = rows.size_on_disk()?;
    let mut compacted = None;
    directory.make_next(|loader: &mut Loader| {
        for entry in rows.iter((Bound::Unbounded, Bound::Unbounded)) {
            let entry = entry?;
            loader.put(&entry.key, entry.value)?;
        }
        let copy = loader.finish()?;
        let summary = summarise(copy)?;
        if summary != summarise(&rows)? {
            return Err(BackupError::Differs);
        }
        compacted = Some(Compacted { summary, bytes_before, bytes_after: copy.size_on_disk()? });
        Ok(())
    })?;
    compacted.ok_or(BackupError::Differs)
}
