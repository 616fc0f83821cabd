//! A process that writes to a store is killed with SIGKILL, again and again, also while it opens the
//! store and while it recovers from the kill before. What it was told to be committed must be there.
//!
//! SIGKILL leaves the operating system's cache alone, so this says nothing about a power cut.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    ops::Bound,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use server::store::engine::{Check, Commit, Committed, Direction, Engine, Range};

/// Set for the process that is to be killed: the directory that it works in.
const WRITER: &str = "ASSAY_TORTURE_WRITER";
/// Set to choose the moments of the kills; printed by every run.
const SEED: &str = "ASSAY_TORTURE_SEED";

const KILLS: usize = 120;
const WRITERS: u32 = 4;
/// Each writer keeps the newest so many of its records in its outbox.
const OUTBOX: u64 = 10;

#[test]
fn no_acknowledged_commit_is_lost_to_sigkill() {
    if let Some(dir) = std::env::var_os(WRITER) {
        return write_for_ever(Path::new(&dir));
    }
    let seed = std::env::var(SEED).map_or_else(|_| rand::rng().next_u64(), |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut during_opening = 0;
    let mut acknowledged = 0;
    for kill in 1..=KILLS {
        during_opening += usize::from(run_and_kill(dir.path(), &mut rng));
        // Not after every kill: the next writer must recover by itself, and be killed while it does.
        if rng.random_ratio(1, 3) || kill == KILLS {
            acknowledged = verify(dir.path());
        }
    }
    println!("{KILLS} kills, {during_opening} of them during opening; {acknowledged} commits, all whole");
    assert!(acknowledged > 0 && during_opening > 0, "the kills never met a commit, or never an opening");
}

/// Whether the store was not open yet when the process was killed.
fn run_and_kill(dir: &Path, rng: &mut StdRng) -> bool {
    let opened = dir.join("opened");
    let _absent = std::fs::remove_file(&opened);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["store_torture::no_acknowledged_commit_is_lost_to_sigkill", "--exact", "--nocapture"])
        .env(WRITER, dir)
        .stdout(Stdio::null())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let opening = dir.join("opening");
    until("the writer begins to open the store", || opening.exists());
    // The moment of the kill is the one thing here that has to be a matter of time.
    let longest = if rng.random_ratio(1, 3) { Duration::from_millis(12) } else { Duration::from_millis(250) };
    std::thread::sleep(longest.mul_f64(rng.random()));
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&opening).unwrap();
    !opened.exists()
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The process that is killed. Returns only if something goes wrong.
fn write_for_ever(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        File::create(dir.join("opening")).unwrap();
        let engine = Engine::open(&dir.join("store")).unwrap();
        File::create(dir.join("opened")).unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let acks = OpenOptions::new().create(true).append(true).open(dir.join(format!("acks-{writer}"))).unwrap();
            writers.spawn(write_records(engine.clone(), writer, acks));
        }
        writers.join_next().await.unwrap().unwrap();
    });
}

/// Each record goes with an index entry, a place in an outbox of fixed length, and a counter.
async fn write_records(engine: Engine, writer: u32, mut acks: File) {
    loop {
        let counter = key("counter", writer, 0);
        let (check, number) = match engine.get(&counter).await.unwrap() {
            None => (Check::Absent(counter.clone()), 1),
            Some(entry) => (Check::At(counter.clone(), entry.rev), number(&entry.value) + 1),
        };
        let mut deletes = Vec::new();
        if number > OUTBOX {
            deletes.push(key("outbox", writer, number - OUTBOX));
        }
        let puts = vec![
            (counter, number.to_be_bytes().to_vec()),
            (key("record", writer, number), record(writer, number)),
            (key("index", writer, u64::MAX - number), number.to_be_bytes().to_vec()),
            (key("outbox", writer, number), vec![1; 200]),
        ];
        let commit = Commit { checks: vec![check], puts, deletes };
        assert_eq!(engine.commit(commit).await.unwrap(), Committed::Done);
        // One small write: in the file whole or not at all when the process is killed.
        acks.write_all(&number.to_be_bytes()).unwrap();
    }
}

/// Opens the store and compares all of it with what was acknowledged; returns the number of records.
/// There may be more: commits that a kill kept from being acknowledged.
fn verify(dir: &Path) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let engine = Engine::open(&dir.join("store")).unwrap();
        let mut records = 0;
        for writer in 0..WRITERS {
            let last = engine.get(&key("counter", writer, 0)).await.unwrap().map_or(0, |entry| number(&entry.value));
            let acknowledged = last_acknowledged(&dir.join(format!("acks-{writer}")));
            assert!(last >= acknowledged, "writer {writer}: {acknowledged} was acknowledged, {last} is the last");

            let mut expected = 0;
            for (name, value) in all(&engine, "record", writer).await {
                expected += 1;
                assert!(name == key("record", writer, expected) && value == record(writer, expected), "at {expected}");
            }
            assert_eq!(expected, last, "writer {writer}: records");
            let index = all(&engine, "index", writer).await;
            let numbers = index.iter().rev().map(|(_, value)| number(value));
            assert!(
                numbers.eq(1..=last),
                "writer {writer}: the index of {} disagrees with {last} records",
                index.len()
            );
            let outbox = all(&engine, "outbox", writer).await.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
            let newest =
                (1..=last).rev().take(usize::try_from(OUTBOX).unwrap()).map(|number| key("outbox", writer, number));
            assert!(outbox.iter().rev().eq(newest.collect::<Vec<_>>().iter()), "writer {writer}: outbox");
            records += last;
        }
        engine.close().await;
        records
    })
}

async fn all(engine: &Engine, kind: &str, writer: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
    let range: Range = (Bound::Included(key(kind, writer, 0)), Bound::Included(key(kind, writer, u64::MAX)));
    let entries = engine.scan(range, Direction::Forward, usize::MAX).await.unwrap();
    entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
}

fn last_acknowledged(acks: &Path) -> u64 {
    let mut bytes = Vec::new();
    match File::open(acks) {
        Ok(mut file) => file.read_to_end(&mut bytes).map(|_| ()).unwrap(),
        // Never got that far.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
    bytes.as_chunks().0.last().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn key(kind: &str, writer: u32, number: u64) -> Vec<u8> {
    [kind.as_bytes(), &[0], &writer.to_be_bytes(), &number.to_be_bytes()].concat()
}

fn number(value: &[u8]) -> u64 {
    u64::from_be_bytes(value.try_into().unwrap())
}

/// About 2 KB, every tenth about 20 KB, and different from every other.
fn record(writer: u32, number: u64) -> Vec<u8> {
    let length = if number.is_multiple_of(10) { 20_000 } else { 2_000 };
    let pattern = [&number.to_be_bytes()[..], &writer.to_be_bytes()].concat();
    pattern.iter().copied().cycle().take(length).collect()
}
