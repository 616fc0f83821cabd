//! The files of a store, and how sled is opened so that it can be trusted.
//!
//! ```text
//! DIR/lock               locked by the process that uses the store; holds its id
//! DIR/generation-N/      sled's files: db, conf, snap.*, blobs/
//! DIR/generation-N.new/  one being made: first opening, restoring, compacting, mending
//! ```
//!
//! The highest generation is the store. A new one is made under the name `.new`, synced, and takes
//! over by a rename; so whatever moment the process dies at, the directory holds exactly one store.
//!
//! What sled 0.34.7 needs, learnt from crash tests:
//! - A process killed while sled writes a snapshot leaves `snap.*.generating`. The next opening takes it
//!   for the newest snapshot and reports corruption. Those files are deleted first.
//! - If the store still reads as corrupt, it opens without snapshots where only those are damaged; that
//!   is tried on a copy, once.
//! - Its `flush` is no `fsync`: the writer syncs [`Directory::log_file`] itself.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    EngineError,
    rows::{RowBatch, Rows, SEGMENT_BYTES},
};

/// Version of the layout in `rows`.
const FORMAT: u64 = 1;
const FORMAT_NAME: &str = "format";

/// sled's page cache. Reads beyond it come from the operating system's cache, so it can be small.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// A store's directory, locked for as long as this lives.
#[derive(Debug)]
pub(in crate::store) struct Directory {
    dir: PathBuf,
    generation: u64,
    /// Unlocked when it is dropped; the kernel does so even for a process that is killed.
    _lock: File,
}

impl Directory {
    /// Locks `dir` and opens the store in it, making both where they are not there.
    pub(in crate::store) fn open(dir: &Path) -> Result<(Directory, Rows), EngineError> {
        let mut directory = Directory::lock(dir)?;
        if directory.generation == 0 {
            directory.make_next(|_empty: &mut Loader| Ok::<_, EngineError>(()))?;
        }
        let rows = match directory.open_current() {
            Ok(rows) => rows,
            Err(Damage::Corrupt(reason)) => directory.mend(&reason)?,
            Err(Damage::Other(error)) => return Err(error),
        };
        directory.sync_names()?;
        directory.check_format(&rows)?;
        Ok((directory, rows))
    }

