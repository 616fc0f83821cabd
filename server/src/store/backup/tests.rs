use std::fs;

use super::*;
use crate::store::engine::{Commit, Committed, Direction, MAX_VALUE_BYTES};

async fn filled(dir: &Path, entries: u32) -> Engine {
    let engine = Engine::open(dir).unwrap();
    for number in 0..entries {
        let length = if number % 7 == 0 { MAX_VALUE_BYTES } else { 100 };
        let puts = vec![(number.to_be_bytes().to_vec(), vec![number.to_le_bytes()[0]; length])];
        let commit = Commit { puts, ..Commit::default() };
        assert_eq!(engine.commit(commit).await.unwrap(), Committed::Done);
    }
    engine
}

async fn contents(engine: &Engine) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = (Bound::Unbounded, Bound::Unbounded);
    let entries = engine.scan(all, Direction::Forward, usize::MAX).await.unwrap();
    entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
}

#[tokio::test]
async fn a_restored_store_holds_what_the_backup_was_made_of() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new, file) = (dir.path().join("old"), dir.path().join("new"), dir.path().join("backup"));
    let engine = filled(&old, 40).await;
    let summary = export(&engine, &file).await.unwrap();
    assert_eq!((summary.entries, &check(&engine).await.unwrap()), (40, &summary));
    assert_eq!(verify(&file).unwrap(), summary);
    assert_eq!(restore(&file, &new).unwrap(), summary);
    let restored = Engine::open(&new).unwrap();
    assert_eq!(contents(&restored).await, contents(&engine).await);
    // It is a store like any other.
    let commit = Commit { deletes: vec![0u32.to_be_bytes().to_vec()], ..Commit::default() };
    assert_eq!(restored.commit(commit).await.unwrap(), Committed::Done);
    assert_eq!(check(&restored).await.unwrap().entries, 39);
}

#[tokio::test]
async fn a_store_is_never_restored_over_another() {
    let dir = tempfile::tempdir().unwrap();
    let (old, file) = (dir.path().join("old"), dir.path().join("backup"));
    let engine = filled(&old, 3).await;
    export(&engine, &file).await.unwrap();
    assert!(matches!(restore(&file, &old), Err(BackupError::Engine(EngineError::InUse { .. }))));
    engine.close().await;
    assert!(matches!(restore(&file, &old), Err(BackupError::NotEmpty { .. })));
    assert_eq!(contents(&Engine::open(&old).unwrap()).await.len(), 3);
}

/// Any byte changed and any end cut off is noticed, and leaves no store behind.
#[tokio::test]
async fn a_damaged_backup_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (old, file, new) = (dir.path().join("old"), dir.path().join("backup"), dir.path().join("new"));
    let engine = filled(&old, 8).await;
    export(&engine, &file).await.unwrap();
    let whole = fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        fs::write(&file, changed).unwrap();
        assert!(verify(&file).is_err(), "byte {at} of {} was changed unnoticed", whole.len());
        fs::write(&file, &whole[..at]).unwrap();
        assert!(verify(&file).is_err(), "cut to {at} bytes of {} unnoticed", whole.len());
    }
    fs::write(&file, &whole[..whole.len() - 20]).unwrap();
    assert!(matches!(restore(&file, &new), Err(BackupError::Damaged(_))));
    assert_eq!(contents(&Engine::open(&new).unwrap()).await, []);

    fs::write(&file, "assay store backup 2\n").unwrap();
    assert_eq!(verify(&file).unwrap_err().to_string(), "the backup has format 2; this Assay knows 1");
    fs::write(&file, "something else").unwrap();
    assert!(matches!(verify(&file), Err(BackupError::NotABackup(_))));
}

#[tokio::test]
async fn compaction_keeps_the_contents_and_gives_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path(), 30).await;
    for _ in 0..60 {
        let puts = (0..10u32).map(|number| (number.to_be_bytes().to_vec(), vec![1; MAX_VALUE_BYTES])).collect();
        assert_eq!(engine.commit(Commit { puts, ..Commit::default() }).await.unwrap(), Committed::Done);
    }
    let before = contents(&engine).await;
    let summary = check(&engine).await.unwrap();
    engine.close().await;
    let compacted = compact(dir.path()).unwrap();
    assert_eq!(compacted.summary, summary);
    let (now, was) = (compacted.bytes_after, compacted.bytes_before);
    assert!(now < was, "{now} bytes after compacting {was}");
    let engine = Engine::open(dir.path()).unwrap();
    assert!(contents(&engine).await == before);
}
