//! The Python on the path, as a place to look and as a way to the package index.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A Python interpreter that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    pub command: PathBuf,
    /// `3.11.7`.
    pub version: String,
    /// Version of its pip; none where `python3 -m pip` does not run.
    pub pip: Option<String>,
}

/// Why Python could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    #[error("`{command}` is not installed (Debian, Ubuntu: `apt-get install python3 python3-pip`)", command = .0.display())]
    Missing(PathBuf),
    #[error("`{command}` did not start", command = .command.display())]
    Start { command: PathBuf, source: io::Error },
    #[error("`{command}` failed: {stderr}", command = .command.display())]
    Failed { command: PathBuf, stderr: String },
}

impl Python {
    /// Asks an interpreter for its version and for pip's.
    pub fn probe(command: &Path) -> Result<Self, PythonError> {
        let version = run(command, &["-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"])?;
        let pip = run(command, &["-m", "pip", "--version"]).ok();
        let pip = pip.and_then(|text| text.split_whitespace().nth(1).map(str::to_owned));
        Ok(Self { command: command.to_owned(), version: version.trim().to_owned(), pip })
    }
}

/// Runs the interpreter and gives what it printed.
pub(super) fn run(command: &Path, arguments: &[&str]) -> Result<String, PythonError> {
    let output = Command::new(command).args(arguments).output();
    let Output { status, stdout, stderr } = output.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => PythonError::Missing(command.to_owned()),
        _ => PythonError::Start { command: command.to_owned(), source },
    })?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let stderr = last_lines(&String::from_utf8_lossy(&stderr), 3);
    Err(PythonError::Failed { command: command.to_owned(), stderr })
}

/// The end of an error output, on one line: where Python and pip put the reason.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("; ")
}
