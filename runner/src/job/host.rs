//! Whom a job speaks to.

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use workflows::{
    evaluation::Evaluation,
    ids::{ArtifactName, Digest},
    protocol::{CheckoutSpec, StepReport, TelemetrySample},
};

/// How a job reaches whoever asked for it: the fleet's server, or a person at a terminal
/// ([`super::local::LocalHost`]).
///
/// An `Err` is a failure of ours (a server out of reach, a full disk); the step that needed it fails
/// with its message.
#[async_trait]
pub trait JobHost: Send + Sync {
    /// Appends to the job's log: raw bytes, secrets masked already, in order. Waits where the taker is
    /// slower than the job, so that no log fills the memory.
    async fn log(&self, bytes: Bytes);

    /// The steps of the job as they are now; all of them each time.
    fn steps(&self, steps: &[StepReport]);

    /// What the job's processes use.
    fn telemetry(&self, sample: TelemetrySample);

    /// Puts the commit's files into the empty directory `into`: no `.git`, nothing of the token.
    async fn checkout(&self, source: &CheckoutSpec, into: &Path) -> anyhow::Result<()>;

    /// Stores the file `archive` (`tar.zst`) as an artifact of the run.
    async fn upload_artifact(&self, name: &ArtifactName, archive: &Path) -> anyhow::Result<()>;

    /// Fetches an artifact of the run into the new file `archive`; false where there is none.
    async fn download_artifact(&self, name: &ArtifactName, archive: &Path) -> anyhow::Result<bool>;

    /// Names of the run's artifacts.
    async fn artifacts(&self) -> anyhow::Result<Vec<ArtifactName>>;

    /// Stores a blob; `digest` is that of the file's bytes.
    async fn upload_blob(&self, digest: &Digest, file: &Path) -> anyhow::Result<()>;

    /// What another runner computed for the key, its outcomes in the store; none where nobody did.
    async fn known_evaluation(&self, _key: &Digest) -> anyhow::Result<Option<Evaluation>> {
        Ok(None)
    }

    /// Keeps an evaluation, whose outcomes were uploaded, for other runners.
    async fn keep_evaluation(&self, _key: &Digest, _evaluation: &Evaluation) -> anyhow::Result<()> {
        Ok(())
    }

    /// Why the job is being cancelled: a sentence for its log.
    fn cancel_reason(&self) -> Option<String> {
        None
    }
}
