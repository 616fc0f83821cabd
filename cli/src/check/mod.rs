//! `assay check`: reads workflow files and the repository's own actions, and says what is wrong with them.

mod files;

use std::path::{Path, PathBuf};

use serde_json::json;
use workflows::syntax::{
    ACTION_FILES, Actions, Diagnostic, Paint, Severity, Step, Workflow, check_actions, check_calls,
    forbid_untrusted_text, local_actions, to_github, to_text,
};

use self::files::Sources;

use crate::{exit::Exit, plan::repository_of, ui};

/// Lint workflows and the actions that they use.
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
        files.extend(files::meant_by(path)?);
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        eprintln!("no workflows found: they are `.assay/workflows/*.yml`");
        return Ok(Exit::Usage);
    }
    let (mut diagnostics, sources) = check(&files)?;
    if args.strict {
        forbid_untrusted_text(&mut diagnostics);
    }
    match if args.json { Format::Json } else { args.format } {
        Format::Json => ui::say(json!({ "diagnostics": diagnostics }).to_string()),
        Format::Github => diagnostics.iter().for_each(|diagnostic| ui::say(to_github(diagnostic))),
        Format::Text => say_text(&diagnostics, &sources),
    }
    Ok(if diagnostics.iter().any(Diagnostic::is_error) { Exit::No } else { Exit::Yes })
}

fn say_text(diagnostics: &[Diagnostic], sources: &Sources) {
    let paint = if ui::colour() { Paint::ANSI } else { Paint::PLAIN };
    for diagnostic in diagnostics {
        ui::say(to_text(diagnostic, sources.text(&diagnostic.file), &paint));
    }
    let count = |severity| diagnostics.iter().filter(|each| each.severity == severity).count();
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    ui::say(format!(
        "{} checked: {}, {}",
        plural(sources.count(), "file"),
        plural(count(Severity::Error), "error"),
        plural(count(Severity::Warning), "warning"),
    ));
}

/// Diagnostics of all files, and of the actions that they use.
fn check(files: &[PathBuf]) -> anyhow::Result<(Vec<Diagnostic>, Sources)> {
    let mut diagnostics = Vec::new();
    let mut sources = Sources::default();
    let mut read: Vec<(PathBuf, Workflow)> = Vec::new();
    for path in files {
        if files::is_action(path) {
            let (action, found) = sources.action(path)?;
            diagnostics.extend(found);
            if let Some(action) = action {
                let actions = actions_of(path, &action.steps, &mut sources)?;
                diagnostics.extend(check_actions(&action.file, &action.steps, &actions));
            }
        } else {
            let (workflow, found) = sources.workflow(path)?;
            diagnostics.extend(found);
            read.extend(workflow.map(|workflow| (path.clone(), workflow)));
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
        let actions = actions_of(path, workflow.steps(), &mut sources)?;
        diagnostics.extend(check_actions(&workflow.file, workflow.steps(), &actions));
    }
    diagnostics.sort_by(|a, b| order(a).cmp(&order(b)));
    // Many may use one action.
    diagnostics.dedup();
    Ok((diagnostics, sources))
}

fn order(diagnostic: &Diagnostic) -> (&str, u32, u32, &str, &str) {
    let Diagnostic { file, line, column, code, message, .. } = diagnostic;
    (file, *line, *column, code, message)
}

/// The actions of the repository that steps of a file use, and those that these use.
fn actions_of<'s>(
    file: &Path,
    steps: impl IntoIterator<Item = &'s Step>,
    sources: &mut Sources,
) -> anyhow::Result<Actions> {
    let root = files::root_of(file);
    let mut actions = Actions::new();
    let mut open: Vec<String> = local_actions(steps).collect();
    while let Some(folder) = open.pop() {
        let paths = ACTION_FILES.map(|name| root.join(&folder).join(name));
        let Some(path) = paths.iter().find(|path| path.is_file()) else { continue };
        if !actions.contains_key(&folder) {
            let (action, found) = sources.action(path)?;
            open.extend(action.iter().flat_map(|action| local_actions(&action.steps)));
            actions.insert(folder, (action, found));
        }
    }
    Ok(actions)
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
