use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};
use workflows::ids::RepoName;

/// One task at a time for each repository of this server. Not for correctness, which the store's checks
/// see to, also with a second server: without turns, tasks that write the same record would fail each
/// other's commits and do their work several times.
pub struct Turns {
    hasher: RandomState,
    /// Repositories share these: few enough to keep, many enough that two seldom meet.
    locks: [Mutex<()>; 64],
}

impl Default for Turns {
    fn default() -> Self {
        Self { hasher: RandomState::new(), locks: std::array::from_fn(|_| Mutex::new(())) }
    }
}

impl Turns {
    /// Waits for the repository's turn, which lasts as long as the guard. Nobody may take a second one
    /// while holding a first.
    pub async fn take(&self, repo: &RepoName) -> MutexGuard<'_, ()> {
        let index = self.hasher.hash_one(repo) as usize % self.locks.len();
        self.locks[index].lock().await
    }
}
