//! Who wants to know about changes under which prefix.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;

/// One channel per prefix, however many watch it; its number counts the groups that touched the prefix.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    by_prefix: Mutex<BTreeMap<Vec<u8>, watch::Sender<u64>>>,
}

impl Watchers {
    pub(super) fn watch(&self, prefix: &[u8]) -> watch::Receiver<u64> {
        let mut by_prefix = self.by_prefix.lock().unwrap_or_else(PoisonError::into_inner);
        by_prefix.entry(prefix.to_vec()).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// Wakes the watchers of every prefix of a changed key, and forgets the prefixes that nobody watches.
    pub(super) fn wake(&self, changed: &BTreeSet<Vec<u8>>) {
        let mut by_prefix = self.by_prefix.lock().unwrap_or_else(PoisonError::into_inner);
        by_prefix.retain(|prefix, sender| {
            // The first key at or after the prefix has the prefix, if any key has it.
            let first = changed.range::<[u8], _>((Bound::Included(&prefix[..]), Bound::Unbounded)).next();
            if first.is_some_and(|key| key.starts_with(prefix)) {
                sender.send_modify(|groups| *groups += 1);
            }
            sender.receiver_count() > 0
        });
    }
}
