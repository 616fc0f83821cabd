//! `assay doctor`, the real binary: what it finds, and that what it tells to do mends what it found missing.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tests::{binary::assay, process::ServerProcess};

/// Doctor on a machine whose cache is this directory.
fn doctor(cache: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(assay());
    command.arg("doctor").args(arguments).arg("--data").arg(cache.join("data")).env("ASSAY_CACHE", cache);
    command.args(["--listen", "127.0.0.1:0"]).env_remove("ORT_DYLIB_PATH");
    command
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {document:#}"))
}

/// Where an installation puts the library.
fn cached(cache: &Path) -> PathBuf {
    let version = runner::onnx::library::VERSION;
    let directory = format!("onnxruntime/{version}-cpu-{}", std::env::consts::ARCH);
    cache.join(directory).join(format!("libonnxruntime.so.{version}"))
}

#[test]
fn a_library_that_does_not_load_is_said_and_replaced() {
    let cache = tempfile::tempdir().unwrap();
    let library = cached(cache.path());
    std::fs::create_dir_all(library.parent().unwrap()).unwrap();
    std::fs::write(&library, "cut off").unwrap();

    let output = doctor(cache.path(), &["--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let before = document(&output);
    assert_eq!(before["ok"], false);
    let finding = check(&before, "ONNX Runtime");
    assert!(finding["found"].as_str().unwrap().contains("cannot be loaded"), "{finding}");
    assert_eq!((&finding["status"], &finding["mend"]), (&"missing".into(), &"assay doctor --fix".into()));

    // What it told to do.
    let output = doctor(cache.path(), &["--fix", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = doctor(cache.path(), &["--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let after = document(&output);
    assert_eq!(after["onnxruntime"]["path"], library.to_str().unwrap());
    assert_eq!(after["onnxruntime"]["source"], "from Assay's cache");
    let providers = after["onnxruntime"]["providers"].as_array().unwrap();
    assert!(providers.contains(&"CPUExecutionProvider".into()), "{after:#}");

    let output = doctor(cache.path(), &[]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let version = runner::onnx::library::VERSION;
    assert!(text.contains(&format!("{version} from Assay's cache (CPUExecutionProvider)")), "{text}");
    assert!(text.trim_end().ends_with("Assay can work here."), "{text}");
}

#[test]
fn a_bare_machine_hears_what_to_install() {
    let cache = tempfile::tempdir().unwrap();
    // Neither git nor bubblewrap nor Python is on this path.
    let mut command = doctor(cache.path(), &["--json"]);
    let output = command.env("PATH", cache.path()).env("ASSAY_PYTHON", "/nonexistent/python3").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found = document(&output);
    for name in ["ONNX Runtime", "git", "Python"] {
        assert_eq!(check(&found, name)["status"], "missing", "{found:#}");
        assert!(check(&found, name)["mend"].is_string(), "{found:#}");
    }
    let sandbox = check(&found, "Sandbox");
    assert_eq!(sandbox["status"], "limited");
    assert!(sandbox["mend"].as_str().unwrap().contains("bubblewrap"), "{sandbox}");
    assert_eq!(check(&found, "Data")["status"], "ok");

    let output = doctor(cache.path(), &["--json"]).env("ORT_DYLIB_PATH", "/nonexistent/lib.so").output().unwrap();
    assert_eq!(check(&document(&output), "ONNX Runtime")["mend"], "unset ORT_DYLIB_PATH");
}

#[test]
fn a_server_at_work_is_recognised() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let server = ServerProcess::start(&data, &["--no-runner"]);
    let address = server.url().trim_start_matches("http://");
    let mut command = Command::new(assay());
    command.args(["doctor", "--json", "--listen", address, "--data"]).arg(&data);
    let found = document(&command.output().unwrap());
    let holder = format!("in use by process {}", server.id());
    assert!(check(&found, "Data")["found"].as_str().unwrap().contains(&holder), "{found:#}");
    assert!(check(&found, "Port")["found"].as_str().unwrap().contains("a server runs"), "{found:#}");

    command = Command::new(assay());
    command.args(["doctor", "--json", "--listen", address, "--data"]).arg(home.path().join("other"));
    let found = document(&command.output().unwrap());
    assert_eq!(check(&found, "Port")["status"], "limited", "{found:#}");
    assert!(check(&found, "Port")["mend"].as_str().unwrap().contains("--listen 127.0.0.1:PORT"), "{found:#}");
}
