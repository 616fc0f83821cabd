//! A job's host over the protocol.

use std::{path::Path, path::PathBuf, sync::Mutex, sync::PoisonError};

use anyhow::bail;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use workflows::{
    evaluation::Evaluation,
    ids::{ArtifactName, Digest},
    protocol::{CheckoutSpec, StepReport, TelemetrySample},
};

use super::{
    client::{Call, LeaseClient},
    log::LogSender,
};
use crate::{checkout, job::host::JobHost};

/// How often a transfer is tried.
const ATTEMPTS: u32 = 5;

/// What the job says, and where the session's tasks find it.
pub(super) struct FleetHost {
    pub(super) client: LeaseClient,
    pub(super) log: LogSender,
    pub(super) steps: watch::Sender<Vec<StepReport>>,
    pub(super) telemetry: Mutex<Vec<TelemetrySample>>,
    pub(super) cancel_reason: Mutex<Option<String>>,
    pub(super) cache: PathBuf,
}

impl FleetHost {
    /// What was measured since the last time.
    pub(super) fn take_telemetry(&self) -> Vec<TelemetrySample> {
        std::mem::take(&mut *self.telemetry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back what could not be sent.
    pub(super) fn return_telemetry(&self, mut samples: Vec<TelemetrySample>) {
        let mut waiting = self.telemetry.lock().unwrap_or_else(PoisonError::into_inner);
        samples.append(&mut waiting);
        *waiting = samples;
    }
}

#[async_trait]
impl JobHost for FleetHost {
    async fn log(&self, bytes: Bytes) {
        self.log.send(bytes).await;
    }

    fn steps(&self, steps: &[StepReport]) {
        self.steps.send_replace(steps.to_vec());
    }

    fn telemetry(&self, sample: TelemetrySample) {
        self.telemetry.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    }

    async fn checkout(&self, source: &CheckoutSpec, into: &Path) -> anyhow::Result<()> {
        let (source, cache, into) = (source.clone(), self.cache.clone(), into.to_path_buf());
        tokio::task::spawn_blocking(move || checkout::checkout(&source, &cache, &into)).await?
    }

    async fn upload_artifact(&self, name: &ArtifactName, archive: &Path) -> anyhow::Result<()> {
        persist(|| self.client.put_artifact(name, archive)).await
    }

    async fn download_artifact(&self, name: &ArtifactName, archive: &Path) -> anyhow::Result<bool> {
        persist(|| self.client.get_artifact(name, archive)).await
    }

    async fn artifacts(&self) -> anyhow::Result<Vec<ArtifactName>> {
        persist(|| self.client.artifacts()).await
    }

    async fn upload_blob(&self, digest: &Digest, file: &Path) -> anyhow::Result<()> {
        persist(|| self.client.put_blob(digest, file)).await
    }

    async fn known_evaluation(&self, key: &Digest) -> anyhow::Result<Option<Evaluation>> {
        persist(|| self.client.get_evaluation(key)).await
    }

    async fn keep_evaluation(&self, key: &Digest, evaluation: &Evaluation) -> anyhow::Result<()> {
        persist(|| self.client.put_evaluation(key, evaluation)).await
    }

    fn cancel_reason(&self) -> Option<String> {
        self.cancel_reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Tries again what failed by the network.
async fn persist<T, F: Future<Output = Result<T, Call>>>(call: impl Fn() -> F) -> anyhow::Result<T> {
    let mut attempt = 1;
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(Call::Stale) => bail!("the job was given to another runner"),
            Err(Call::Refused(why)) => bail!("the server refuses: {why}"),
            Err(Call::Failed(e)) if attempt == ATTEMPTS => return Err(e),
            Err(Call::Failed(e)) => tracing::warn!("trying again: {e:#}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(200) * 2u32.pow(attempt)).await;
        attempt += 1;
    }
}
