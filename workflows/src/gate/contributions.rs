//! What each pair of examples contributes to a metric that is a mean over them, and which pairs belong together.

use std::collections::HashMap;

use super::pairing::Pair;

/// (head, base) contributions of every pair; none where some example has none.
pub(super) fn contributions(metric: &str, pairs: &[Pair<'_>]) -> Option<Vec<(f64, f64)>> {
    pairs.iter().map(|pair| Some((*pair.head.values.get(metric)?, *pair.base.values.get(metric)?))).collect()
}

pub(super) struct Groups {
    pub(super) of_pair: Vec<u32>,
    pub(super) count: usize,
}

/// Groups as the base names them; an example without one is a group of its own. None without any.
pub(super) fn groups(pairs: &[Pair<'_>]) -> Option<Groups> {
    pairs.iter().any(|pair| pair.base.group.is_some()).then(|| {
        let mut by_name: HashMap<&str, u32> = HashMap::new();
        let mut count = 0;
        let mut fresh = || {
            count += 1;
            count - 1
        };
        let of_pair = pairs
            .iter()
            .map(|pair| match pair.base.group.as_deref() {
                None => fresh(),
                Some(name) => *by_name.entry(name).or_insert_with(&mut fresh),
            })
            .collect();
        Groups { of_pair, count: count as usize }
    })
}
