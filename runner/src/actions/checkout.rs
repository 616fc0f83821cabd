//! `assay/checkout@v1`: the commit's files in the workspace. There is no `.git` there and no token:
//! a step can neither run hooks of the runner's nor speak to the forge in its name.
//!
//! Inputs: `ref` (a branch, tag or commit instead of the run's own), `path` (below the workspace).

use anyhow::{Context, bail};

use super::{Inputs, given};
use crate::{
    checkout::lfs,
    job::{Job, StepEnd},
};

pub(super) async fn run(job: &mut Job<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    let own = job.spec.repo.as_str();
    if let Some(other) = given(inputs, "repository").filter(|other| *other != own) {
        return Ok(StepEnd::failure(format!("only {own} can be checked out here, not `{other}`")));
    }
    let mut source = job.spec.checkout.clone();
    if let Some(wanted) = given(inputs, "ref") {
        match wanted.parse() {
            Ok(sha) => source.sha = sha,
            Err(_) if is_own_ref(job, wanted) => {}
            Err(_) => bail!("`ref: {wanted}` is not the run's own ref and not a commit id of 40 digits"),
        }
    }
    let into = match given(inputs, "path") {
        None => job.directories.workspace.clone(),
        Some(path) => job.directories.in_workspace(path),
    };
    if !crate::archive::is_below(&into, &job.directories.workspace) {
        return Ok(StepEnd::failure("`path` leaves the workspace"));
    }
    tokio::fs::create_dir_all(&into).await.with_context(|| format!("cannot make {}", into.display()))?;
    job.host.checkout(&source, &into).await?;
    let user = job.user();
    job.directories.hand_over(&into, user).await.context("cannot give the files to the steps' user")?;
    job.log.say(&format!("Checked out {} of {own}", source.sha)).await;
    let pointers = tokio::task::spawn_blocking(move || lfs::pointers_below(&into)).await?;
    if let Some(first) = pointers.first() {
        let line = format!(
            "##[warning]{} files are kept in Git LFS and are only pointers here (`{}` is the first)",
            pointers.len(),
            first.display()
        );
        job.log.say(&line).await;
    }
    Ok(StepEnd::success().output("commit", source.sha.as_str()))
}

/// `${{ github.ref }}` and its like name what is checked out anyway.
fn is_own_ref(job: &Job<'_>, wanted: &str) -> bool {
    let github = job.spec.contexts.get("github");
    ["ref", "ref_name", "head_ref"].iter().any(|key| github.and_then(|g| g.get(key)?.as_str()) == Some(wanted))
        || job.spec.checkout.git_ref.as_deref() == Some(wanted)
}
