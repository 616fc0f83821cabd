//! Which files a path means, and their texts.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context;
use workflows::syntax::{ACTION_FILES, Action, Diagnostic, Workflow, decode, parse, parse_action};

use crate::plan::repository_of;

/// Folders beneath `.assay/actions` are looked into so deep.
const DEEPEST: usize = 5;

/// The files that a path means: itself, a repository's workflows and actions, or all YAML files of a directory.
pub(super) fn meant_by(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let (workflows, actions) = (path.join(".assay/workflows"), path.join(".assay/actions"));
    if !workflows.is_dir() && !actions.is_dir() {
        return files_in(path, is_yaml);
    }
    let mut files = Vec::new();
    if workflows.is_dir() {
        files.extend(files_in(&workflows, is_yaml)?);
    }
    if actions.is_dir() {
        files.extend(actions_below(&actions, DEEPEST)?);
    }
    Ok(files)
}

fn files_in(folder: &Path, wanted: fn(&Path) -> bool) -> anyhow::Result<Vec<PathBuf>> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_file() && wanted(path)).collect())
}

fn actions_below(folder: &Path, depth: usize) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = files_in(folder, is_action)?;
    for entry in entries(folder)? {
        // A link may lead back up.
        if depth > 0 && entry.is_dir() && !entry.is_symlink() {
            found.extend(actions_below(&entry, depth - 1)?);
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
}

/// Whether a file says by its name that it is an action, not a workflow.
pub(super) fn is_action(path: &Path) -> bool {
    let in_workflows = path.parent().is_some_and(|folder| folder.ends_with(".assay/workflows"));
    !in_workflows && ACTION_FILES.iter().any(|name| path.file_name().is_some_and(|file| file == *name))
}

/// What `./path` in a file is relative to: what lies above its `.assay`, or the repository that an action is in.
pub(super) fn root_of(path: &Path) -> PathBuf {
    let is_root = |folder: &&Path| [".assay", ".git"].iter().any(|name| folder.join(name).exists());
    match path.ancestors().skip(1).find(is_root) {
        Some(root) => root.to_path_buf(),
        None => repository_of(path),
    }
}

/// What a file is, where it could be understood, and what is wrong with it.
type Read<T> = (Option<T>, Vec<Diagnostic>);

/// Files by the name that diagnostics call them.
#[derive(Default)]
pub(super) struct Sources(BTreeMap<String, String>);

impl Sources {
    pub(super) fn workflow(&mut self, path: &Path) -> anyhow::Result<Read<Workflow>> {
        self.read(path, parse)
    }

    pub(super) fn action(&mut self, path: &Path) -> anyhow::Result<Read<Action>> {
        self.read(path, parse_action)
    }

    fn read<T>(&mut self, path: &Path, parse: fn(&str, &str) -> Read<T>) -> anyhow::Result<Read<T>> {
        let name = path.strip_prefix("./").unwrap_or(path).display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let read = match decode(&name, &bytes) {
            Ok(text) => parse(&name, text),
            Err(diagnostic) => (None, vec![*diagnostic]),
        };
        self.0.insert(name, String::from_utf8_lossy(&bytes).into_owned());
        Ok(read)
    }

    /// How many were read.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}
