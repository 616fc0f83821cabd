//! Where a runner's jobs have their directories, and what runners left that were killed.
//!
//! A runner has a name in the work directory, and for as long as it lives a lock on the file `NAME.lock`; its jobs'
//! directories are `NAME-NUMBER`. Whose lock can be had is gone: the kernel gives it back however a process ends. Process
//! ids would not tell, for runners in containers have the same ones.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::process::kill_tracked;

/// A name in a work directory, and the right to it. Dropped, it is given up with all that it names.
#[derive(Debug)]
pub(super) struct Name {
    work: PathBuf,
    name: String,
    jobs: AtomicU64,
    /// Held, not read.
    _lock: File,
}

impl Name {
    /// A new name, and those of runners that are gone.
    pub(super) fn take(work: &Path) -> io::Result<(Self, Vec<Self>)> {
        // Nobody else looks while a file of a lock is there and its lock is not.
        let gate = lock_file(&work.join(".lock"))?;
        gate.lock()?;
        let mut gone = Vec::new();
        for entry in fs::read_dir(work)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".lock")) else { continue };
            if name.is_empty() {
                continue;
            }
            let lock = lock_file(&path)?;
            match lock.try_lock() {
                Ok(()) => gone.push(Self::new(work, name.to_owned(), lock)),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let name = format!("{:08x}", rand::random::<u32>());
        let lock = File::create_new(work.join(format!("{name}.lock")))?;
        lock.lock()?;
        Ok((Self::new(work, name, lock), gone))
    }

    fn new(work: &Path, name: String, lock: File) -> Self {
        Self { work: work.to_owned(), name, jobs: AtomicU64::new(0), _lock: lock }
    }

    /// A directory for one more job; it is not there yet.
    pub(super) fn next_job(&self) -> PathBuf {
        self.work.join(format!("{}-{}", self.name, self.jobs.fetch_add(1, Ordering::Relaxed)))
    }

    /// Ends what still runs of its jobs, and removes their directories. The lock's file goes last: what could not be
    /// removed is found again.
    fn clear(&self) -> io::Result<()> {
        let prefix = format!("{}-", self.name);
        let entries = match fs::read_dir(&self.work) {
            // Whoever started the runner has removed everything.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)) {
                kill_tracked(&crate::job::tracking_id(&entry.path()));
                // Its job may be removing it at this moment.
                fs::remove_dir_all(entry.path()).or_else(none_is_well)?;
            }
        }
        fs::remove_file(self.work.join(format!("{}.lock", self.name))).or_else(none_is_well)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if let Err(error) = self.clear() {
            tracing::warn!("directories of jobs in {} cannot be removed: {error}", self.work.display());
        }
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(false).open(path)
}

fn none_is_well(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn names(work: &Path) -> Vec<String> {
        let entries = fs::read_dir(work).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = entries.filter(|name| name != ".lock").collect();
        names.sort();
        names
    }

    #[test]
    fn what_the_dead_left_goes_and_what_the_living_have_stays() {
        let work = tempfile::tempdir().unwrap();
        let work = work.path();
        for directory in ["dead-0/workspace", "dead-1", "deadly-0", "other"] {
            fs::create_dir_all(work.join(directory)).unwrap();
        }
        fs::write(work.join("dead.lock"), "").unwrap();
        let workspace = crate::job::tracking_id(&work.join("dead-0"));
        let mut sleep = Command::new("sleep");
        let mut orphan = sleep.arg("1000").env(crate::process::TRACKING_VARIABLE, workspace).spawn().unwrap();

        let (living, gone) = Name::take(work).unwrap();
        assert_eq!(gone.iter().map(|name| name.name.as_str()).collect::<Vec<_>>(), ["dead"]);
        let job = living.next_job();
        fs::create_dir_all(job.join("workspace")).unwrap();
        // While one removes them, they are nobody else's to remove.
        let (next, none) = Name::take(work).unwrap();
        assert!(none.is_empty(), "{none:?}");
        drop((gone, next));
        orphan.wait().unwrap();
        let own = [format!("{}-0", living.name), format!("{}.lock", living.name)];
        let mut expected = vec!["deadly-0", "other", &own[0], &own[1]];
        expected.sort_unstable();
        assert_eq!(names(work), expected);
        assert_ne!(living.next_job(), job);
        drop(living);
        assert_eq!(names(work), ["deadly-0", "other"]);
    }

    #[test]
    fn nothing_is_left_where_the_work_directory_is_gone() {
        let work = tempfile::tempdir().unwrap();
        let (name, _) = Name::take(work.path()).unwrap();
        work.close().unwrap();
        name.clear().unwrap();
    }
}
