//! Artifacts and caches: `tar.zst`, packed without links and unpacked with suspicion.
//!
//! An archive may come from a job of somebody else's: names that leave the target (CVE-2024-42471),
//! links, devices, and sizes or counts beyond the limits are refused, all before or instead of writing
//! the entry.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, bail};
use sha2::{Digest as _, Sha256};
use tar::{Archive, Builder, EntryType, Header};
use workflows::ids::Digest;

use crate::job::files::open_plain;

const MOST_ENTRIES: usize = 200_000;
/// Unpacked.
const MOST_BYTES: u64 = 50 << 30;

/// Packs files under their names relative to `root`. Links that took a file's place are an error.
pub(crate) fn pack(root: &Path, files: &[PathBuf], target: &Path) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(target)?;
    let mut archive = Builder::new(zstd::Encoder::new(io::BufWriter::new(file), 3)?);
    for path in files {
        let name = path.strip_prefix(root).with_context(|| format!("{} is not below its root", path.display()))?;
        let source = open_plain(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let metadata = source.metadata()?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(metadata.len());
        // Whose file it was is of no use elsewhere; that it can be executed is.
        header.set_mode(if metadata.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 });
        header.set_mtime(0);
        archive.append_data(&mut header, name, source.take(metadata.len()))?;
    }
    archive.into_inner()?.finish()?.into_inner().map_err(|e| e.into_error())?;
    Ok(())
}

/// Unpacks into `target` (made if need be); returns how many files there were.
pub(crate) fn unpack(source: &Path, target: &Path) -> anyhow::Result<usize> {
    let file = File::open(source)?;
    unpack_from(zstd::Decoder::new(file)?, target, MOST_ENTRIES, MOST_BYTES)
}

fn unpack_from(source: impl Read, target: &Path, most_entries: usize, most_bytes: u64) -> anyhow::Result<usize> {
    fs::create_dir_all(target)?;
    let mut archive = Archive::new(source);
    let (mut count, mut bytes, mut seen) = (0, 0, 0);
    for entry in archive.entries()? {
        let mut entry = entry.context("it is damaged")?;
        seen += 1;
        if seen > most_entries {
            bail!("it holds more than {most_entries} entries");
        }
        let name = entry.path()?.into_owned();
        let path = target.join(relative(&name)?);
        match entry.header().entry_type() {
            EntryType::Directory => make_directories(target, &path)?,
            EntryType::Regular | EntryType::Continuous => {
                bytes += entry.header().size()?;
                if bytes > most_bytes {
                    bail!("it holds more than {most_bytes} bytes");
                }
                make_directories(target, path.parent().unwrap_or(target))?;
                let executable = entry.header().mode()? & 0o111 != 0;
                // Whatever stands there is replaced, not written through: it may be a link.
                match fs::remove_file(&path) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
                    _gone => {}
                }
                let mode = if executable { 0o755 } else { 0o644 };
                let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
                io::copy(&mut entry, &mut file).with_context(|| format!("`{}` cannot be unpacked", name.display()))?;
                count += 1;
            }
            kind => bail!("`{}` is neither a file nor a directory ({kind:?})", name.display()),
        }
    }
    Ok(count)
}

/// A name made of plain parts only.
fn relative(name: &Path) -> anyhow::Result<PathBuf> {
    let mut path = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                bail!("`{}` leaves the directory that it is unpacked into", name.display())
            }
        }
    }
    Ok(path)
}

/// Makes the directories from `target` down to `path`, none of which may be a link.
fn make_directories(target: &Path, path: &Path) -> anyhow::Result<()> {
    let below = path.strip_prefix(target)?;
    let mut at = target.to_path_buf();
    for part in below.components() {
        at.push(part);
        match at.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => bail!("`{}` is in the way and not a directory", at.display()),
            Err(_) => fs::create_dir(&at)?,
        }
    }
    Ok(())
}

/// Whether `path` lies in `root` and no link on the way leads out of it. Parts that do not exist yet
/// are judged by their words.
pub(crate) fn is_below(path: &Path, root: &Path) -> bool {
    if path.components().any(|component| component == Component::ParentDir) {
        return false;
    }
    let Ok(rest) = path.strip_prefix(root) else { return false };
    let mut at = root.to_path_buf();
    rest.components().all(|part| {
        at.push(part);
        !at.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
    })
}

/// SHA-256 and length of a file.
pub(crate) fn digest_file(path: &Path) -> io::Result<(Digest, u64)> {
    let mut hasher = Sha256::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok((Digest::from_sha256(hasher.finalize().into()), bytes))
}

#[cfg(test)]
mod tests;
