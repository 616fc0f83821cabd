//! `assay/upload-artifact@v1`: files of the workspace as an artifact of the run.
//!
//! Inputs: `name` (`artifact`), `path` (files, directories, patterns; `!` excludes),
//! `if-no-files-found` (`warn`, `error` or `ignore`).

use workflows::ids::ArtifactName;

use super::{Inputs, given, globs, lines};
use crate::{
    archive,
    job::{Job, StepEnd},
};

pub(super) async fn run(job: &mut Job<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    let name: ArtifactName = match given(inputs, "name").unwrap_or("artifact").parse() {
        Ok(name) => name,
        Err(e) => return Ok(StepEnd::failure(e.to_string())),
    };
    let paths = lines(inputs, "path");
    if paths.is_empty() {
        return Ok(StepEnd::failure("`with.path` is missing"));
    }
    let found = match globs::find(&job.directories.workspace, &paths) {
        Ok(found) => found,
        Err(e) => return Ok(StepEnd::failure(e)),
    };
    if found.links > 0 {
        job.log.say(&format!("##[warning]{} symbolic links are left out", found.links)).await;
    }
    if found.files.is_empty() {
        let message = format!("No file was found by `path: {}`", paths.join(" "));
        match given(inputs, "if-no-files-found") {
            Some("error") => return Ok(StepEnd::failure(message)),
            Some("ignore") => {}
            Some(_) | None => job.log.say(&format!("##[warning]{message}")).await,
        }
        return Ok(StepEnd::success());
    }
    let target = job.directories.private.join(format!("{name}.tar.zst"));
    let count = found.files.len();
    let (path, digest, bytes) = tokio::task::spawn_blocking(move || {
        archive::pack(&found.root, &found.files, &target)?;
        let (digest, bytes) = archive::digest_file(&target)?;
        anyhow::Ok((target, digest, bytes))
    })
    .await??;
    job.host.upload_artifact(&name, &path).await?;
    tokio::fs::remove_file(&path).await.ok();
    job.log.say(&format!("Uploaded `{name}`: {count} files, {bytes} bytes compressed")).await;
    Ok(StepEnd::success().output("artifact-digest", digest.as_str()))
}
