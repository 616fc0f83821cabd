//! `assay check`: reads workflow files and says what is wrong with them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::json;
use workflows::syntax::{
    ActionRef, Diagnostic, Paint, Place, SCRIPT_INJECTION, Severity, StepAction, Workflow, check_calls, decode, parse,
    to_github, to_text,
};

use crate::{exit::Exit, plan::repository_of, ui};

/// Lint workflows.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, or directories of a repository; this one by default.
    paths: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Text of strangers inside scripts is an error, not a warning.
    #[arg(long)]
    strict: bool,
    /// The same as `--format json`.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The place underlined, for people.
    Text,
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let given = if args.paths.is_empty() { vec![PathBuf::from(".")] } else { args.paths.clone() };
    let mut files = Vec::new();
    for path in &given {
        if !path.exists() {
            eprintln!("there is no file or directory {}", path.display());
            return Ok(Exit::Usage);
        }
        files.extend(workflow_files(path)?);
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        eprintln!("no workflows found: they are `.assay/workflows/*.yml`");
        return Ok(Exit::Usage);
    }
    let (mut diagnostics, sources) = check(&files)?;
    if args.strict {
        for diagnostic in diagnostics.iter_mut().filter(|each| each.code == SCRIPT_INJECTION) {
            diagnostic.severity = Severity::Error;
        }
    }
    match if args.json { Format::Json } else { args.format } {
        Format::Json => ui::say(json!({ "diagnostics": diagnostics }).to_string()),
        Format::Github => diagnostics.iter().for_each(|diagnostic| ui::say(to_github(diagnostic))),
        Format::Text => say_text(&diagnostics, &sources, files.len()),
    }
    Ok(if diagnostics.iter().any(Diagnostic::is_error) { Exit::No } else { Exit::Yes })
}

fn say_text(diagnostics: &[Diagnostic], sources: &BTreeMap<String, String>, files: usize) {
    let paint = if ui::colour() { Paint::ANSI } else { Paint::PLAIN };
    for diagnostic in diagnostics {
        ui::say(to_text(diagnostic, sources.get(&diagnostic.file).map_or("", String::as_str), &paint));
    }
    let count = |severity| diagnostics.iter().filter(|each| each.severity == severity).count();
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    ui::say(format!(
        "{} checked: {}, {}",
        plural(files, "file"),
        plural(count(Severity::Error), "error"),
        plural(count(Severity::Warning), "warning"),
    ));
}

/// Diagnostics of all files, and the files' texts by the name that diagnostics call them.
fn check(files: &[PathBuf]) -> anyhow::Result<(Vec<Diagnostic>, BTreeMap<String, String>)> {
    let mut diagnostics = Vec::new();
    let mut sources = BTreeMap::new();
    let mut read: Vec<(PathBuf, Workflow)> = Vec::new();
    for path in files {
        let name = path.strip_prefix("./").unwrap_or(path).display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        match decode(&name, &bytes) {
            Ok(text) => {
                let (workflow, found) = parse(&name, text);
                diagnostics.extend(found);
                read.extend(workflow.map(|workflow| (path.clone(), workflow)));
                sources.insert(name, text.to_owned());
            }
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    for (path, workflow) in &read {
        // `./…` names a file of the repository: what lies above `.assay`.
        let root = repository_of(path);
        let find = |called: &str| {
            let called = root.join(called.strip_prefix("./")?);
            read.iter().find(|(path, _)| same_file(path, &called)).map(|(_, workflow)| workflow)
        };
        let calls = check_calls(workflow, &find);
        // A file that exists but was not given is not unknown.
        diagnostics.extend(calls.into_iter().filter(|each| each.file == workflow.file));
        diagnostics.extend(missing_actions(workflow, &root));
    }
    diagnostics.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    Ok((diagnostics, sources))
}

/// Local actions that are not there. An action may also be made by an earlier step: a warning.
fn missing_actions(workflow: &Workflow, root: &Path) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for step in workflow.jobs.values().flat_map(|job| job.steps()) {
        let StepAction::Uses { uses: ActionRef::Local(path), .. } = &step.action else { continue };
        let folder = root.join(path.trim_start_matches("./"));
        if !["action.yml", "action.yaml"].iter().any(|name| folder.join(name).is_file()) {
            let Place { line, column } = step.at;
            found.push(Diagnostic {
                file: workflow.file.clone(),
                line,
                column,
                length: 1,
                severity: Severity::Warning,
                code: "unknown-action".to_owned(),
                message: format!("there is no `action.yml` in `{path}`"),
                help: None,
            });
        }
    }
    found
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// The workflow files that a path means: itself, a repository's, or all YAML files of a directory.
fn workflow_files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let own = path.join(".assay/workflows");
    let folder = if own.is_dir() { own } else { path.to_path_buf() };
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            files.push(path);
        }
    }
    Ok(files)
}
