//! The way out of the engine: everything in it as one file, which is a backup, and what another engine
//! is filled from. Compaction goes the same way without the file.
//!
//! The file, format 1 (numbers are big-endian):
//!
//! ```text
//! "assay store backup 1\n"          the rest is one zstd stream:
//! 1, key length u32, key, value length u32, value      for each entry, keys ascending
//! 0, entries u64, SHA-256 of all bytes since the first entry's 1, without this line
//! ```
//!
//! Revisions are left out: each engine numbers its own. Blobs and logs are plain files beside the store:
//! copied *after* the backup was made, they hold everything that it points to.

mod compact;
mod format;

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write},
    ops::Bound,
    path::{Path, PathBuf},
};

use workflows::ids::Digest;

pub use self::compact::{Compacted, compact};
use self::format::{BackupReader, BackupWriter};
use super::engine::{Directory, Engine, EngineError, Loader, Rows};

/// What a store or a backup holds. Equal summaries mean equal contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub entries: u64,
    /// Keys and values together.
    pub bytes: u64,
    /// Of all keys and values in order.
    pub digest: Digest,
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{0} is no backup of a store")]
    NotABackup(PathBuf),
    #[error("the backup has format {found}; this Assay knows {known}", known = format::VERSION)]
    NewerFormat { found: String },
    /// Cut off, or changed since it was made.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    #[error("{} holds a store already; restore into a new directory", dir.display())]
    NotEmpty { dir: PathBuf },
    /// What was written is not what is read back.
    #[error("the new store differs from what was put into it")]
    Differs,
}

impl BackupError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| BackupError::Io { doing, path, source }
    }
}

/// Reads all of the store, as it is at one moment. Commits wait meanwhile, readers do not.
pub async fn check(engine: &Engine) -> Result<Summary, BackupError> {
    engine.exclusively(summarise).await?
}

/// Writes all of the store, as it is at one moment, to a new file `path`. The file appears under its name
/// when it is whole and on the disk. Commits wait meanwhile, readers do not.
pub async fn export(engine: &Engine, path: &Path) -> Result<Summary, BackupError> {
    let path = path.to_owned();
    engine.exclusively(move |rows| export_rows(rows, &path)).await?
}

fn export_rows(rows: &Rows, path: &Path) -> Result<Summary, BackupError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let written = write_file(rows, &unfinished);
    if written.is_err() {
        // The first error says what went wrong; a second would only repeat it.
        let _left = std::fs::remove_file(&unfinished);
    }
    let summary = written?;
    std::fs::rename(&unfinished, path).map_err(BackupError::io("renaming", &unfinished))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(BackupError::io("syncing", parent))?;
    Ok(summary)
}

fn write_file(rows: &Rows, path: &Path) -> Result<Summary, BackupError> {
    let io = || BackupError::io("writing", path);
    let mut writer = BackupWriter::new(BufWriter::new(File::create(path).map_err(io())?)).map_err(io())?;
    for entry in rows.iter((Bound::Unbounded, Bound::Unbounded)) {
        let entry = entry?;
        writer.put(&entry.key, &entry.value).map_err(io())?;
    }
    let (summary, mut file) = writer.finish().map_err(io())?;
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(io())?;
    Ok(summary)
}

/// Reads a whole backup and says what it holds, if it is whole and unchanged.
pub fn verify(path: &Path) -> Result<Summary, BackupError> {
    let mut backup = open_backup(path)?;
    while backup.next_entry()?.is_some() {}
    Ok(backup.summary())
}

/// Makes a store in `dir` from a backup. The store appears when all of it is on the disk and was read
/// back; a damaged backup leaves none.
///
/// # Errors
/// [`BackupError::NotEmpty`] where `dir` holds a store: nothing is ever overwritten.
pub fn restore(path: &Path, dir: &Path) -> Result<Summary, BackupError> {
    let mut backup = open_backup(path)?;
    let mut directory = Directory::lock(dir)?;
    if directory.holds_store() {
        return Err(BackupError::NotEmpty { dir: dir.to_owned() });
    }
    let mut restored = None;
    directory.make_next(|loader: &mut Loader| {
        while let Some((key, value)) = backup.next_entry()? {
            loader.put(&key, value)?;
        }
        let summary = backup.summary();
        if summarise(loader.finish()?)? != summary {
            return Err(BackupError::Differs);
        }
        restored = Some(summary);
        Ok(())
    })?;
    restored.ok_or(BackupError::Differs)
}

fn open_backup(path: &Path) -> Result<BackupReader<BufReader<File>>, BackupError> {
    let file = File::open(path).map_err(BackupError::io("opening", path))?;
    BackupReader::new(path, BufReader::new(file))
}

fn summarise(rows: &Rows) -> Result<Summary, BackupError> {
    let mut content = format::Content::default();
    for entry in rows.iter((Bound::Unbounded, Bound::Unbounded)) {
        let entry = entry?;
        content.add(&entry.key, &entry.value);
    }
    Ok(content.summary())
}
