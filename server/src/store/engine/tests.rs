use std::{collections::BTreeMap, fs, path::PathBuf};

use super::*;

mod model;

fn key(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn put(key: &str, value: impl Into<Vec<u8>>) -> Commit {
    Commit { puts: vec![(key.as_bytes().to_vec(), value.into())], ..Commit::default() }
}

fn all() -> Range {
    (Bound::Unbounded, Bound::Unbounded)
}

async fn value(engine: &Engine, key: &str) -> Option<Vec<u8>> {
    engine.get(key.as_bytes()).await.unwrap().map(|entry| entry.value)
}

/// The directory in which sled's files are.
fn generation(dir: &Path) -> PathBuf {
    let mut found = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    found.retain(|path| path.extension().is_none() && path.is_dir());
    assert_eq!(found.len(), 1, "one store, but found {found:?}");
    found.remove(0)
}

fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(generation(dir)).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("snap.")).collect()
}

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    assert_eq!(engine.commit(put("a", "1")).await.unwrap(), Committed::Done);
    let first = engine.get(b"a").await.unwrap().unwrap();
    let check = Check::At(key("a"), first.rev);
    let change = Commit { checks: vec![check.clone()], ..put("a", "2") };
    assert_eq!(engine.commit(change).await.unwrap(), Committed::Done);
    engine.close().await;

    let engine = Engine::open(dir.path()).unwrap();
    let second = engine.get(b"a").await.unwrap().unwrap();
    assert_eq!((second.value.as_slice(), second.rev == first.rev), (&b"2"[..], false));
    // A key that was deleted and made again is not the one that was read before.
    let delete = Commit { deletes: vec![key("a")], ..Commit::default() };
    assert_eq!(engine.commit(delete).await.unwrap(), Committed::Done);
    assert_eq!(engine.commit(put("a", "2")).await.unwrap(), Committed::Done);
    let late = Commit { checks: vec![Check::At(key("a"), second.rev)], ..put("a", "3") };
    assert_eq!(engine.commit(late).await.unwrap(), Committed::Conflict);
    assert_eq!(value(&engine, "a").await.unwrap(), b"2");
}

#[tokio::test]
async fn one_of_many_that_expect_a_key_to_be_absent_makes_it() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    let claims = (0..50).map(|number| {
        let commit = Commit { checks: vec![Check::Absent(key("job"))], ..put("job", vec![number]) };
        engine.commit(commit)
    });
    let answers = futures_util::future::try_join_all(claims).await.unwrap();
    assert_eq!(answers.iter().filter(|answer| **answer == Committed::Done).count(), 1);
}

/// Each reads a counter and writes it one higher, again and again until it gets through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_increment_is_lost_among_concurrent_ones() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let engine = engine.clone();
        tasks.spawn(async move {
            loop {
                let (check, next) = match engine.get(b"counter").await.unwrap() {
                    None => (Check::Absent(key("counter")), 1),
                    Some(entry) => (Check::At(key("counter"), entry.rev), entry.value[0] + 1),
                };
                let commit = Commit { checks: vec![check], ..put("counter", vec![next]) };
                if engine.commit(commit).await.unwrap() == Committed::Done {
                    return;
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    assert_eq!(value(&engine, "counter").await.unwrap(), [20]);
}

#[tokio::test]
async fn a_directory_in_use_says_by_whom() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    let refusal = Engine::open(dir.path()).unwrap_err().to_string();
    let (path, pid) = (dir.path().display(), std::process::id());
    assert_eq!(refusal, format!("the data directory {path} is in use by process {pid}"));
    engine.close().await;
    Engine::open(dir.path()).unwrap();
}

#[tokio::test]
async fn a_commit_beyond_the_limits_is_refused_and_nothing_of_it_happens() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    let too_many = Commit {
        puts: (0..MAX_KEYS).map(|number| (vec![1, u8::try_from(number).unwrap()], Vec::new())).collect(),
        deletes: vec![key("b")],
        ..Commit::default()
    };
    let twice = Commit { deletes: vec![key("a")], ..put("a", "1") };
    let long_key = Commit { puts: vec![(vec![7; MAX_KEY_BYTES + 1], Vec::new())], ..Commit::default() };
    for (commit, expected) in [
        (put("a", vec![0; MAX_VALUE_BYTES + 1]), "a value of 65537 bytes for key `a`"),
        (too_many, "a commit of 101 keys"),
        (twice, "key `a` twice"),
        (long_key, "a key of 769 bytes"),
    ] {
        let error = engine.commit(commit).await.unwrap_err();
        assert!(matches!(&error, EngineError::Invalid(why) if why.contains(expected)), "{error}");
    }
    assert_eq!(engine.scan(all(), Direction::Forward, 10).await.unwrap(), []);
}

/// sled would put pages with values of this size into files that it never syncs (see `rows`).
#[tokio::test]
async fn long_values_stay_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    let long = |fill: u8| vec![fill; MAX_VALUE_BYTES - usize::from(fill)];
    for round in 0..6 {
        for name in 0..24 {
            let key = [&vec![name; MAX_KEY_BYTES - 1][..], &[name]].concat();
            let commit = Commit { puts: vec![(key, long(round + name))], ..Commit::default() };
            assert_eq!(engine.commit(commit).await.unwrap(), Committed::Done);
        }
    }
    let entries = engine.scan(all(), Direction::Forward, 100).await.unwrap();
    assert_eq!(entries.len(), 24);
    for (name, entry) in (0..).zip(entries) {
        assert!(entry.value == long(5 + name), "value {name} came back as another");
    }
    engine.close().await;
    let blobs = fs::read_dir(generation(dir.path()).join("blobs")).unwrap().count();
    assert_eq!(blobs, 0);
}

