//! `assay inspect`, `eval` and `bench` as a person runs them: real models, hostile ones, and results that are
//! known.

mod made;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use made::{MATRICES, WIDTH, crashing, greedy, matrices};
use runner::onnx::inspect::inspect;
use serde_json::Value;
use tests::binary::assay;

fn digits(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits").join(name)
}

/// A person's machine: its own cache for results, with the ONNX Runtime that the tests' machine has.
struct Person {
    cache: tempfile::TempDir,
}

impl Person {
    fn new() -> Self {
        let cache = tempfile::tempdir().unwrap();
        let own = runner::onnx::library::cache_dir().join("onnxruntime");
        if own.is_dir() {
            std::os::unix::fs::symlink(own, cache.path().join("onnxruntime")).unwrap();
        }
        Self { cache }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(assay()).args(arguments).env("ASSAY_CACHE", self.cache.path()).output().unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {errors}"))
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], code: i32, reason: &str) {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(reason) && !errors.contains("panicked"), "{errors}");
        assert!(output.stdout.is_empty());
    }
}

fn evaluate(model: &str) -> Vec<String> {
    let (model, data) = (digits(model).display().to_string(), digits("heldout.npz").display().to_string());
    ["eval", "--model", &model, "--dataset", &data, "--task", "classification", "--json"].map(str::to_owned).to_vec()
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn a_model_is_told_and_compared() {
    let person = Person::new();
    let (head, base) = (digits("variants/smaller.onnx"), digits("model.onnx"));
    let told = person.json(&["inspect", head.to_str().unwrap(), "--against", base.to_str().unwrap(), "--json"]);
    assert_eq!(told["model"]["bytes"], fs::metadata(&head).unwrap().len());
    assert_eq!(told["inputs"][0]["name"], "X");
    assert_eq!(told["inputs"][0]["shape"][1], 64);
    assert_eq!(told["against"]["identical"], false);
    assert_ne!(told["against"]["bytes"]["head"], told["against"]["bytes"]["base"]);
    let text = person.run(&["inspect", head.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("X: float32 ["), "{text:?}");
    person.refused(&["inspect", "/nonexistent.onnx"], 2, "/nonexistent.onnx");
    person.refused(&["inspect", digits("heldout.npz").to_str().unwrap()], 2, "not an ONNX model");
}

#[test]
fn the_second_evaluation_of_the_same_is_the_first() {
    let person = Person::new();
    let command = evaluate("model.onnx");
    let first = person.json(&words(&command));
    let second = person.json(&words(&command));
    assert_eq!((&first["cached"], &second["cached"]), (&Value::Bool(false), &Value::Bool(true)));
    assert_eq!(first["metrics"], second["metrics"]);
    let forced = person.json(&[&words(&command)[..], &["--no-cache"]].concat());
    assert_eq!(forced["cached"], false);
    let other = person.json(&[&words(&command)[..], &["--threads", "2"]].concat());
    assert_eq!(other["cached"], false);
    // Outcomes were not kept, so they must be computed.
    let outcomes = person.cache.path().join("o.jsonl");
    let with = [&words(&command)[..], &["--outcomes", outcomes.to_str().unwrap()]].concat();
    assert_eq!(person.json(&with)["cached"], false);
    let lines = fs::read_to_string(&outcomes).unwrap();
    fs::remove_file(&outcomes).unwrap();
    assert_eq!(person.json(&with)["cached"], true);
    assert_eq!(fs::read_to_string(&outcomes).unwrap(), lines);
}

#[test]
fn head_and_base_are_timed_in_turns() {
    let person = Person::new();
    let (head, base) = (digits("variants/smaller.onnx"), digits("model.onnx"));
    let arguments = ["bench", "--model", head.to_str().unwrap(), "--against", base.to_str().unwrap()];
    let more = ["--queries", "500", "--blocks", "10", "--least-block", "0", "--percentile", "99", "--json"];
    let told = person.json(&[&arguments[..], &more].concat());
    assert_eq!(told["n"], 500);
    assert_eq!(told["benchmark"]["blocks"]["latency_p50"].as_array().unwrap().len(), 10);
    assert_eq!(told["beside"]["evaluation"]["benchmark"]["blocks"]["latency_p50"].as_array().unwrap().len(), 10);
    assert!(told["metrics"]["latency_p99"].as_f64().unwrap() > 0.0);
    let few = ["bench", "--model", head.to_str().unwrap(), "--queries", "300", "--percentile", "99"];
    person.refused(&few, 2, "p99 cannot be claimed from 300 queries");
}

/// `y = ConstantOfShape(shape)`: a few bytes that ask for terabytes.
#[test]
fn a_model_that_wants_all_memory_gets_what_it_is_allowed() {
    let person = Person::new();
    let path = person.cache.path().join("greedy.onnx");
    fs::write(&path, greedy()).unwrap();
    let output = person.run(&["bench", "--model", path.to_str().unwrap(), "--memory", "1G", "--queries", "24"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{errors}");
    assert!(output.status.code().is_none_or(|code| code != 1) && !errors.contains("panicked"), "{errors}");
}

/// Four sessions hold four times the weights and no more: what opening them needed besides is gone.
#[test]
fn memory_that_opening_a_model_needed_is_given_back() {
    let person = Person::new();
    let path = person.cache.path().join("matrices.onnx");
    fs::write(&path, matrices()).unwrap();
    let peak = |model: &Path| {
        let model = ["bench", "--model", model.to_str().unwrap(), "--scenario", "offline", "--sessions", "4"];
        let short = ["--batch", "1", "--queries", "4", "--blocks", "1", "--least-block", "0", "--json"];
        let told = person.json(&[&model[..], &short].concat());
        told["metrics"]["process_memory_bytes"].as_f64().unwrap()
    };
    let (large, small) = (peak(&path), peak(&digits("model.onnx")));
    let weights = (MATRICES * WIDTH * WIDTH * size_of::<f32>()) as f64;
    assert!(large - small < 4.0 * weights, "{large} and {small} bytes for weights of {weights}");
}

#[test]
fn a_crash_of_onnx_runtime_fails_its_step_and_nothing_else() {
    let person = Person::new();
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| fs::write(home.path().join(name), content).unwrap();
    fs::create_dir_all(home.path().join(".assay/workflows")).unwrap();
    write("crash.onnx", &crashing());
    write("good.onnx", &fs::read(digits("model.onnx")).unwrap());
    write(
        ".assay/workflows/models.yml",
        b"on: push
jobs:
  models:
    runs-on: self-hosted
    steps:
      - uses: assay/checkout@v1
      - { id: crash, continue-on-error: true, uses: assay/bench@v1, with: { model: crash.onnx } }
      - { id: good, uses: assay/bench@v1, with: { model: good.onnx, queries: 50 } }
      - run: echo \"crash ${{ steps.crash.outcome }}, good ${{ steps.good.outcome }}\"
",
    );
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"];
        let output = Command::new("git").current_dir(home.path()).args(identity).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "two models"]);
    let mut command = Command::new(assay());
    command.arg("run").current_dir(home.path()).env("ASSAY_CACHE", person.cache.path());
    let output = command.output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("the process crashed (SIGFPE) on this model"), "{told}");
    assert!(told.contains("crash failure, good success"), "{told}");
}

/// What `inspections.py` prints, run with the `onnx` package, which pip fetches once into the target directory.
fn what_onnx_says() -> Vec<Value> {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-onnx-1.23.2");
    if !kept.is_dir() {
        let making = kept.with_extension(std::process::id().to_string());
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"];
        let output = Command::new("python3").args(pip).arg(&making).arg("onnx==1.23.2").output();
        let output = output.expect("python3 is installed (apt-get install python3 python3-pip)");
        assert!(output.status.success(), "pip: {}", String::from_utf8_lossy(&output.stderr));
        // Another test may have been faster; then its directory stays.
        fs::rename(&making, &kept).ok();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/inspections.py");
    let models = Path::new(env!("CARGO_TARGET_TMPDIR")).join("models");
    let output = Command::new("python3").arg(script).arg(models).env("PYTHONPATH", kept).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The nine models that `onnx` ships and those in three other packages, some of them with subgraphs.
#[test]
fn real_models_are_what_the_onnx_package_says() {
    let told = what_onnx_says();
    assert!(told.len() >= 12, "{} models", told.len());
    for mut expected in told {
        let path = expected["path"].as_str().unwrap().to_owned();
        let inspection = inspect(Path::new(&path), Some(Path::new(&path))).unwrap_or_else(|e| panic!("{path}: {e}"));
        let difference = &inspection.against.as_ref().unwrap().difference;
        assert!(difference.identical && difference.signature.is_empty(), "{path}");
        assert_eq!(difference.weights.unchanged, inspection.weights, "{path}");
        let mut found = serde_json::to_value(&inspection).unwrap();
        for value in [&mut expected, &mut found] {
            let beside = ["path", "model", "external", "against"];
            value.as_object_mut().unwrap().retain(|key, _| !beside.contains(&key.as_str()));
        }
        assert_eq!(found, expected, "{path}");
    }
}

/// From 1.29 on the library does unless it is told not to, and keeps what it has to say in a database below `HOME`.
#[test]
fn nothing_is_reported_to_the_maker_of_onnx_runtime() {
    let (person, home) = (Person::new(), tempfile::tempdir().unwrap());
    let output = Command::new(assay())
        .args(evaluate("model.onnx"))
        .env("ASSAY_CACHE", person.cache.path())
        .env("HOME", home.path())
        // In a job of some service it would not.
        .env_remove("CI")
        .env_remove("XDG_CACHE_HOME")
        .env_remove("ORT_DISABLE_TELEMETRY")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}
