//! `assay/cache@v1`: directories kept on this runner from job to job.
//!
//! Inputs: `key`, `path`, `restore-keys` (prefixes; the newest match is taken). Output `cache-hit`.
//!
//! Caches belong to a repository and to a trust: code that is not trusted reads what trusted code
//! saved, never the other way round, so that a pull request from a fork cannot poison `main`. Each
//! is saved with its digest, which must hold when it is restored.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use workflows::ids::Digest;

use super::{Inputs, given, globs, lines};
use crate::{
    archive,
    job::{Job, StepEnd},
};

/// Their directory within the runner's.
const KIND: &str = "caches";

/// A cache to save when the job has succeeded.
#[derive(Debug)]
pub(crate) struct PendingSave {
    key: String,
    paths: Vec<String>,
}

/// What stands beside an archive.
#[derive(Serialize, Deserialize)]
struct Label {
    key: String,
    digest: Digest,
    saved_at: u64,
}

pub(super) async fn run(job: &mut Job<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    let Some(key) = given(inputs, "key") else { return Ok(StepEnd::failure("`with.key` is missing")) };
    let paths = lines(inputs, "path");
    if paths.is_empty() {
        return Ok(StepEnd::failure("`with.path` is missing"));
    }
    let found = find(&Shelves::of(job, KIND).readable, key, &lines(inputs, "restore-keys"));
    let exact = found.as_ref().is_some_and(|(label, _)| label.key == key);
    if !exact {
        job.saves.push(PendingSave { key: key.to_owned(), paths: paths.iter().map(|p| (*p).to_owned()).collect() });
    }
    let Some((label, archive_path)) = found else {
        job.log.say(&format!("No cache for `{key}`")).await;
        return Ok(StepEnd::success().output("cache-hit", "false"));
    };
    let workspace = job.directories.workspace.clone();
    let restored = tokio::task::spawn_blocking(move || {
        let (digest, _) = archive::digest_file(&archive_path)?;
        anyhow::ensure!(digest == label.digest, "its digest is not the one it was saved with");
        archive::unpack(&archive_path, &workspace)?;
        anyhow::Ok(label.key)
    });
    match restored.await? {
        Ok(from) => {
            let (workspace, user) = (job.directories.workspace.clone(), job.user());
            job.directories.hand_over(&workspace, user).await?;
            job.log.say(&format!("Restored the cache `{from}`")).await;
            Ok(StepEnd::success().output("cache-hit", exact.to_string()).output("cache-matched-key", from))
        }
        // A cache is a convenience: without it the job is slower, not wrong.
        Err(e) => {
            job.log.say(&format!("##[warning]The cache is left alone: {e:#}")).await;
            Ok(StepEnd::success().output("cache-hit", "false"))
        }
    }
}

/// Saves what the job's steps asked for. Failing is no failure of the job.
pub(crate) async fn save_all(job: &mut Job<'_>) {
    for save in std::mem::take(&mut job.saves) {
        let workspace = job.directories.workspace.clone();
        let directory = Shelves::of(job, KIND).writable;
        let key = save.key.clone();
        let saved = tokio::task::spawn_blocking(move || store(&directory, &workspace, &save)).await;
        let line = match saved.map_err(anyhow::Error::from).flatten() {
            Ok(()) => format!("Saved the cache `{key}`"),
            Err(e) => format!("##[warning]The cache `{key}` is not saved: {e:#}"),
        };
        job.log.say(&line).await;
    }
}

fn store(directory: &Path, workspace: &Path, save: &PendingSave) -> anyhow::Result<()> {
    let lines: Vec<&str> = save.paths.iter().map(String::as_str).collect();
    let found = globs::find(workspace, &lines).map_err(anyhow::Error::msg)?;
    anyhow::ensure!(!found.files.is_empty(), "its paths hold no file");
    fs::create_dir_all(directory)?;
    let name = file_name(&save.key);
    let unfinished = tempfile::Builder::new().suffix(".unfinished").tempfile_in(directory)?;
    archive::pack(workspace, &found.files, unfinished.path())?;
    let (digest, _) = archive::digest_file(unfinished.path())?;
    let saved_at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock")?.as_secs();
    let label = serde_json::to_vec(&Label { key: save.key.clone(), digest, saved_at })?;
    unfinished.persist(directory.join(format!("{name}.tar.zst")))?;
    // The label last: an archive without one does not exist.
    let file = tempfile::NamedTempFile::new_in(directory)?;
    fs::write(file.path(), label)?;
    file.persist(directory.join(format!("{name}.json")))?;
    Ok(())
}

/// The exact key in any of the directories; else the newest that begins with one of the prefixes, in
/// their order.
fn find(directories: &[PathBuf], key: &str, prefixes: &[&str]) -> Option<(Label, PathBuf)> {
    let mut labels = Vec::new();
    for directory in directories {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "json")
                && let Ok(label) = serde_json::from_slice::<Label>(&fs::read(&path).unwrap_or_default())
            {
                labels.push((label, path.with_extension("tar.zst")));
            }
        }
    }
    labels.sort_by_key(|(label, _)| std::cmp::Reverse(label.saved_at));
    let exact = labels.iter().position(|(label, _)| label.key == key);
    let prefixed = || prefixes.iter().find_map(|prefix| labels.iter().position(|(l, _)| l.key.starts_with(prefix)));
    let index = exact.or_else(prefixed)?;
    Some(labels.swap_remove(index))
}

fn file_name(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}

/// Where a job's repository keeps things of a kind on this runner. Untrusted code reads what trusted code
/// left, never the other way round.
pub(super) struct Shelves {
    pub readable: Vec<PathBuf>,
    pub writable: PathBuf,
}

impl Shelves {
    pub(super) fn of(job: &Job<'_>, kind: &str) -> Self {
        let repo = &job.spec.repo;
        let root = job.env.cache.join(kind).join(repo.owner()).join(repo.name());
        let names: &[&str] = if job.spec.trusted { &["trusted"] } else { &["trusted", "untrusted"] };
        let readable: Vec<PathBuf> = names.iter().map(|name| root.join(name)).collect();
        Self { writable: root.join(names[names.len() - 1]), readable }
    }
}
