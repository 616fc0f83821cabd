//! The engine below the store: five verbs over byte strings. Everything above is written once,
//! whichever engine lies below; nothing above may assume that one process alone writes.
//!
//! The life of a commit: [`Engine::commit`] puts it into a queue. One writer thread drains the queue
//! into a *group*, decides every commit of the group in order (a check sees the group's earlier
//! commits), applies the whole group as one batch, flushes, `fdatasync`s, and only then answers all
//! of them. A crash at any moment keeps either the whole group or nothing of it.
//!
//! Reads see durable data alone. While a group is on its way to the disk, the values that it replaces
//! are held aside (the *shadow*) and readers get those; so a scan also sees each commit whole or not
//! at all. Reads run on the caller's thread: a `get` takes microseconds and a page of fifty records a
//! fraction of a millisecond, less than handing them to another thread would cost. For the same
//! reason a scan must be bounded by its `limit`: commits wait while one runs.

mod directory;
mod error;
mod rows;
mod view;
mod watchers;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    ops::Bound,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
    thread::JoinHandle,
};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

pub use self::{directory::holder, error::EngineError};
pub(in crate::store) use self::{
    directory::{Directory, Loader},
    rows::Rows,
};
use self::{
    view::View,
    watchers::Watchers,
    writer::{Request, Writer},
};

/// Largest value that an engine takes; anything larger is a blob with a pointer.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// Most keys in one commit, checks, puts and deletes together; each key at most once among puts and deletes.
pub const MAX_KEYS: usize = 100;

/// Longest key. Keeps sled's index pages small enough to stay inside its log file (see `rows`).
pub const MAX_KEY_BYTES: usize = 768;

/// Commits that wait for the writer; more wait for a place in the queue.
const QUEUE_LENGTH: usize = 1024;

/// Changes with every write of its key; compared for equality alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rev(pub u64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub rev: Rev,
}

/// What must still be true for a commit to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    Absent(Vec<u8>),
    /// The key holds the value that was read with this revision.
    At(Vec<u8>, Rev),
}

/// All or nothing, durable when it returns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    pub checks: Vec<Check>,
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    pub deletes: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    Done,
    /// A check did not hold: read again and decide again.
    Conflict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Reverse,
}

pub type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

#[derive(Debug, Clone)]
pub struct Engine {
    requests: mpsc::Sender<Request>,
    shared: Arc<Shared>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What callers and the writer thread both see.
#[derive(Debug)]
struct Shared {
    /// None once closed.
    view: RwLock<Option<View>>,
    watchers: Watchers,
}

impl Engine {
    /// Opens the store in `dir`, making it where there is none. Blocks for as long as recovery takes
    /// (tens of milliseconds; under a second for gigabytes).
    ///
    /// # Errors
    /// [`EngineError::InUse`] when another process (or another `Engine` of this one) holds it,
    /// [`EngineError::Unreadable`] when its files are damaged: they are never reset or replaced.
    pub fn open(dir: &Path) -> Result<Engine, EngineError> {
        let (directory, rows) = Directory::open(dir)?;
        let (requests, queue) = mpsc::channel(QUEUE_LENGTH);
        let writer = Writer::new(&directory, rows.clone())?;
        let shared =
            Arc::new(Shared { view: RwLock::new(Some(View::new(rows, directory))), watchers: Watchers::default() });
        let for_writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(queue, &for_writer))
            .map_err(|source| EngineError::io("starting the store's writer thread", dir, source))?;
        Ok(Engine { requests, shared, writer: Arc::new(Mutex::new(Some(thread))) })
    }

    pub async fn get(&self, key: &[u8]) -> Result<Option<Entry>, EngineError> {
        self.read(|view| view.get(key))
    }

    /// Entries with keys in `range`, at most `limit`, in the order of `direction`; all of them as they
    /// were at one moment.
    pub async fn scan(&self, range: Range, direction: Direction, limit: usize) -> Result<Vec<Entry>, EngineError> {
        self.read(|view| view.scan(&range, direction, limit))
    }

