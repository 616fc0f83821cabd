//! `assay plan`: what a workflow would do for an event, as JSON.

mod event;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use workflows::{
    plan,
    syntax::{self, Called, Diagnostic, Paint, Workflow, check_calls, gather_called},
};

use crate::{exit::Exit, ui};

pub use event::read as read_event;

/// Show which jobs a workflow runs for an event, without running them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The workflow file.
    workflow: PathBuf,
    /// An event's name (`push`, `pull_request`, …), or a JSON file: a payload as GitHub sends it, or an
    /// event as Assay writes it.
    #[arg(long, default_value = "push")]
    event: String,
    /// A path that the event changes, for `paths` filters; may be given often.
    #[arg(long = "changed", value_name = "PATH")]
    changed: Vec<String>,
}

pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let Some(workflow) = read_workflow(&args.workflow)? else { return Ok(Exit::No) };
    let (event, changed) = match read_event(&args.event) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("{error:#}");
            return Ok(Exit::Usage);
        }
    };
    let changed = if args.changed.is_empty() { changed } else { Some(args.changed.clone()) };
    let root = repository_of(&args.workflow);
    let (called, problems) = called(&workflow, |path| std::fs::read_to_string(root.join(file_of(path))).ok());
    if !problems.is_empty() {
        problems.iter().for_each(|each| eprintln!("{}", syntax::to_text(each, "", &Paint::PLAIN)));
        return Ok(Exit::No);
    }
    let preview = plan::preview(&workflow, &called, &event, changed.as_deref());
    ui::say(serde_json::to_string_pretty(&preview).context("a plan is JSON")?);
    Ok(Exit::Yes)
}

/// The workflows that one calls, as `read` has their texts, and the errors in them and in the calls.
pub fn called(workflow: &Workflow, read: impl Fn(&str) -> Option<String>) -> (Called, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let called = gather_called(workflow, |path| {
        let (workflow, found) = syntax::parse(file_of(path), &read(path)?);
        problems.extend(found);
        workflow.map(Arc::new)
    });
    problems.extend(check_calls(workflow, &|path| called.get(path).map(|called| &**called)));
    problems.retain(Diagnostic::is_error);
    (called, problems)
}

/// The file in the repository that a local `uses` names.
pub fn file_of(uses: &str) -> &str {
    uses.trim_start_matches("./")
}

/// The root of the repository that a workflow file is part of: what lies above `.assay`.
pub fn repository_of(path: &Path) -> PathBuf {
    let above = path.ancestors().find(|folder| folder.ends_with(".assay") || folder.ends_with(".github"));
    above.and_then(Path::parent).unwrap_or_else(|| path.parent().unwrap_or(Path::new(""))).to_path_buf()
}

/// A workflow without errors; none where it has some, which are then on standard error.
pub fn read_workflow(path: &Path) -> anyhow::Result<Option<Workflow>> {
    let name = path.strip_prefix("./").unwrap_or(path).display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = match syntax::decode(&name, &bytes) {
        Ok(text) => text,
        Err(diagnostic) => {
            eprintln!("{}", syntax::to_text(&diagnostic, "", &Paint::PLAIN));
            return Ok(None);
        }
    };
    let (workflow, diagnostics) = syntax::parse(&name, text);
    for diagnostic in diagnostics.iter().filter(|each| each.is_error()) {
        eprintln!("{}", syntax::to_text(diagnostic, text, &Paint::PLAIN));
    }
    Ok(workflow.filter(|_| !diagnostics.iter().any(Diagnostic::is_error)))
}
