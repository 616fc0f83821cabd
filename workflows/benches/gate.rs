//! The gate's speed: tests over a million pairs, the bootstrap, a whole judgement, the largest report.
//!
//! `tests/bench/bootstrap.py` sets the bootstrap beside scipy's on the same data.

use std::{collections::BTreeMap, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use workflows::{
    gate::{
        Answer, Defaults, Discordant, Example, Flip, Policy, RuleVerdict, Side, Verdict, judge, recomputed_metrics,
        stats::{mcnemar, paired_t, random::Random},
    },
    report::{self, CommitRef, Context},
};

const PAIRS: usize = 1_000_000;

fn tests_over_pairs(criterion: &mut Criterion) {
    let mut random = Random::new(1);
    let right: Vec<(f64, f64)> = (0..PAIRS)
        .map(|_| {
            let base = random.uniform() < 0.9;
            let head = if random.uniform() < 0.1 { random.uniform() < 0.85 } else { base };
            (f64::from(head), f64::from(base))
        })
        .collect();
    let scores: Vec<(f64, f64)> = (0..PAIRS)
        .map(|_| {
            let base = random.uniform();
            (base + 0.1 * random.normal(), base)
        })
        .collect();
    let mut group = criterion.benchmark_group("1,000,000 pairs");
    group.bench_function("McNemar, mid-p", |bencher| {
        bencher.iter(|| {
            let (mut worse, mut better) = (0, 0);
            for (head, base) in black_box(&right) {
                worse += u64::from(head < base);
                better += u64::from(head > base);
            }
            mcnemar::mid_p(worse, better)
        });
    });
    group.bench_function("paired t", |bencher| {
        bencher.iter(|| {
            let differences: Vec<f64> = black_box(&scores).iter().map(|(head, base)| base - head).collect();
            let mean = paired_t::independent(&differences).expect("there are two and more");
            (mean.p_values(0.0), mean.interval(0.05))
        });
    });
    group.finish();
}

/// A classifier of ten classes that is right nine times in ten.
fn classifier(n: usize, seed: u64, other: Option<&Side>) -> Side {
    let mut random = Random::new(seed);
    let examples: Vec<Example> = (0..n)
        .map(|i| {
            let target = i % 10;
            let prediction = match other {
                Some(other) if random.uniform() < 0.92 => other.examples[i].prediction.clone(),
                _ if random.uniform() < 0.9 => target.to_string(),
                _ => ((random.uniform() * 10.0) as usize).to_string(),
            };
            let right = prediction == target.to_string();
            Example {
                id: i.to_string(),
                target: target.to_string(),
                prediction,
                values: BTreeMap::from([("accuracy".to_owned(), f64::from(right))]),
                ..Example::default()
            }
        })
        .collect();
    let mut metrics: BTreeMap<String, f64> = recomputed_metrics(&examples).into_iter().collect();
    let right: f64 = examples.iter().map(|example| example.values["accuracy"]).sum();
    metrics.insert("accuracy".to_owned(), right / n as f64);
    Side { name: "eval".to_owned(), metrics, examples, ..Side::default() }
}

fn policy(metric: &str, allowed: &str) -> Policy {
    let fields = [("max-drop".to_owned(), allowed.to_owned())];
    let rule = Policy::rule(metric, &fields).expect("the rule is valid");
    Policy { rules: vec![rule], defaults: Defaults::default() }
}

fn judgements(criterion: &mut Criterion) {
    let base = [classifier(10_000, 1, None)];
    let head = [classifier(10_000, 2, Some(&base[0]))];
    let mut group = criterion.benchmark_group("judge 10,000 examples of 10 classes");
    group.sample_size(20);
    for (name, metric) in [
        ("f1_macro, 10,000 bootstrap resamples", "f1_macro"),
        ("matthews_corrcoef, the same", "matthews_corrcoef"),
        ("accuracy", "accuracy"),
    ] {
        let policy = policy(metric, "0.5pp");
        group.bench_function(name, |bencher| bencher.iter(|| judge(&policy, black_box(&head), Some(&base))));
    }
    group.finish();
    let base = [classifier(1_000_000, 1, None)];
    let head = [classifier(1_000_000, 2, Some(&base[0]))];
    let policy = policy("accuracy", "0");
    let mut group = criterion.benchmark_group("judge 1,000,000 examples");
    group.sample_size(10);
    group.bench_function("accuracy, ids paired", |bencher| {
        bencher.iter(|| judge(&policy, black_box(&head), Some(&base)));
    });
    group.finish();
}

fn reports(criterion: &mut Criterion) {
    let answers = [Answer::Fail, Answer::Inconclusive, Answer::Pass, Answer::NoBaseline];
    let rules = (0..200)
        .map(|i| RuleVerdict {
            metric: format!("accuracy[slice=s{i}]"),
            evaluation: "eval".to_owned(),
            allowed: "max-drop: 0.5pp".to_owned(),
            head: Some(0.9),
            base: Some(0.95),
            change: Some(-0.05),
            interval: Some((-0.061, -0.039)),
            test: "tango-exact".to_owned(),
            p: Some(0.0001),
            p_adjusted: Some(0.0002),
            n: 1000,
            discordant: Some(Discordant { worse: 60, better: 10 }),
            detectable: Some(0.012),
            needed: Some(4000),
            line: 12,
            verdict: answers[i % 4],
            reason: "accuracy fell from 0.9500 to 0.9000, by 5.00 pp; with 95 % confidence it is more".to_owned(),
        })
        .collect();
    let flips = (0..100_000)
        .map(|i| Flip {
            evaluation: "eval".to_owned(),
            id: format!("images/test/{i:06}.png"),
            target: "cat".to_owned(),
            base: "cat".to_owned(),
            head: "dog".to_owned(),
            worse: i % 3 > 0,
        })
        .collect();
    let verdict = Verdict {
        verdict: Answer::Fail,
        rules,
        flips,
        flipped: Discordant { worse: 66_667, better: 33_333 },
        nondeterministic: Vec::new(),
    };
    let commit = |name: &str| CommitRef { name: name.to_owned(), url: Some(format!("http://localhost/{name}")) };
    let context = Context { head: commit("bbbbbbb"), base: Some(commit("aaaaaaa")), ..Context::default() };
    let mut group = criterion.benchmark_group("report, 200 rules and 100,000 flips");
    group.bench_function("check run", |bencher| bencher.iter(|| report::check_run(black_box(&verdict), &context)));
    group.bench_function("terminal", |bencher| {
        bencher.iter(|| report::terminal(black_box(&verdict), &context, true, 120));
    });
    group.finish();
}

criterion_group!(benches, tests_over_pairs, judgements, reports);
criterion_main!(benches);
