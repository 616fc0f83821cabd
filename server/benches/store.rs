//! How fast the store's engine commits and scans, in a temporary directory: set `TMPDIR` to measure another disk.

use std::{hint::black_box, ops::Bound, time::Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use server::store::engine::{Commit, Committed, Direction, Engine};
use tokio::{runtime::Runtime, task::JoinSet};

fn commit_of(writer: u64, number: u64) -> Commit {
    let key = [&b"run/"[..], &writer.to_be_bytes(), &number.to_be_bytes()].concat();
    Commit { puts: vec![(key, vec![b'x'; 2048])], ..Commit::default() }
}

/// Commits of one record of 2 KB each, durable one by one, from so many tasks at once.
fn commits(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = c.benchmark_group("commit 2 KB");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for committers in [1u64, 8, 50] {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path()).unwrap();
        group.bench_function(BenchmarkId::from_parameter(committers), |bencher| {
            bencher.to_async(&runtime).iter_custom(|commits| {
                let engine = engine.clone();
                async move {
                    let started = Instant::now();
                    let mut tasks = JoinSet::new();
                    for writer in 0..committers {
                        let engine = engine.clone();
                        let share = commits / committers + u64::from(writer < commits % committers);
                        tasks.spawn(async move {
                            for number in 0..share {
                                assert_eq!(engine.commit(commit_of(writer, number)).await.unwrap(), Committed::Done);
                            }
                        });
                    }
                    tasks.join_all().await;
                    started.elapsed()
                }
            });
        });
        runtime.block_on(engine.close());
    }
    group.finish();
}

/// The newest 50 of 100,000 records of 300 bytes: a page of runs.
fn scans(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    runtime.block_on(async {
        for thousand in 0..1000u64 {
            let record = |number: u64| (number.to_be_bytes().to_vec(), vec![b'x'; 300]);
            let puts = (0..100).map(|number| record(thousand * 100 + number)).collect();
            let commit = Commit { puts, ..Commit::default() };
            assert_eq!(engine.commit(commit).await.unwrap(), Committed::Done);
        }
    });
    c.bench_function("newest 50 of 100,000", |bencher| {
        bencher.to_async(&runtime).iter(async || {
            let range = (Bound::Unbounded, Bound::Unbounded);
            black_box(engine.scan(range, Direction::Reverse, 50).await.unwrap())
        });
    });
    runtime.block_on(engine.close());
}

criterion_group!(benches, commits, scans);
criterion_main!(benches);
