//! Models that were evaluated here, by their digests: one that a step made is in no commit, and when it is the base of a
//! change whose own result is not comparable, it is measured beside the head's.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use workflows::ids::Digest;

use super::cache::Shelves;
use crate::{
    job::{Job, files},
    onnx::reuse::prune,
};

/// A larger model is not kept.
const MOST_BYTES: u64 = 512 << 20;
/// Of a repository; what was kept first goes first.
const MOST_MODELS: usize = 8;

/// Keeps a model that was evaluated. One whose weights lie in files beside it has another digest than its file, and is
/// not kept.
pub(super) async fn keep(job: &Job<'_>, path: &str, digest: &Digest) {
    let shelves = Shelves::of(job, "models");
    if find(&shelves.readable, digest).is_some() {
        return;
    }
    let (path, shelf, digest) = (job.directories.in_workspace(path), shelves.writable, digest.clone());
    let kept = tokio::task::spawn_blocking(move || copy_to(&shelf, &path, &digest)).await;
    if let Ok(Err(error)) = kept {
        tracing::warn!(%error, "a model is not kept");
    }
}

/// A kept model, copied to `to`; false where there is none.
pub(super) async fn copy_out(job: &Job<'_>, digest: &Digest, to: &Path) -> anyhow::Result<bool> {
    let Some(kept) = find(&Shelves::of(job, "models").readable, digest) else { return Ok(false) };
    let (to, digest) = (to.to_owned(), digest.clone());
    // What rotted is no model of anybody's.
    Ok(tokio::task::spawn_blocking(move || copied(&kept, &to, &digest)).await??)
}

fn find(shelves: &[PathBuf], digest: &Digest) -> Option<PathBuf> {
    shelves.iter().map(|shelf| shelf.join(digest.hex())).find(|path| path.is_file())
}

fn copy_to(shelf: &Path, path: &Path, digest: &Digest) -> io::Result<()> {
    fs::create_dir_all(shelf)?;
    let part = shelf.join(format!("{}.{:08x}.part", digest.hex(), rand::random::<u32>()));
    let whole = copied(path, &part, digest);
    if let Ok(true) = whole {
        fs::rename(&part, shelf.join(digest.hex()))?;
        return prune(shelf, MOST_MODELS);
    }
    fs::remove_file(&part).ok();
    whole.map(drop)
}

/// Copies a file if it is what the digest says, and not too large.
fn copied(from: &Path, to: &Path, digest: &Digest) -> io::Result<bool> {
    let mut source = files::open_plain(from)?;
    if source.metadata()?.len() > MOST_BYTES {
        return Ok(false);
    }
    let mut target = File::create_new(to)?;
    let (mut hash, mut buffer, mut left) = (Sha256::new(), vec![0; 1 << 20], MOST_BYTES);
    loop {
        let read = source.read(&mut buffer)?;
        hash.update(&buffer[..read]);
        target.write_all(&buffer[..read])?;
        match left.checked_sub(read as u64) {
            _ if read == 0 => return Ok(hex::encode(hash.finalize()) == digest.hex()),
            // It grew while it was read.
            None => return Ok(false),
            Some(rest) => left = rest,
        }
    }
}
