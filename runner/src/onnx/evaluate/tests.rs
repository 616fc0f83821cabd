//! On the real runtime, with the real models of `examples/digits`.

use std::{fs, path::Path};

use workflows::evaluation::Outcomes;

use super::*;
use crate::dataset::Values;
use crate::onnx::Provider;
use crate::onnx::runtime::runtime;

fn digits(model: &str) -> EvalSettings {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
    EvalSettings::new(directory.join(model), directory.join("heldout.npz"), TaskKind::Classification)
}

fn run(settings: &EvalSettings) -> Result<Evaluation, EvalError> {
    evaluate(runtime(&|line| eprintln!("{line}")).unwrap(), settings)
}

fn outcomes(path: &Path) -> Outcomes {
    let bytes = fs::read(path).unwrap();
    let text = if path.extension().unwrap() == "zst" { zstd::decode_all(&bytes[..]).unwrap() } else { bytes };
    Outcomes::parse(&String::from_utf8(text).unwrap()).unwrap()
}

/// Right answers of 899, as `make.py` printed them.
#[test]
fn the_example_models_get_as_many_digits_right_as_scikit_learn_said() {
    for (model, right) in [("model.onnx", 866), ("variants/regressed.onnx", 837), ("variants/smaller.onnx", 866)] {
        let evaluation = run(&digits(model)).unwrap();
        assert_eq!(evaluation.n, 899, "{model}");
        assert_eq!(evaluation.metrics["accuracy"], f64::from(right) / 899.0, "{model}");
    }
}

#[test]
fn counts_are_the_same_for_every_batch_size_and_thread_count() {
    let reference = run(&digits("model.onnx")).unwrap();
    for (batch, threads) in [(1, 1), (7, 2), (64, 1), (899, 2), (5000, 1)] {
        let evaluation = run(&EvalSettings { batch, threads, ..digits("model.onnx") }).unwrap();
        for name in ["accuracy", "f1_macro", "balanced_accuracy"] {
            assert_eq!(evaluation.metrics[name], reference.metrics[name], "{name} at batch {batch}, {threads} threads");
        }
    }
}

#[test]
fn outcomes_hold_every_example_and_agree_with_the_metrics() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["o.jsonl", "o.jsonl.zst"] {
        let path = directory.path().join(name);
        let evaluation = run(&EvalSettings { outcomes: Some(path.clone()), ..digits("model.onnx") }).unwrap();
        let blob = evaluation.outcomes.as_ref().unwrap();
        assert_eq!(blob.bytes, fs::metadata(&path).unwrap().len());
        let outcomes = outcomes(&path);
        assert_eq!(outcomes.header.model, evaluation.model.digest);
        assert_eq!(outcomes.header.classes, (0..10).map(|c| c.to_string()).collect::<Vec<_>>());
        assert_eq!(outcomes.examples.len(), 899);
        let right: f64 = outcomes.examples.iter().map(|e| e.values["accuracy"]).sum();
        assert_eq!(right / 899.0, evaluation.metrics["accuracy"]);
        let loss: f64 = outcomes.examples.iter().map(|e| e.values["log_loss"]).sum();
        assert!((loss / 899.0 - evaluation.metrics["log_loss"]).abs() < 1e-12);
    }
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "temporary files were left: {left:?}");
}

#[test]
fn the_provider_is_read_back_from_the_profile() {
    let evaluation = run(&digits("variants/smaller.onnx")).unwrap();
    let nodes: Vec<_> = evaluation.provider.nodes.keys().collect();
    assert_eq!(nodes, ["CPUExecutionProvider"]);
    assert!(evaluation.provider.nodes["CPUExecutionProvider"] >= 3, "{:?}", evaluation.provider);
    assert!(evaluation.provider.version.starts_with("1."), "{:?}", evaluation.provider);
}

#[test]
fn a_csv_gives_the_same_answer_as_the_arrays_it_was_written_from() {
    let directory = tempfile::tempdir().unwrap();
    let csv = directory.path().join("digits.csv");
    let dataset = Dataset::open(&digits("model.onnx").dataset).unwrap();
    let mut reader = dataset.reader(&["X", "target", "id"]).unwrap();
    let mut text = (0..64).map(|i| format!("p{i},")).collect::<String>() + "target,id\n";
    while let Some(values) = reader.read(100).unwrap() {
        let columns: Vec<Vec<String>> = values.into_iter().map(Values::texts).collect();
        for row in 0..columns[1].len() {
            text += &format!(
                "{},{},{}\n",
                columns[0][row * 64..(row + 1) * 64].join(","),
                columns[1][row],
                columns[2][row]
            );
        }
    }
    fs::write(&csv, text).unwrap();
    let from_arrays = run(&digits("model.onnx")).unwrap();
    let from_csv = run(&EvalSettings { dataset: csv, ..digits("model.onnx") }).unwrap();
    assert_eq!(from_csv.metrics, from_arrays.metrics);
}

#[test]
fn slices_have_metrics_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let csv = directory.path().join("d.csv");
    let mut text = (0..64).map(|i| format!("p{i},")).collect::<String>() + "target,time\n";
    for row in 0..10 {
        text += &format!("{}{row},{}\n", "0,".repeat(64), if row % 2 == 0 { "day" } else { "night" });
    }
    fs::write(&csv, text).unwrap();
    let settings = EvalSettings { dataset: csv, slices: vec!["time".to_owned()], ..digits("model.onnx") };
    let evaluation = run(&settings).unwrap();
    assert_eq!(evaluation.slices.keys().collect::<Vec<_>>(), ["time=day", "time=night"]);
    let of = |slice: &str| evaluation.slices[slice]["accuracy"] * evaluation.slices[slice]["n"];
    assert!((of("time=day") + of("time=night") - evaluation.metrics["accuracy"] * 10.0).abs() < 1e-9);
}

