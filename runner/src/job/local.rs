//! A host on this machine, for `assay run`: no server, artifacts and blobs in a directory, the log and
//! the steps to whoever prints them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use workflows::{
    ids::{ArtifactName, Digest},
    protocol::{CheckoutSpec, StepReport, TelemetrySample},
};

use super::host::JobHost;
use crate::checkout::{self, working_tree};

/// Where `assay/checkout` takes files from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The working tree as it is, uncommitted changes included.
    WorkingTree(PathBuf),
    /// The commit that the job names, out of the repository at this path.
    Repository(PathBuf),
}

/// Called with each piece of the log.
pub type OnLog = Box<dyn Fn(&[u8]) + Send + Sync>;
/// Called with all steps of the job whenever one changes.
pub type OnSteps = Box<dyn Fn(&[StepReport]) + Send + Sync>;

/// Runs jobs for a person at a terminal.
pub struct LocalHost {
    source: Source,
    /// Holds `artifacts/NAME.tar.zst` and `blobs/HEX`; jobs of one run share it.
    directory: PathBuf,
    cache: PathBuf,
    on_log: OnLog,
    on_steps: OnSteps,
}

impl LocalHost {
    pub fn new(source: Source, directory: PathBuf, cache: PathBuf, on_log: OnLog, on_steps: OnSteps) -> Self {
        Self { source, directory, cache, on_log, on_steps }
    }

    /// Where a blob is, whether or not it exists.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.directory.join("blobs").join(digest.hex())
    }

    fn artifact(&self, name: &ArtifactName) -> PathBuf {
        self.directory.join("artifacts").join(format!("{name}.tar.zst"))
    }
}

#[async_trait]
impl JobHost for LocalHost {
    async fn log(&self, bytes: Bytes) {
        (self.on_log)(&bytes);
    }

    fn steps(&self, steps: &[StepReport]) {
        (self.on_steps)(steps);
    }

    fn telemetry(&self, _sample: TelemetrySample) {
        // Nobody here looks at it: a person has their own tools for that.
    }

    async fn checkout(&self, source: &CheckoutSpec, into: &Path) -> anyhow::Result<()> {
        let into = into.to_path_buf();
        let mut spec = source.clone();
        let (from, cache) = (self.source.clone(), self.cache.clone());
        tokio::task::spawn_blocking(move || match from {
            Source::WorkingTree(root) => working_tree::copy(&root, &into),
            Source::Repository(path) => {
                spec.url = path.canonicalize()?.display().to_string();
                checkout::checkout(&spec, &cache, &into)
            }
        })
        .await?
    }

    async fn upload_artifact(&self, name: &ArtifactName, archive: &Path) -> anyhow::Result<()> {
        keep(archive, self.artifact(name)).await
    }

    async fn download_artifact(&self, name: &ArtifactName, archive: &Path) -> anyhow::Result<bool> {
        match tokio::fs::copy(self.artifact(name), archive).await {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    async fn artifacts(&self) -> anyhow::Result<Vec<ArtifactName>> {
        let entries = fs::read_dir(self.directory.join("artifacts")).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".tar.zst")?.parse().ok();
        let mut names: Vec<ArtifactName> = entries.filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    async fn upload_blob(&self, digest: &Digest, file: &Path) -> anyhow::Result<()> {
        keep(file, self.blob(digest)).await
    }
}

async fn keep(file: &Path, to: PathBuf) -> anyhow::Result<()> {
    let parent = to.parent().context("a path without a directory")?;
    tokio::fs::create_dir_all(parent).await?;
    tokio::fs::copy(file, &to).await.with_context(|| format!("cannot write {}", to.display()))?;
    Ok(())
}
