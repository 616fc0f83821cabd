//! The one thread that writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::PathBuf,
    sync::PoisonError,
};

use tokio::sync::{mpsc, oneshot};

use super::{
    Check, Commit, Committed, Directory, EngineError, Rev, Shared,
    rows::{RowBatch, Rows, Stored},
};
use crate::disk;

/// A group holds at most so many commits, and takes no more once it holds so many bytes.
const GROUP_COMMITS: usize = 512;
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// Revisions are handed out from memory; every so many, the store remembers how far they may have got.
const REVS_AT_ONCE: u64 = 4096;

/// Name of the remembered number.
pub(super) const REV_LIMIT: &str = "rev-limit";

type Reply = oneshot::Sender<Result<Committed, EngineError>>;

pub(super) enum Request {
    Commit {
        commit: Commit,
        reply: Reply,
    },
    /// Read while nothing changes.
    Read {
        job: Box<dyn FnOnce(&Rows) + Send>,
    },
    Close {
        reply: oneshot::Sender<()>,
    },
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Request::Commit { .. } => "Commit",
            Request::Read { .. } => "Read",
            Request::Close { .. } => "Close",
        })
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    rows: Rows,
    /// sled's file, opened once more to be synced.
    file: File,
    dir: PathBuf,
    /// The next revision, and the first that may not be given out before the limit is raised.
    next_rev: u64,
    rev_limit: u64,
    /// Why no more commits are taken.
    failed: Option<String>,
}

impl Writer {
    pub(super) fn new(directory: &Directory, rows: Rows) -> Result<Self, EngineError> {
        let file = directory.log_file()?;
        // Whatever an earlier process gave out lies below the limit that it had remembered.
        let next_rev = rows.own_number(REV_LIMIT)?.unwrap_or(1);
        Ok(Self { rows, file, dir: directory.path().to_owned(), next_rev, rev_limit: next_rev, failed: None })
    }

    /// Until it is told to close, or every `Engine` is gone.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Request>, shared: &Shared) {
        let mut waiting = None;
        while let Some(request) = waiting.take().or_else(|| queue.blocking_recv()) {
            match request {
                Request::Commit { commit, reply } => {
                    let (group, next) = gather(commit, reply, &mut queue);
                    waiting = next;
                    self.write(group, shared);
                }
                Request::Read { job } => job(&self.rows),
                Request::Close { reply } => {
                    queue.close();
                    let _gone = reply.send(());
                    return;
                }
            }
        }
    }

    fn write(&mut self, group: Vec<(Commit, Reply)>, shared: &Shared) {
        let (commits, replies): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let answers = match self.write_durably(commits, shared) {
            Ok(answers) => answers,
            Err(reason) => {
                tracing::error!(dir = %self.dir.display(), reason, "the store could not write and takes no more commits");
                self.failed = Some(reason.clone());
                replies.iter().map(|_| Err(EngineError::Failed { reason: reason.clone() })).collect()
            }
        };
        for (reply, answer) in replies.into_iter().zip(answers) {
            // A caller that was cancelled does not want to know.
            let _gone = reply.send(answer);
        }
    }

    /// One answer per commit; `Err` when it is not known what reached the disk.
    fn write_durably(
        &mut self,
        commits: Vec<Commit>,
        shared: &Shared,
    ) -> Result<Vec<Result<Committed, EngineError>>, String> {
        if let Some(reason) = &self.failed {
            return Ok(commits.iter().map(|_| Err(EngineError::Failed { reason: reason.clone() })).collect());
        }
        let free_bytes = disk::free_bytes(&self.dir);
        let mut group = Group::new(&self.rows);
        let mut answers = Vec::with_capacity(commits.len());
        for commit in commits {
            // Deletions may go on: they are how an administrator makes room.
            if free_bytes < disk::STORE_RESERVE_BYTES && !commit.puts.is_empty() {
                let dir = self.dir.clone();
                answers.push(Err(EngineError::DiskFull { dir, free_bytes, reserve_bytes: disk::STORE_RESERVE_BYTES }));
                continue;
            }
            answers.push(group.decide(commit, &mut self.next_rev));
        }
        let (old, mut batch) = group.into_batch();
        if old.is_empty() {
            return Ok(answers);
        }
        if self.next_rev > self.rev_limit {
            self.rev_limit = self.next_rev + REVS_AT_ONCE;
            batch.put_own_number(REV_LIMIT, self.rev_limit);
        }

        with_view(shared, |view| view.shadow(old));
        let message = |error: sled::Error| error.to_string();
        self.rows.apply(batch).map_err(message)?;
        self.rows.flush().map_err(message)?;
        self.file.sync_data().map_err(|error| error.to_string())?;
        let changed = with_view(shared, |view| view.unshadow());
        shared.watchers.wake(&changed.into_keys().collect::<BTreeSet<_>>());
        Ok(answers)
    }
}

