//! What is wrong with a model or a data set: one clear error that names file, row and column, exit code 2, and nothing
//! half-written. `refusals.py` makes the files.

use std::{
    fs::{self, OpenOptions},
    io::{Seek, Write},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use runner::{
    dataset::Dataset,
    onnx::{EvalError, EvalSettings, TaskKind, evaluate, runtime::runtime},
};

use crate::python;

fn made() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    python::script("refusals.py", &[directory.path()]);
    directory
}

fn refusal(settings: &EvalSettings) -> Option<EvalError> {
    evaluate(runtime(&|line| eprintln!("{line}")).unwrap(), settings).err()
}

/// Model, data set, what else the settings say, and what the message has in it.
type Case = (&'static str, &'static str, fn(&mut EvalSettings), String);

#[test]
fn what_is_wrong_is_said_with_file_row_and_column() {
    let directory = made();
    let at = directory.path();
    let file = |name: &str| at.join(name).display().to_string();
    let none: fn(&mut EvalSettings) = |_| ();
    let cases: [Case; 26] = [
        ("missing.onnx", "good.npz", none, format!("model {}: No such file or directory", file("missing.onnx"))),
        ("cut.onnx", "good.npz", none, format!("model {}: ", file("cut.onnx"))),
        ("good.npz", "good.npz", none, format!("model {}: ", file("good.npz"))),
        ("future.onnx", "good.npz", none, format!("model {}: ", file("future.onnx"))),
        ("unknown.onnx", "good.npz", none, "Gemmm".to_owned()),
        (
            "good.onnx",
            "deep.npz",
            none,
            format!("the model takes `X: float32 [N, 4]`, but {} gives `X`: float32 [N, 2, 2]", file("deep.npz")),
        ),
        (
            "good.onnx",
            "wide.npz",
            none,
            format!("the model takes `X: float32 [N, 4]`, but {} gives `X`: float32 [N, 5]", file("wide.npz")),
        ),
        (
            "good.onnx",
            "texts.npz",
            none,
            format!("data set {}: row 1: column `X`: `a` is not a float32", file("texts.npz")),
        ),
        (
            "whole.onnx",
            "halves.npz",
            none,
            format!("data set {}: row 1: column `X`: 0.5 is not a int64", file("halves.npz")),
        ),
        (
            "good.onnx",
            "classes.npz",
            none,
            "the model scores 3 classes, but `target` has 4 (`0`, `1`, `2` and `7`)".to_owned(),
        ),
        (
            "good.onnx",
            "negative.npz",
            none,
            "the model scores 3 classes, but `target` has 4 (`-1`, `0`, `1` and `2`)".to_owned(),
        ),
        ("nan.onnx", "zeros.npz", none, "the model's answer to row 5 is NaN, not a finite number".to_owned()),
        (
            "good.onnx",
            "twice.npz",
            none,
            format!("data set {}: row 4: column `id`: the id `b` was there before", file("twice.npz")),
        ),
        ("good.onnx", "good.npz", |s| s.id = Some("name".to_owned()), "there is no column `name`".to_owned()),
        (
            "good.onnx",
            "shorter.npz",
            none,
            format!("data set {}: column `target`: it has 5 rows, but `X` has 6", file("shorter.npz")),
        ),
        ("good.onnx", "broken.jsonl", none, format!("data set {}: row 4: line 4 is not JSON", file("broken.jsonl"))),
        (
            "good.onnx",
            "lists.jsonl",
            none,
            format!("data set {}: row 3: column `X`: it holds 3 values, but in the first row 4", file("lists.jsonl")),
        ),
        (
            "good.onnx",
            "lacking.jsonl",
            none,
            format!("data set {}: row 3: column `target`: it is missing", file("lacking.jsonl")),
        ),
        (
            "good.onnx",
            "ragged.csv",
            none,
            format!("data set {}: row 3: it has 4 fields, but the header has 5", file("ragged.csv")),
        ),
        (
            "good.onnx",
            "cut.parquet",
            none,
            format!("data set {}: it is not a Parquet file, or it is cut off", file("cut.parquet")),
        ),
        (
            "good.onnx",
            "text.parquet",
            none,
            format!("data set {}: it is not a Parquet file, or it is cut off", file("text.parquet")),
        ),
        (
            "good.onnx",
            "null.parquet",
            none,
            format!("data set {}: row 3: column `target`: it is null or empty", file("null.parquet")),
        ),
        (
            "image.onnx",
            "pictures.csv",
            none,
            format!(
                "data set {}: row 1: column `image`: b.jpg: it is not an image that Assay reads (PNG, JPEG)",
                file("pictures.csv")
            ),
        ),
        (
            "image.onnx",
            "damaged.csv",
            none,
            format!("data set {}: row 1: column `image`: a.png: it cannot be decoded", file("damaged.csv")),
        ),
        ("image.onnx", "nowhere.csv", none, "c.png: No such file or directory".to_owned()),
        (
            "good.onnx",
            "good.npz",
            |s| s.metrics = Some(vec!["rmse".to_owned()]),
            "`rmse` is not a metric of classification".to_owned(),
        ),
    ];
    let outcomes = at.join("outcomes");
    let mut wrong = Vec::new();
    for (model, dataset, change, expected) in cases {
        let mut settings = EvalSettings::new(at.join(model), at.join(dataset), TaskKind::Classification);
        settings.outcomes = Some(outcomes.join("o.jsonl"));
        change(&mut settings);
        let Some(error) = refusal(&settings) else {
            wrong.push(format!("{model} on {dataset}: taken"));
            continue;
        };
        let message = error.to_string();
        if error.exit_code() != 2 || !message.contains(&expected) || message.contains('\n') {
            wrong.push(format!("{model} on {dataset}: exit {}: {message}\n    expected {expected}", error.exit_code()));
        }
        let left = fs::read_dir(&outcomes).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{model} on {dataset}: half-written outcomes were left");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_data_set_that_changes_while_it_is_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    python::script("refusals.py", &[directory.path()]);
    let path = directory.path().join("changing.jsonl");
    let line = "{\"X\": [1, 2, 3, 4], \"target\": 0}\n";
    fs::write(&path, line.repeat(20_000)).unwrap();
    let settings = EvalSettings::new(directory.path().join("good.onnx"), path.clone(), TaskKind::Classification);
    let over = AtomicBool::new(false);
    let message = thread::scope(|scope| {
        scope.spawn(|| change(&path, line, &over));
        let began = Instant::now();
        // The writer may not have had its turn within an evaluation; it has within some.
        let refused = std::iter::repeat_with(|| refusal(&settings))
            .take_while(|_| began.elapsed() < Duration::from_secs(60))
            .find_map(|refused| refused);
        over.store(true, Ordering::Relaxed);
        refused.expect("a file that changed was taken for a minute").to_string()
    });
    assert!(message.contains("changing.jsonl: the file changed while it was read"), "{message}");
}

/// A file that grows faster than it is read would have no end.
#[test]
fn a_data_set_that_grows_is_read_as_far_as_it_went_when_opened_and_then_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (name, start, row) in [("log.jsonl", "", "{\"X\": 1}\n"), ("log.csv", "X\n", "1\n")] {
        let path = directory.path().join(name);
        fs::write(&path, start.to_owned() + &row.repeat(3)).unwrap();
        let dataset = Dataset::open(&path).unwrap();
        let before = dataset.digest().unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(row.repeat(5).as_bytes()).unwrap();
        let mut reader = dataset.reader(&["X"]).unwrap();
        let rows: usize = std::iter::from_fn(|| reader.read(2).unwrap()).map(|columns| columns[0].len()).sum();
        assert_eq!(rows, 3, "{name}");
        let message = dataset.check_unchanged().unwrap_err().to_string();
        assert!(message.contains("the file changed while it was read"), "{message}");
        assert_ne!(dataset.digest().unwrap(), before, "{name}");
    }
}

/// Writes the first line again and again, each time with another number: the file keeps its length, so
/// that whoever reads it comes to its end.
fn change(path: &Path, line: &str, over: &AtomicBool) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    let other = line.replace('1', "5");
    for line in [other.as_str(), line].into_iter().cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        file.rewind().unwrap();
        file.write_all(line.as_bytes()).unwrap();
        thread::yield_now();
    }
}
