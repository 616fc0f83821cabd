//! `assay run`: what is checked out is the working tree as it is, uncommitted changes included.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use git2::{Repository, StatusOptions};

/// Copies every file of the working tree at `root` that git tracks or would track.
pub fn copy(root: &Path, into: &Path) -> anyhow::Result<()> {
    let repository = Repository::open(root).with_context(|| format!("{} is not a git repository", root.display()))?;
    let root = repository.workdir().context("the repository has no working tree")?.to_path_buf();
    for path in files(&repository)? {
        let (from, to) = (root.join(&path), into.join(&path));
        let kind = match from.symlink_metadata() {
            Ok(metadata) => metadata.file_type(),
            // Deleted and not yet committed.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e).with_context(|| format!("{} cannot be read", from.display())),
        };
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&from)?, &to)?;
        } else if kind.is_file() {
            fs::copy(&from, &to).with_context(|| format!("{} cannot be copied", from.display()))?;
        } else if !kind.is_dir() {
            bail!("{} is neither a file nor a link", from.display());
        }
    }
    Ok(())
}

fn files(repository: &Repository) -> anyhow::Result<BTreeSet<PathBuf>> {
    use std::os::unix::ffi::OsStrExt;
    let path = |bytes: &[u8]| PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
    let mut files: BTreeSet<PathBuf> = repository.index()?.iter().map(|entry| path(&entry.path)).collect();
    let mut options = StatusOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(false).exclude_submodules(true);
    let statuses = repository.statuses(Some(&mut options))?;
    files.extend(statuses.iter().map(|entry| path(entry.path_bytes())));
    Ok(files)
}
