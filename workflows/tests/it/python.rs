//! Python packages for tests, fetched once into the target directory by `pip`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Runs a script with the packages; its standard output. `Err` says what is missing on this machine.
pub(crate) fn run(packages: &[&str], script: &Path, input: &str) -> Result<String, String> {
    let path = installed(packages)?;
    let mut child = Command::new("python3")
        .arg(script)
        .env("PYTHONPATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("python3 does not start: {e}"))?;
    // The script reads all of its input before it writes.
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("the script reads its input");
    let output = child.wait_with_output().expect("the script ends");
    assert!(output.status.success(), "{} failed", script.display());
    Ok(String::from_utf8(output.stdout).expect("JSON"))
}

fn installed(packages: &[&str]) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = root.join(format!("python-{}", packages.join("-").replace("==", "-")));
    if path.exists() {
        return Ok(path);
    }
    let unfinished = root.join(format!("python-unfinished-{}", std::process::id()));
    let pip = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
        .arg(&unfinished)
        .args(packages)
        .output()
        .map_err(|e| format!("python3 does not start: {e} (Debian, Ubuntu: `apt-get install python3 python3-pip`)"))?;
    let error = String::from_utf8_lossy(&pip.stderr).into_owned();
    if error.contains("No module named pip") {
        return Err(format!("pip is missing: {error} (Debian, Ubuntu: `apt-get install python3-pip`)"));
    }
    assert!(pip.status.success(), "pip install {packages:?} failed: {error}");
    // Another test may have been faster; then its directory stays.
    let _ = std::fs::rename(&unfinished, &path);
    Ok(path)
}