    /// Locks `dir`, and tidies what a killed process left half made. Opens no store yet.
    pub(in crate::store) fn lock(dir: &Path) -> Result<Directory, EngineError> {
        fs::create_dir_all(dir).map_err(|error| EngineError::io("creating", dir, error))?;
        let lock = take_lock(dir)?;
        let mut generations = Vec::new();
        for entry in fs::read_dir(dir).map_err(|error| EngineError::io("listing", dir, error))? {
            let entry = entry.map_err(|error| EngineError::io("listing", dir, error))?;
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_prefix("generation-")) else { continue };
            if name.ends_with(".new") {
                remove_dir(&entry.path())?;
            } else if let Ok(generation) = name.parse::<u64>() {
                generations.push(generation);
            }
        }
        generations.sort_unstable();
        let generation = generations.pop().unwrap_or(0);
        let directory = Directory { dir: dir.to_owned(), generation, _lock: lock };
        for older in generations {
            remove_dir(&directory.generation_dir(older))?;
        }
        Ok(directory)
    }

    pub(in crate::store) fn path(&self) -> &Path {
        &self.dir
    }

    /// Whether there is a store in it.
    pub(in crate::store) fn holds_store(&self) -> bool {
        self.generation > 0
    }

    /// The file that holds sled's data, to be synced.
    pub(super) fn log_file(&self) -> Result<File, EngineError> {
        let path = self.generation_dir(self.generation).join("db");
        OpenOptions::new().read(true).write(true).open(&path).map_err(|error| EngineError::io("opening", &path, error))
    }

    /// Makes the next generation: an empty store, filled by `fill`. It takes over only if `fill`
    /// succeeded and all of it is on the disk; the old one is then deleted.
    pub(in crate::store) fn make_next<E: From<EngineError>>(
        &mut self,
        fill: impl FnOnce(&mut Loader) -> Result<(), E>,
    ) -> Result<(), E> {
        let next = self.generation + 1;
        let unfinished = self.dir.join(format!("generation-{next}.new"));
        let made = make(&unfinished, fill);
        if let Err(error) = made {
            remove_dir(&unfinished)?;
            return Err(error);
        }
        self.take_over(&unfinished, next)?;
        if next > 1 {
            remove_dir(&self.generation_dir(next - 1))?;
        }
        Ok(())
    }

    fn take_over(&mut self, unfinished: &Path, next: u64) -> Result<(), EngineError> {
        let finished = self.generation_dir(next);
        fs::rename(unfinished, &finished).map_err(|error| EngineError::io("renaming", unfinished, error))?;
        sync(&self.dir)?;
        self.generation = next;
        Ok(())
    }

    fn generation_dir(&self, generation: u64) -> PathBuf {
        self.dir.join(format!("generation-{generation}"))
    }

    fn open_current(&self) -> Result<Rows, Damage> {
        let dir = self.generation_dir(self.generation);
        remove_snapshots(&dir, |name| name.ends_with(".generating")).map_err(Damage::Other)?;
        open_sled(&dir)
    }

    /// sled takes a log that it cannot read for an empty one; a store of ours is never without its format.
    fn check_format(&self, rows: &Rows) -> Result<(), EngineError> {
        match rows.own_number(FORMAT_NAME)? {
            None => {
                let reason = "its log holds no format".to_owned();
                Err(EngineError::Unreadable { dir: self.dir.clone(), reason })
            }
            Some(found) if found > FORMAT => {
                Err(EngineError::NewerFormat { dir: self.dir.clone(), found, known: FORMAT })
            }
            Some(_) => Ok(()),
        }
    }

    /// The store reads as corrupt: tries again on a copy without snapshots, which sled then rebuilds from
    /// its log. The original is kept beside it, under the name `.unreadable`.
    fn mend(&mut self, reason: &str) -> Result<Rows, EngineError> {
        let damaged = self.generation_dir(self.generation);
        let next = self.generation + 1;
        let copy = self.dir.join(format!("generation-{next}.new"));
        tracing::warn!(dir = %damaged.display(), reason, "the store reads as corrupt; trying a copy without snapshots");
        copy_dir(&damaged, &copy)?;
        remove_snapshots(&copy, |_name| true)?;
        let opened = open_sled(&copy).and_then(|rows| {
            self.check_format(&rows).map_err(Damage::Other)?;
            rows.flush().map_err(Damage::of)?;
            drop(rows);
            sync_all(&copy).map_err(Damage::Other)
        });
        if let Err(damage) = opened {
            remove_dir(&copy)?;
            return Err(match damage {
                Damage::Corrupt(_) => EngineError::Unreadable { dir: self.dir.clone(), reason: reason.to_owned() },
                Damage::Other(error) => error,
            });
        }
        self.take_over(&copy, next)?;
        let kept = self.dir.join(format!("generation-{}.unreadable", next - 1));
        fs::rename(&damaged, &kept).map_err(|error| EngineError::io("renaming", &damaged, error))?;
        tracing::warn!(kept = %kept.display(), "the store was mended; the damaged files were kept");
        self.open_current().map_err(|damage| damage.into_error(&self.dir))
    }

    /// Makes the names of sled's files durable, which it does not itself.
    fn sync_names(&self) -> Result<(), EngineError> {
        let generation = self.generation_dir(self.generation);
        sync(&generation.join("conf"))?;
        sync(&generation)
    }
}

/// Fills a new store with entries, in large batches that are made durable at the end alone.
#[derive(Debug)]
pub(in crate::store) struct Loader {
    rows: Rows,
    batch: RowBatch,
    batch_bytes: usize,
    next_rev: u64,
}

impl Loader {
    const BATCH_BYTES: usize = 1024 * 1024;

    pub(in crate::store) fn put(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), EngineError> {
        self.batch_bytes += key.len() + value.len();
        self.batch.put(key, &super::rows::Stored { rev: super::Rev(self.next_rev), value });
        self.next_rev += 1;
        if self.batch_bytes >= Self::BATCH_BYTES { self.apply() } else { Ok(()) }
    }

    /// Everything put so far, to be read back.
    pub(in crate::store) fn finish(&mut self) -> Result<&Rows, EngineError> {
        self.batch.put_own_number(FORMAT_NAME, FORMAT);
        self.batch.put_own_number(super::writer::REV_LIMIT, self.next_rev);
        self.apply()?;
        self.rows.flush().map_err(|error| EngineError::Failed { reason: error.to_string() })?;
        Ok(&self.rows)
    }

    fn apply(&mut self) -> Result<(), EngineError> {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        self.rows.apply(batch).map_err(|error| EngineError::Failed { reason: error.to_string() })
    }
}

fn make<E: From<EngineError>>(dir: &Path, fill: impl FnOnce(&mut Loader) -> Result<(), E>) -> Result<(), E> {
    let rows = open_sled(dir).map_err(|damage| damage.into_error(dir))?;
    let mut loader = Loader { rows, batch: RowBatch::default(), batch_bytes: 0, next_rev: 1 };
    fill(&mut loader)?;
    loader.finish()?;
    drop(loader);
    Ok(sync_all(dir)?)
}