#[tokio::test]
async fn watchers_of_a_prefix_wake_for_its_keys_alone() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    let (mut runs, jobs) = (engine.watch(b"run/"), engine.watch(b"job/"));
    assert_eq!(engine.commit(put("run/1", "")).await.unwrap(), Committed::Done);
    runs.changed().await.unwrap();
    assert!(!jobs.has_changed().unwrap());
}

#[tokio::test]
async fn readers_see_what_was_before_until_it_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (directory, rows) = Directory::open(dir.path()).unwrap();
    let stored = |value: &str| rows::Stored { rev: Rev(1), value: value.into() };
    let mut batch = rows::RowBatch::default();
    for (key, value) in [("a", "new"), ("c", "same"), ("d", "made")] {
        batch.put(key.as_bytes(), &stored(value));
    }
    rows.apply(batch).unwrap();

    let mut view = View::new(rows, directory);
    let old = [("a", Some(stored("old"))), ("b", Some(stored("deleted"))), ("d", None)];
    view.shadow(old.into_iter().map(|(key, old)| (key.into(), old)).collect::<BTreeMap<_, _>>());
    let scan = |view: &View, direction, limit| {
        let entries = view.scan(&all(), direction, limit).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        entries.into_iter().map(|entry| format!("{}={}", text(entry.key), text(entry.value))).collect::<Vec<_>>()
    };
    assert_eq!(scan(&view, Direction::Forward, 2), ["a=old", "b=deleted"]);
    assert_eq!(scan(&view, Direction::Reverse, 9), ["c=same", "b=deleted", "a=old"]);
    assert_eq!((view.get(b"d").unwrap(), view.get(b"a").unwrap().unwrap().value), (None, b"old".to_vec()));
    view.unshadow();
    assert_eq!(scan(&view, Direction::Forward, 9), ["a=new", "c=same", "d=made"]);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    let clone = engine.clone();
    engine.close().await;
    assert!(matches!(clone.get(b"a").await, Err(EngineError::Closed)));
    assert!(matches!(clone.commit(put("a", "1")).await, Err(EngineError::Closed)));
}

async fn store_with_a_snapshot(dir: &Path) {
    let engine = Engine::open(dir).unwrap();
    assert_eq!(engine.commit(put("a", "1")).await.unwrap(), Committed::Done);
    engine.close().await;
    // sled writes its snapshots when it opens.
    Engine::open(dir).unwrap().close().await;
    assert_eq!(snapshots(dir).len(), 1);
}

#[tokio::test]
async fn a_snapshot_that_a_killed_process_left_unfinished_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    store_with_a_snapshot(dir.path()).await;
    fs::write(generation(dir.path()).join("snap.FFFFFFFFFFFFFFFF.generating"), "half of one").unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    assert_eq!(value(&engine, "a").await.unwrap(), b"1");
}

#[tokio::test]
async fn a_damaged_snapshot_is_mended_on_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    store_with_a_snapshot(dir.path()).await;
    fs::write(&snapshots(dir.path())[0], "no snapshot, but long enough to look like one").unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    assert_eq!(value(&engine, "a").await.unwrap(), b"1");
    assert!(dir.path().join("generation-1.unreadable").is_dir(), "the damaged files were not kept");
    engine.close().await;
    let engine = Engine::open(dir.path()).unwrap();
    assert_eq!(value(&engine, "a").await.unwrap(), b"1");
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_refused_and_never_replaced_by_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    store_with_a_snapshot(dir.path()).await;
    let log = generation(dir.path()).join("db");
    let length = fs::metadata(&log).unwrap().len();
    fs::write(&log, vec![0xAA; usize::try_from(length).unwrap()]).unwrap();
    for snapshot in snapshots(dir.path()) {
        fs::remove_file(snapshot).unwrap();
    }
    for _ in 0..2 {
        let refusal = Engine::open(dir.path()).unwrap_err();
        assert!(matches!(refusal, EngineError::Unreadable { .. }), "{refusal}");
    }
}
