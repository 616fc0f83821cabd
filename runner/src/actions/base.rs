//! The files of the commit that a job is compared with, for steps that measure its model beside the head's; and the
//! model that its own run evaluated, where that was made by a step.

use std::path::{Component, Path, PathBuf};

use super::models;
use crate::{checkout::lfs, job::Job};

/// The base's file of the same name, in a checkout that the job's steps share. None where the job has no base,
/// or the base has no such file: it is made by a step, or it is new.
///
/// With the name of an `evaluation`, the model that the base's run evaluated under it stands in, where this runner has it.
pub(super) async fn file(job: &mut Job<'_>, path: &str, evaluation: Option<&str>) -> anyhow::Result<Option<PathBuf>> {
    let Some(baseline) = &job.spec.baseline else { return Ok(None) };
    let path = Path::new(path);
    let inside = path.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    if !inside {
        return Ok(None);
    }
    let directory = job.directories.temp.join(format!("base-{}", baseline.sha.short()));
    if !directory.exists() {
        job.log.say(&format!("Checking out the base, {}", baseline.sha.short())).await;
        // Complete or not there: a step after this one must not take half of it for the whole.
        let making = job.directories.private.join("base");
        if making.exists() {
            tokio::fs::remove_dir_all(&making).await?;
        }
        tokio::fs::create_dir(&making).await?;
        // A base that is gone is no fault of the head's.
        if let Err(e) = job.host.checkout(&baseline.checkout, &making).await {
            job.log.say(&format!("##[warning]There is no baseline: the base cannot be checked out: {e:#}")).await;
            return Ok(None);
        }
        job.directories.hand_over(&making, job.user()).await?;
        tokio::fs::rename(&making, &directory).await?;
    }
    let file = directory.join(path);
    let missing = match file.symlink_metadata() {
        Ok(metadata) if metadata.is_file() && !lfs::is_pointer(&file) => return Ok(Some(file)),
        Ok(_) => "has something else than a file at",
        Err(_) => "has no file",
    };
    if let Some(name) = evaluation
        && let Some(kept) = kept(job, name, path).await?
    {
        return Ok(Some(kept));
    }
    let Some(baseline) = &job.spec.baseline else { return Ok(None) };
    // Not a warning: a new model is no fault.
    let told = format!(
        "The base, {}, {missing} {}, as where a step makes it: it is not measured beside the head",
        baseline.sha.short(),
        path.display()
    );
    job.log.say(&told).await;
    Ok(None)
}

async fn kept(job: &mut Job<'_>, evaluation: &str, path: &Path) -> anyhow::Result<Option<PathBuf>> {
    let Some(baseline) = &job.spec.baseline else { return Ok(None) };
    let Some(digest) = baseline.model_of(job.spec.key.as_str(), evaluation) else { return Ok(None) };
    let (sha, digest) = (baseline.sha.clone(), digest.clone());
    let directory = job.directories.temp.join(format!("base-model-{}", digest.hex()));
    let file = directory.join(path.file_name().unwrap_or_default());
    if file.is_file() {
        return Ok(Some(file));
    }
    // Complete or not there, as above.
    let making = job.directories.private.join("base-model");
    tokio::fs::create_dir_all(&making).await?;
    let part = making.join(path.file_name().unwrap_or_default());
    let found = models::copy_out(job, &digest, &part).await;
    if let Ok(true) = found {
        job.directories.hand_over(&making, job.user()).await?;
        tokio::fs::rename(&making, &directory).await?;
        let told = format!("The model that the run of the base, {}, made is kept here: {digest}", sha.short());
        job.log.say(&told).await;
        return Ok(Some(file));
    }
    tokio::fs::remove_dir_all(&making).await.ok();
    found.map(|_| None)
}