/// Why sled did not open.
enum Damage {
    Corrupt(String),
    Other(EngineError),
}

impl Damage {
    fn of(error: sled::Error) -> Self {
        match error {
            sled::Error::Corruption { .. } => Damage::Corrupt(error.to_string()),
            sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_)
            | sled::Error::Io(_) => Damage::Other(EngineError::read(&error)),
        }
    }

    fn into_error(self, dir: &Path) -> EngineError {
        match self {
            Damage::Corrupt(reason) => EngineError::Unreadable { dir: dir.to_owned(), reason },
            Damage::Other(error) => error,
        }
    }
}

fn open_sled(dir: &Path) -> Result<Rows, Damage> {
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE_BYTES)
        .segment_size(SEGMENT_BYTES)
        // The writer flushes; a timer would only write half groups early.
        .flush_every_ms(None);
    let started = Instant::now();
    loop {
        // Damaged files make some of sled's assertions fail; nothing of ours is involved in the unwinding.
        return match std::panic::catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => Ok(Rows::new(db)),
            Ok(Err(error)) if is_locked(&error) && started.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            Ok(Err(error)) => Err(Damage::of(error)),
            Err(_panic) => Err(Damage::Corrupt("sled panicked while opening it".to_owned())),
        };
    }
}

/// sled locks its file too. Under our own lock only this process can hold that one: sled's I/O threads
/// keep a closed store's file for a moment after its last handle is gone.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

/// A lock that its holder gave up lives on in a child that was forked and has not reached its `exec` yet.
const INHERITED: Duration = Duration::from_millis(500);

fn take_lock(dir: &Path) -> Result<File, EngineError> {
    let path = dir.join("lock");
    let io = |error| EngineError::io("locking", &path, error);
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if started.elapsed() < INHERITED => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(EngineError::InUse { dir: dir.to_owned(), holder: read_holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
    }
    file.set_len(0).map_err(io)?;
    file.rewind().map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    Ok(file)
}

fn read_holder(lock: &mut File) -> String {
    let mut holder = String::new();
    // Whatever cannot be read is as good as empty here.
    let _length = lock.read_to_string(&mut holder);
    match holder.trim().parse::<u32>() {
        Ok(pid) => format!("process {pid}"),
        Err(_) => "another process".to_owned(),
    }
}

/// Who uses the store in `dir` at the moment, such as `process 1234`. Changes nothing.
pub fn holder(dir: &Path) -> Option<String> {
    let mut lock = File::open(dir.join("lock")).ok()?;
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(read_holder(&mut lock)),
        Err(TryLockError::Error(_)) | Ok(()) => None,
    }
}

/// Removes those of sled's snapshots whose name `is_unwanted`.
fn remove_snapshots(dir: &Path, is_unwanted: impl Fn(&str) -> bool) -> Result<(), EngineError> {
    for entry in fs::read_dir(dir).map_err(|error| EngineError::io("listing", dir, error))? {
        let entry = entry.map_err(|error| EngineError::io("listing", dir, error))?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("snap.") && is_unwanted(name)) {
            fs::remove_file(entry.path()).map_err(|error| EngineError::io("removing", &entry.path(), error))?;
        }
    }
    Ok(())
}

fn remove_dir(dir: &Path) -> Result<(), EngineError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(EngineError::io("removing", dir, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Copies a directory of files and directories.
fn copy_dir(from: &Path, to: &Path) -> Result<(), EngineError> {
    fs::create_dir_all(to).map_err(|error| EngineError::io("creating", to, error))?;
    for entry in fs::read_dir(from).map_err(|error| EngineError::io("listing", from, error))? {
        let entry = entry.map_err(|error| EngineError::io("listing", from, error))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_dir(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(|error| EngineError::io("copying", &path, error))?;
        }
    }
    Ok(())
}

/// Makes every file below `dir` durable, and their names.
fn sync_all(dir: &Path) -> Result<(), EngineError> {
    for entry in fs::read_dir(dir).map_err(|error| EngineError::io("listing", dir, error))? {
        let path = entry.map_err(|error| EngineError::io("listing", dir, error))?.path();
        if path.is_dir() { sync_all(&path)? } else { sync(&path)? }
    }
    sync(dir)
}

/// Makes a file's bytes, or a directory's names, durable.
fn sync(path: &Path) -> Result<(), EngineError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| EngineError::io("syncing", path, error))
}
