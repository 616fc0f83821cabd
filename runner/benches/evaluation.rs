//! Metrics alone, of predictions that are in memory. Beside Python, and as whole processes, they are measured by
//! `tests/bench/evaluation.py`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use runner::metrics::classification::{Classified, Scores};

const CLASSES: u32 = 1000;
const PREDICTIONS: usize = 1_000_000;
const SCORES: usize = 10_000_000;

/// From predictions to the numbers: as an evaluation does it, gathered one by one.
fn decisions(criterion: &mut Criterion) {
    let mut random = StdRng::seed_from_u64(1);
    let pairs: Vec<(u32, u32)> = (0..PREDICTIONS)
        .map(|_| {
            let target = random.random_range(0..CLASSES);
            (target, if random.random_bool(0.7) { target } else { random.random_range(0..CLASSES) })
        })
        .collect();
    let names = ["accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "matthews_corrcoef", "cohen_kappa"];
    criterion.bench_function("1,000,000 predictions over 1,000 classes, six metrics", |bencher| {
        bencher.iter(|| {
            let mut gathered = Classified::new(CLASSES as usize, names);
            for (target, prediction) in black_box(&pairs) {
                gathered.add(*target, *prediction, None, 1.0);
            }
            names.map(|name| gathered.metric(name).expect("it makes sense of classes").expect("it is defined"))
        });
    });
}

fn ranks(criterion: &mut Criterion) {
    let mut random = StdRng::seed_from_u64(2);
    let rows: Vec<(u32, [f64; 2])> = (0..SCORES)
        .map(|_| {
            let target = u32::from(random.random_bool(0.5));
            let score = f64::from((random.random::<f32>() + 0.2 * target as f32) / 1.2);
            (target, [1.0 - score, score])
        })
        .collect();
    let gather = || {
        let mut gathered = Classified::new(2, ["roc_auc"]);
        for (target, row) in &rows {
            gathered.add(*target, (row[1] > 0.5).into(), Some(Scores { of_classes: row, epsilon: f64::EPSILON }), 1.0);
        }
        gathered
    };
    let mut group = criterion.benchmark_group("ROC AUC of 10,000,000 scores");
    group.sample_size(10);
    group.bench_function("gathered", |bencher| bencher.iter_with_large_drop(gather));
    group.bench_function("computed", |bencher| {
        bencher.iter_batched_ref(
            gather,
            |gathered| gathered.metric("roc_auc").expect("of two classes"),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, decisions, ranks);
criterion_main!(benches);
