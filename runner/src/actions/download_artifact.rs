//! `assay/download-artifact@v1`: an artifact of the run, or all of them, into the workspace.
//!
//! Inputs: `name` (all artifacts, each in a directory of its name, where it is absent), `pattern`,
//! `merge-multiple`, `path`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use glob::Pattern;
use workflows::ids::ArtifactName;

use super::{Inputs, given};
use crate::{
    archive,
    job::{Job, StepEnd},
};

pub(super) async fn run(job: &mut Job<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    let into = job.directories.in_workspace(given(inputs, "path").unwrap_or(""));
    if !archive::is_below(&into, &job.directories.workspace) {
        return Ok(StepEnd::failure("`path` leaves the workspace"));
    }
    let wanted: Vec<(ArtifactName, PathBuf)> = match given(inputs, "name") {
        Some(name) => match name.parse() {
            Ok(name) => vec![(name, into.clone())],
            Err(e) => return Ok(StepEnd::failure(format!("{e}"))),
        },
        None => {
            let pattern = Pattern::new(given(inputs, "pattern").unwrap_or("*"))?;
            let merge = given(inputs, "merge-multiple") == Some("true");
            let names = job.host.artifacts().await.context("the artifacts cannot be listed")?;
            let place = |name: &ArtifactName| if merge { into.clone() } else { into.join(name.as_str()) };
            names.into_iter().filter(|name| pattern.matches(name.as_str())).map(|n| (n.clone(), place(&n))).collect()
        }
    };
    for (name, into) in &wanted {
        if !fetch(job, name, into).await? {
            return Ok(StepEnd::failure(format!("the run has no artifact `{name}`")));
        }
    }
    let user = job.user();
    for (_, into) in &wanted {
        job.directories.hand_over(into, user).await?;
    }
    Ok(StepEnd::success().output("download-path", into.display().to_string()))
}

async fn fetch(job: &mut Job<'_>, name: &ArtifactName, into: &Path) -> anyhow::Result<bool> {
    let file = job.directories.private.join(format!("{name}.download"));
    if !job.host.download_artifact(name, &file).await? {
        return Ok(false);
    }
    let (target, source) = (into.to_path_buf(), file.clone());
    let count = tokio::task::spawn_blocking(move || archive::unpack(&source, &target)).await?;
    let count = count.with_context(|| format!("the artifact `{name}` is refused"))?;
    tokio::fs::remove_file(&file).await.ok();
    job.log.say(&format!("Downloaded `{name}`: {count} files")).await;
    Ok(true)
}
