//! Random commits against a `BTreeMap` that does the same.

use std::ops::RangeBounds;

use proptest::prelude::*;

use super::*;

/// Few and short, so that commits meet; the empty key and the highest byte are keys like others.
fn keys() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, 1, 255]), 0..3)
}

/// Mostly short; some longer than one part, or than two.
fn values() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![4 => 0..40usize, 1 => 8_000..20_000usize];
    (length, any::<u8>()).prop_map(|(length, fill)| vec![fill; length])
}

#[derive(Debug, Clone)]
struct Attempt {
    /// Each is checked to be as it is, or (`false`) as it is not.
    checks: Vec<(Vec<u8>, bool)>,
    /// None deletes.
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

fn attempts() -> impl Strategy<Value = Attempt> {
    let checks = prop::collection::vec((keys(), prop::bool::weighted(0.9)), 0..3);
    let writes = prop::collection::btree_map(keys(), prop::option::weighted(0.7, values()), 0..5);
    (checks, writes).prop_map(|(checks, writes)| Attempt { checks, writes })
}

fn bounds() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![keys().prop_map(Bound::Included), keys().prop_map(Bound::Excluded), Just(Bound::Unbounded)]
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

async fn commit(engine: &Engine, model: &mut Model, attempt: Attempt) {
    let mut checks = Vec::new();
    let mut expected = Committed::Done;
    for (key, right) in attempt.checks {
        let current = engine.get(&key).await.unwrap();
        checks.push(match (current, right) {
            (None, true) => Check::Absent(key),
            (None, false) => Check::At(key, Rev(1)),
            (Some(entry), true) => Check::At(key, entry.rev),
            (Some(_), false) => Check::Absent(key),
        });
        if !right {
            expected = Committed::Conflict;
        }
    }
    let (puts, deletes): (Vec<_>, Vec<_>) = attempt.writes.clone().into_iter().partition(|(_, value)| value.is_some());
    let puts = puts.into_iter().map(|(key, value)| (key, value.unwrap())).collect();
    let deletes = deletes.into_iter().map(|(key, _)| key).collect();
    assert_eq!(engine.commit(Commit { checks, puts, deletes }).await.unwrap(), expected);
    if expected == Committed::Done {
        for (key, value) in attempt.writes {
            match value {
                Some(value) => model.insert(key, value),
                None => model.remove(&key),
            };
        }
    }
}

async fn compare(engine: &Engine, model: &Model, range: &Range, limit: usize) {
    let inside = |key: &Vec<u8>| RangeBounds::<Vec<u8>>::contains(range, key);
    let expected = model.iter().filter(|(key, _)| inside(key)).map(|(key, value)| (key.clone(), value.clone()));
    for direction in [Direction::Forward, Direction::Reverse] {
        let expected = match direction {
            Direction::Forward => expected.clone().take(limit).collect::<Vec<_>>(),
            Direction::Reverse => expected.clone().rev().take(limit).collect::<Vec<_>>(),
        };
        let found = engine.scan(range.clone(), direction, limit).await.unwrap();
        let found = found.into_iter().map(|entry| (entry.key, entry.value)).collect::<Vec<_>>();
        assert!(found == expected, "{direction:?} over {range:?}: {} found, {} expected", found.len(), expected.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_a_map_does(
        before in prop::collection::vec(attempts(), 0..25),
        after in prop::collection::vec(attempts(), 0..10),
        ranges in prop::collection::vec((bounds(), bounds(), 0..8usize), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let mut model = Model::new();
            for attempts in [before, after] {
                let engine = Engine::open(dir.path()).unwrap();
                compare(&engine, &model, &all(), usize::MAX).await;
                for attempt in attempts {
                    commit(&engine, &mut model, attempt).await;
                }
                compare(&engine, &model, &all(), usize::MAX).await;
                for (start, end, limit) in &ranges {
                    compare(&engine, &model, &(start.clone(), end.clone()), *limit).await;
                }
                engine.close().await;
            }
        });
    }
}