    /// # Errors
    /// [`EngineError::Invalid`] for a commit that breaks a limit; it was not tried.
    /// [`EngineError::DiskFull`]: it was not tried. [`EngineError::Failed`]: writing failed now or
    /// earlier; whether this commit happened shows after the store was opened again.
    pub async fn commit(&self, commit: Commit) -> Result<Committed, EngineError> {
        validate(&commit)?;
        self.ask(|reply| Request::Commit { commit, reply }).await?
    }

    /// Wakes when a key with this prefix may have changed. A hint to look again, never the truth.
    pub fn watch(&self, prefix: &[u8]) -> tokio::sync::watch::Receiver<u64> {
        self.shared.watchers.watch(prefix)
    }

    /// The engine's clock: with several servers over one engine, all of them see this one.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that all servers share")]
    pub async fn now(&self) -> Result<Timestamp, EngineError> {
        Ok(Timestamp::now())
    }

    /// Bytes that the store's files take.
    pub async fn size_on_disk(&self) -> Result<u64, EngineError> {
        self.read(|view| view.rows.size_on_disk())
    }

    /// Waits for the commits under way, then closes the files and gives up the directory. Every later
    /// call, on any clone, answers [`EngineError::Closed`].
    pub async fn close(&self) {
        // Fails only if the writer is gone already, and then there is nothing to wait for.
        let _closed = self.ask(|reply| Request::Close { reply }).await;
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let shared = Arc::clone(&self.shared);
        let finish = tokio::task::spawn_blocking(move || {
            if let Some(thread) = thread {
                // A writer that panicked has said so on stderr, and its commits were refused.
                let _panic = thread.join();
            }
            let view = shared.view.write().unwrap_or_else(PoisonError::into_inner).take();
            drop(view);
        });
        let _panic = finish.await;
    }

    /// Runs `read` between two groups of commits: what it reads stands still, while readers go on and
    /// commits wait.
    pub(in crate::store) async fn exclusively<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Rows) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |rows: &Rows| {
            // The caller may have lost interest.
            let _unwanted = answer.send(read(rows));
        });
        self.requests.send(Request::Read { job }).await.map_err(|_| EngineError::Closed)?;
        answered.await.map_err(|_| EngineError::Closed)
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| EngineError::Closed)?;
        answer.await.map_err(|_| EngineError::Closed)
    }

    fn read<T>(&self, read: impl FnOnce(&View) -> Result<T, EngineError>) -> Result<T, EngineError> {
        // The lock guards plain data that no panic leaves half changed.
        let view = self.shared.view.read().unwrap_or_else(PoisonError::into_inner);
        read(view.as_ref().ok_or(EngineError::Closed)?)
    }
}

fn validate(commit: &Commit) -> Result<(), EngineError> {
    let invalid = |message: String| Err(EngineError::Invalid(message));
    let checked = commit.checks.iter().map(|check| match check {
        Check::Absent(key) | Check::At(key, _) => key,
    });
    let written = || commit.puts.iter().map(|(key, _)| key).chain(&commit.deletes);
    let keys = commit.checks.len() + commit.puts.len() + commit.deletes.len();
    if keys > MAX_KEYS {
        return invalid(format!("a commit of {keys} keys; at most {MAX_KEYS} are allowed"));
    }
    for key in checked.chain(written()) {
        if key.len() > MAX_KEY_BYTES {
            return invalid(format!("a key of {} bytes; at most {MAX_KEY_BYTES} are allowed", key.len()));
        }
    }
    for (key, value) in &commit.puts {
        if value.len() > MAX_VALUE_BYTES {
            let key = key.escape_ascii();
            return invalid(format!(
                "a value of {} bytes for key `{key}`; at most {MAX_VALUE_BYTES} are allowed",
                value.len()
            ));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    match written().find(|key| !seen.insert(*key)) {
        Some(key) => invalid(format!("key `{}` twice in one commit", key.escape_ascii())),
        None => Ok(()),
    }
}
