//! What readers see: the rows, with those under way to the disk as they were before.

use std::{collections::BTreeMap, ops::Bound};

use super::{Direction, Directory, EngineError, Entry, Range, rows::Rows, rows::Stored};

/// Read under a shared lock, so that [`View::shadow`] and [`View::unshadow`] wait for every reader.
#[derive(Debug)]
pub(super) struct View {
    pub(super) rows: Rows,
    /// Every key that the current group writes → what was durable before; empty between groups.
    shadow: BTreeMap<Vec<u8>, Option<Stored>>,
    /// Dropped last: the lock on the directory goes when the files are closed.
    _directory: Directory,
}

impl View {
    pub(super) fn new(rows: Rows, directory: Directory) -> Self {
        Self { rows, shadow: BTreeMap::new(), _directory: directory }
    }

    /// From now on readers see `old` for these keys, whatever the rows hold.
    pub(super) fn shadow(&mut self, old: BTreeMap<Vec<u8>, Option<Stored>>) {
        self.shadow = old;
    }

    /// What the rows hold is durable: show it. Returns what readers saw instead.
    pub(super) fn unshadow(&mut self) -> BTreeMap<Vec<u8>, Option<Stored>> {
        std::mem::take(&mut self.shadow)
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Entry>, EngineError> {
        let stored = match self.shadow.get(key) {
            Some(old) => old.clone(),
            None => self.rows.get(key)?,
        };
        Ok(stored.map(|stored| stored.into_entry(key.to_vec())))
    }

    pub(super) fn scan(&self, range: &Range, direction: Direction, limit: usize) -> Result<Vec<Entry>, EngineError> {
        let bounds = (range.0.as_ref().map(Vec::as_slice), range.1.as_ref().map(Vec::as_slice));
        if is_empty(bounds) {
            return Ok(Vec::new());
        }
        let rows = self.rows.iter(bounds).filter(|row| match row {
            Ok(entry) => !self.shadow.contains_key(&entry.key),
            Err(_) => true,
        });
        let shadowed = self
            .shadow
            .range::<[u8], _>(bounds)
            .filter_map(|(key, old)| old.as_ref().map(|old| old.clone().into_entry(key.clone())));
        match direction {
            Direction::Forward => {
                let mut entries = rows.take(limit).collect::<Result<Vec<_>, _>>()?;
                entries.extend(shadowed.take(limit));
                entries.sort_by(|a, b| a.key.cmp(&b.key));
                entries.truncate(limit);
                Ok(entries)
            }
            Direction::Reverse => {
                let mut entries = rows.rev().take(limit).collect::<Result<Vec<_>, _>>()?;
                entries.extend(shadowed.rev().take(limit));
                entries.sort_by(|a, b| b.key.cmp(&a.key));
                entries.truncate(limit);
                Ok(entries)
            }
        }
    }
}

/// Whether no key can lie between the bounds; for such bounds `BTreeMap::range` would panic.
fn is_empty(bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    match bounds {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => start >= end,
    }
}
