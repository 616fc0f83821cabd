//! How much room is left. Everything that writes keeps some in reserve, the store the least of all:
//! logs and artifacts must never be what keeps a run's end from being recorded.

use std::path::Path;

/// What blobs and logs leave free.
pub(crate) const BLOB_RESERVE_BYTES: u64 = 128 * 1024 * 1024;

/// What the store leaves free. sled cannot say what it has written once a write of its own has failed
/// for want of space, so it must never come to that.
pub(crate) const STORE_RESERVE_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes that an ordinary user may still write to the file system of `dir`. Unknown counts as plenty:
/// the writes themselves will tell.
pub(crate) fn free_bytes(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
}