/// Runs with a change that cannot work, and gives the message.
#[track_caller]
fn refused(change: impl FnOnce(&mut EvalSettings, &Path)) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = digits("model.onnx");
    settings.outcomes = Some(directory.path().join("out/o.jsonl"));
    change(&mut settings, directory.path());
    let error = run(&settings).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    assert!(!directory.path().join("out/o.jsonl").exists(), "half-written outcomes were left");
    let message = error.to_string();
    assert!(!message.contains('\n') && message.len() < 600, "{message}");
    message
}

#[test]
fn a_model_that_is_none_is_named_and_refused() {
    let good = fs::read(digits("model.onnx").model).unwrap();
    let message = refused(|settings, _| settings.model = "/nonexistent/m.onnx".into());
    assert!(message.contains("/nonexistent/m.onnx") && message.contains("No such file"), "{message}");
    for (name, bytes) in [
        ("empty.onnx", &[][..]),
        ("cut.onnx", &good[..good.len() / 2]),
        ("text.onnx", b"this is not a model, it is a sentence about one"),
        ("html.onnx", b"<!DOCTYPE html><html></html>"),
    ] {
        let message = refused(|settings, directory| {
            settings.model = directory.join(name);
            fs::write(&settings.model, bytes).unwrap();
        });
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn a_data_set_of_the_wrong_shape_is_told_against_the_models_signature() {
    let header = "a,b,target\n";
    let message = refused(|settings, directory| {
        settings.dataset = directory.join("narrow.csv");
        fs::write(&settings.dataset, format!("{header}1,2,3\n")).unwrap();
    });
    assert!(message.contains("X: float32") && message.contains("64]") && message.contains("2 columns"), "{message}");
    let message = refused(|settings, directory| {
        settings.dataset = directory.join("ragged.csv");
        fs::write(&settings.dataset, format!("{header}1,2,3\n1,2\n")).unwrap();
        settings.inputs.insert("X".to_owned(), vec!["a".to_owned(); 64]);
    });
    assert!(message.contains("ragged.csv: row 2: it has 2 fields, but the header has 3"), "{message}");
    let message = refused(|settings, directory| {
        settings.dataset = directory.join("words.csv");
        fs::write(&settings.dataset, format!("{header}1,2,3\n1,many,3\n")).unwrap();
        settings.inputs.insert("X".to_owned(), [vec!["a".to_owned(); 63], vec!["b".to_owned()]].concat());
    });
    assert!(message.contains("row 2: column `b`: `many` is not a float32"), "{message}");
    let message = refused(|settings, _| settings.target = vec!["label".to_owned()]);
    assert!(message.contains("no column `label`") && message.contains("`target`"), "{message}");
    let message = refused(|settings, directory| {
        settings.dataset = directory.join("d.parquett");
        fs::write(&settings.dataset, "x").unwrap();
    });
    assert!(message.contains("`.parquett` is not a format"), "{message}");
}

#[test]
fn labels_ids_and_metrics_that_make_no_sense_are_refused() {
    let table = |rows: &[(&str, &str)]| {
        let mut text = (0..64).map(|i| format!("p{i},")).collect::<String>() + "target,id\n";
        for (target, id) in rows {
            text += &format!("{}{target},{id}\n", "0,".repeat(64));
        }
        text
    };
    let with = |rows: &[(&str, &str)]| {
        let text = table(rows);
        refused(|settings, directory| {
            settings.dataset = directory.join("d.csv");
            fs::write(&settings.dataset, text).unwrap();
        })
    };
    let message = with(&[("3", "a"), ("11", "b")]);
    assert!(message.contains("scores 10 classes") && message.contains("`classes`"), "{message}");
    let message = with(&[("3", "a"), ("4", "a")]);
    assert!(message.contains("row 2: column `id`: the id `a` was there before"), "{message}");
    let message = with(&[("3", "")]);
    assert!(message.contains("row 1: column `id`: the id is missing"), "{message}");
    let message = with(&[]);
    assert!(message.contains("it has no rows"), "{message}");
    let message = refused(|settings, _| settings.metrics = Some(vec!["r2".to_owned()]));
    assert!(message.contains("`r2` is not a metric of classification"), "{message}");
    let message = refused(|settings, _| settings.metrics = Some(vec!["f1".to_owned()]));
    assert!(message.contains("`f1` is for two classes"), "{message}");
}

#[test]
fn cuda_is_never_replaced_by_the_cpu() {
    let runtime = runtime(&|_| ()).unwrap();
    let settings = EvalSettings { provider: Provider::Cuda, ..digits("variants/smaller.onnx") };
    if crate::onnx::gpu_name(0).is_some() && runtime.providers().iter().any(|name| name == "CUDAExecutionProvider") {
        let evaluation = evaluate(runtime, &settings).unwrap();
        assert_eq!(evaluation.provider.nodes.keys().collect::<Vec<_>>(), ["CUDAExecutionProvider"]);
        return;
    }
    eprintln!("the run on CUDA is skipped for lack of a device; the refusal is tested instead");
    let error = evaluate(runtime, &settings).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("provider cuda was demanded"), "{error}");
    assert!(error.to_string().contains("assay doctor --fix --cuda"), "{error}");
}