fn with_view<T: Default>(shared: &Shared, change: impl FnOnce(&mut super::View) -> T) -> T {
    let mut view = shared.view.write().unwrap_or_else(PoisonError::into_inner);
    // The view is taken away only after this thread has ended.
    view.as_mut().map(change).unwrap_or_default()
}

/// Takes what else is waiting: those commits share one flush. Also returns the request that ended the group.
fn gather(
    commit: Commit,
    reply: Reply,
    queue: &mut mpsc::Receiver<Request>,
) -> (Vec<(Commit, Reply)>, Option<Request>) {
    let size = |commit: &Commit| commit.puts.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    let mut bytes = size(&commit);
    let mut group = vec![(commit, reply)];
    while group.len() < GROUP_COMMITS && bytes < GROUP_BYTES {
        match queue.try_recv() {
            Ok(Request::Commit { commit, reply }) => {
                bytes += size(&commit);
                group.push((commit, reply));
            }
            Ok(other) => return (group, Some(other)),
            Err(_) => break,
        }
    }
    (group, None)
}

/// Commits that will be applied together.
struct Group<'a> {
    rows: &'a Rows,
    /// What the keys written so far held before the group, and will hold after it.
    changes: BTreeMap<Vec<u8>, Change>,
}

struct Change {
    old: Option<Stored>,
    new: Option<Stored>,
}

impl<'a> Group<'a> {
    fn new(rows: &'a Rows) -> Self {
        Self { rows, changes: BTreeMap::new() }
    }

    /// Takes the commit in if its checks hold, the group's earlier commits included. Every put gets a
    /// revision of its own: `rows` names the parts of long values by it.
    fn decide(&mut self, commit: Commit, next_rev: &mut u64) -> Result<Committed, EngineError> {
        for check in &commit.checks {
            let (key, expected) = match check {
                Check::Absent(key) => (key, None),
                Check::At(key, rev) => (key, Some(*rev)),
            };
            let current = match self.changes.get(key) {
                Some(change) => change.new.as_ref().map(|stored| stored.rev),
                None => self.rows.get(key)?.map(|stored| stored.rev),
            };
            if current != expected {
                return Ok(Committed::Conflict);
            }
        }
        let puts = commit.puts.into_iter().map(|(key, value)| {
            let rev = Rev(*next_rev);
            *next_rev += 1;
            (key, Some(Stored { rev, value }))
        });
        let deletes = commit.deletes.into_iter().map(|key| (key, None));
        let writes = puts.chain(deletes).collect::<Vec<_>>();
        // Read everything first, so that a failing read leaves the group without half a commit.
        let mut old = Vec::with_capacity(writes.len());
        for (key, _) in &writes {
            old.push(if self.changes.contains_key(key) { None } else { self.rows.get(key)? });
        }
        for ((key, new), old) in writes.into_iter().zip(old) {
            self.changes.entry(key).or_insert(Change { old, new: None }).new = new;
        }
        Ok(Committed::Done)
    }

    /// What readers must go on seeing, and the writes.
    fn into_batch(self) -> (BTreeMap<Vec<u8>, Option<Stored>>, RowBatch) {
        let mut batch = RowBatch::default();
        let mut shadow = BTreeMap::new();
        for (key, Change { old, new }) in self.changes {
            match (&old, &new) {
                (None, None) => {}
                (Some(old), None) => batch.delete(&key, old),
                (None, Some(new)) => batch.put(&key, new),
                (Some(old), Some(new)) => {
                    batch.delete_parts(old);
                    batch.put(&key, new);
                }
            }
            shadow.insert(key, old);
        }
        (shadow, batch)
    }
}
