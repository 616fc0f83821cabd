//! Real models on real data, in every format and for every task, against what scikit-learn says of them: `models.py`
//! makes them.

use std::{collections::BTreeMap, path::PathBuf, sync::OnceLock};

use runner::onnx::{EvalSettings, evaluate, runtime::runtime};
use serde::Deserialize;
use workflows::evaluation::Evaluation;

use crate::python;

#[derive(Deserialize)]
struct Entry {
    name: String,
    model: PathBuf,
    dataset: PathBuf,
    task: String,
    n: u64,
    expected: BTreeMap<String, f64>,
    slices: BTreeMap<String, BTreeMap<String, f64>>,
    /// Relative.
    tolerance: f64,
    options: Options,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Options {
    target: Option<Vec<String>>,
    metrics: Option<Vec<String>>,
    inputs: BTreeMap<String, Vec<String>>,
    pair: BTreeMap<String, Vec<String>>,
    group: Option<String>,
    told_apart: Vec<String>,
    tokenizer: Option<PathBuf>,
}

/// The models and data sets, made once for all tests.
fn made() -> &'static [Entry] {
    static MADE: OnceLock<(tempfile::TempDir, Vec<Entry>)> = OnceLock::new();
    let (_, entries) = MADE.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let printed = python::script("models.py", &[directory.path()]);
        let entries = serde_json::from_slice(&printed).unwrap();
        (directory, entries)
    });
    entries
}

impl Entry {
    fn settings(&self) -> EvalSettings {
        let defaults = EvalSettings::new(&self.model, &self.dataset, self.task.parse().unwrap());
        let options = &self.options;
        // What is compared is asked for, unless it goes without saying.
        let metrics = options.metrics.clone().unwrap_or_else(|| self.expected.keys().cloned().collect());
        EvalSettings {
            metrics: Some(metrics),
            target: options.target.clone().unwrap_or(defaults.target.clone()),
            inputs: options.inputs.clone(),
            pair: options.pair.clone(),
            group: options.group.clone(),
            slices: options.told_apart.clone(),
            tokenizer: options.tokenizer.clone(),
            ..defaults
        }
    }

    #[track_caller]
    fn run(&self, settings: &EvalSettings) -> Evaluation {
        let runtime = runtime(&|line| eprintln!("{line}")).unwrap();
        evaluate(runtime, settings).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }
}

fn compare(
    what: &str,
    ours: &BTreeMap<String, f64>,
    theirs: &BTreeMap<String, f64>,
    tolerance: f64,
    differ: &mut Vec<String>,
) {
    for (metric, theirs) in theirs {
        let close = |ours: f64| (ours - theirs).abs() <= tolerance * ours.abs().max(theirs.abs());
        if !ours.get(metric).is_some_and(|ours| close(*ours)) {
            differ.push(format!("{what}: {metric}: ours {:?}, scikit-learn's {theirs}", ours.get(metric)));
        }
    }
}

#[test]
fn every_model_is_as_good_as_scikit_learn_says() {
    let mut differ = Vec::new();
    for entry in made() {
        let evaluation = entry.run(&entry.settings());
        assert_eq!(evaluation.n, entry.n, "{}", entry.name);
        compare(&entry.name, &evaluation.metrics, &entry.expected, entry.tolerance, &mut differ);
        for (slice, expected) in &entry.slices {
            let none = BTreeMap::new();
            let ours = evaluation.slices.get(slice).unwrap_or(&none);
            compare(&format!("{}, {slice}", entry.name), ours, expected, entry.tolerance, &mut differ);
        }
        assert_eq!(evaluation.slices.len(), entry.slices.len(), "{}", entry.name);
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

/// Right answers that were once measured, and must not move with a version of anything.
#[test]
fn counts_are_those_that_were_measured() {
    for (name, right, of) in [
        ("digits_good", 866, 899),
        ("digits_regressed", 494, 899),
        ("digits_mlp", 866, 899),
        ("digits_rf", 858, 899),
        ("digits_rf_deep", 857, 899),
        ("mnist_mlp", 1857, 2000),
        ("mnist_mlp_short", 1240, 2000),
        ("breast_cancer_good", 279, 285),
        ("breast_cancer_regressed", 247, 285),
        ("wine_good", 87, 89),
        ("wine_regressed", 65, 89),
        ("iris_good", 71, 75),
        ("iris_regressed", 71, 75),
    ] {
        let entry = made().iter().find(|entry| entry.name == name).unwrap();
        let evaluation = entry.run(&entry.settings());
        assert_eq!(evaluation.metrics["accuracy"], f64::from(right) / f64::from(of), "{name}");
    }
    for (name, r2) in [("ridge", 0.4537067), ("ridge_regressed", 0.0273418), ("boosting", 0.3194579)] {
        let entry = made().iter().find(|entry| entry.name == name).unwrap();
        let evaluation = entry.run(&entry.settings());
        assert!((evaluation.metrics["r2"] - r2).abs() < 1e-6, "{name}: {}", evaluation.metrics["r2"]);
    }
}

#[test]
fn counts_do_not_depend_on_batches_and_threads() {
    let whole = |entry: &&Entry| entry.task.ends_with("classification") || entry.task == "multilabel";
    for entry in made().iter().filter(whole).filter(|entry| entry.name != "float16 in and out") {
        // With several threads ONNX Runtime adds up a forest's trees in another order, in single precision. Where two
        // classes are equally likely, 0.35 for two examples of this forest, the other one may win by the last bit.
        // Several sessions of one thread each are as fast and change nothing.
        let threaded = if entry.name == "digits_rf_deep" { 1 } else { 2 };
        for (batch, threads, sessions) in
            [(1, 1, 2), (7, threaded, 1), (64, 1, 3), (5000, threaded, 1), (64, threaded, 2)]
        {
            let evaluation = entry.run(&EvalSettings { batch, threads, sessions, ..entry.settings() });
            let name = format!("{} at batch {batch}, {threads} threads, {sessions} sessions", entry.name);
            let ours = (evaluation.metrics["accuracy"] * entry.n as f64).round();
            assert_eq!(ours, (entry.expected["accuracy"] * entry.n as f64).round(), "{name}");
        }
    }
}

#[test]
fn outcomes_are_written_for_every_task() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["digits_good", "multilabel", "ridge", "texts", "retrieval", "similarity", "ranking"] {
        let entry = made().iter().find(|entry| entry.name == name).unwrap();
        let path = directory.path().join(format!("{name}.jsonl"));
        let evaluation = entry.run(&EvalSettings { outcomes: Some(path.clone()), ..entry.settings() });
        let outcomes = workflows::evaluation::Outcomes::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        let examples = if name == "ranking" { 40 } else { entry.n as usize };
        assert_eq!(outcomes.examples.len(), examples, "{name}");
        // Metrics that are means over examples are the means of what the outcomes say.
        for (metric, value) in &evaluation.metrics {
            let values: Vec<f64> = outcomes.examples.iter().filter_map(|e| e.values.get(metric).copied()).collect();
            if !values.is_empty() {
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                assert!((mean - value).abs() < 1e-9, "{name}: {metric}: outcomes {mean}, metric {value}");
            }
        }
    }
}

#[test]
fn a_confusion_matrix_adds_up() {
    let entry = made().iter().find(|entry| entry.name == "digits_good").unwrap();
    let evaluation = entry.run(&entry.settings());
    let all: u64 = evaluation.confusion.values().flat_map(BTreeMap::values).sum();
    let right: u64 = evaluation.confusion.iter().filter_map(|(target, row)| row.get(target)).sum();
    assert_eq!((all, right), (899, 866));
}
