//! A process that may not write files beyond a size meets the end of its disk in the middle of sled's
//! own writing: the worst moment. Nothing that it acknowledged may be lost, and it must say what happened.

use std::{
    io::Write,
    ops::Bound,
    path::Path,
    process::{Command, Stdio},
};

use server::store::engine::{Commit, Committed, Direction, Engine, EngineError};

/// Set for the process with the limit: the directory that it works in.
const WRITER: &str = "ASSAY_STORE_FULL_WRITER";

#[test]
fn a_write_that_fails_loses_nothing_that_was_acknowledged() {
    if let Some(dir) = std::env::var_os(WRITER) {
        return write_until_it_fails(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    // 8 MB, in the shell's blocks of 512 bytes; a write beyond them fails with EFBIG once the signal is ignored.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 16384; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["store_full::a_write_that_fails_loses_nothing_that_was_acknowledged", "--exact", "--nocapture"])
        .env(WRITER, dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let acknowledged = std::fs::metadata(dir.path().join("acks")).unwrap().len();
    assert!(acknowledged > 0);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let engine = Engine::open(&dir.path().join("store")).unwrap();
        let all = (Bound::Unbounded, Bound::Unbounded);
        let found = engine.scan(all, Direction::Forward, usize::MAX).await.unwrap().len() as u64;
        assert!(found >= acknowledged, "{acknowledged} were acknowledged, {found} are there");
        assert_eq!(engine.commit(commit(u32::MAX)).await.unwrap(), Committed::Done);
        engine.close().await;
    });
}

fn commit(number: u32) -> Commit {
    Commit { puts: vec![(number.to_be_bytes().to_vec(), vec![7; 4000])], ..Commit::default() }
}

fn write_until_it_fails(dir: &Path) {
    let mut acks = std::fs::File::create(dir.join("acks")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let engine = Engine::open(&dir.join("store")).unwrap();
        let mut number = 0;
        let error = loop {
            match engine.commit(commit(number)).await {
                Ok(done) => assert_eq!(done, Committed::Done),
                Err(error) => break error,
            }
            acks.write_all(&[1]).unwrap();
            number += 1;
        };
        assert!(matches!(error, EngineError::Failed { .. }), "{error}");
        let again = engine.commit(commit(number)).await.unwrap_err();
        assert!(matches!(again, EngineError::Failed { .. }), "{again}");
        // What is durable can still be read, and the failed commit is not shown.
        assert!(engine.get(&0u32.to_be_bytes()).await.unwrap().is_some());
        assert!(engine.get(&number.to_be_bytes()).await.unwrap().is_none());
        engine.close().await;
    });
}
