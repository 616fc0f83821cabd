//! What jobs leave behind: logs, artifacts, outcomes.

use actix_web::web;
use bytes::Bytes;
use futures_util::Stream;
use workflows::{
    ids::{ArtifactName, Digest, JobKey, RepoName},
    protocol::Refusal,
};

use crate::{
    app::App,
    blobs::{Appended, BlobError},
    error::ApiError,
    history,
    leases::LeaseError,
    runs,
    store::{
        Change,
        engine::Direction,
        keys,
        records::{Artifact, JobRef, Lease},
    },
};

/// Largest artifact, and largest file of outcomes.
const MOST_BLOB_BYTES: u64 = 16 * 1024 * 1024 * 1024;

/// Artifacts of one run.
const MOST_ARTIFACTS: usize = 1000;

/// The log of one lease: a job that is offered again begins a new one.
pub fn log_name(job: &JobRef, token: u64) -> String {
    format!("{}/{token}", job.external_id())
}

/// Appends to the lease's log; says its length.
pub async fn append_log(app: &App, lease: &Lease, offset: u64, bytes: Bytes) -> Result<u64, LeaseError> {
    let name = log_name(&lease.job, lease.token);
    match app.logs.append(&name, offset, &bytes).await.map_err(anyhow::Error::from)? {
        Appended::Length(length) => Ok(length),
        Appended::Gap { length } => Err(LeaseError::Refused(Refusal::LogGap { length })),
    }
}

/// Artifacts of a run.
pub async fn artifacts(app: &App, repo: &RepoName, run: u64) -> anyhow::Result<Vec<Artifact>> {
    let prefix = keys::artifacts(repo, run);
    let artifacts = app.store.scan::<Artifact>(&prefix, Direction::Forward, MOST_ARTIFACTS).await?;
    Ok(artifacts.into_iter().map(|artifact| artifact.record).collect())
}

/// Stores an artifact; one of the same name is replaced.
pub async fn put_artifact(
    app: &App,
    lease: &Lease,
    name: &ArtifactName,
    payload: web::Payload,
) -> Result<(), LeaseError> {
    let blob = app.blobs.put_stream(payload, MOST_BLOB_BYTES).await.map_err(refused)?;
    let artifact = Artifact {
        name: name.to_string(),
        job: lease.job.key.clone(),
        digest: blob.digest,
        bytes: blob.bytes,
        at: app.clock.now(),
    };
    let mut change = Change::default();
    change.put(keys::artifact(&lease.job.repo, lease.job.run, name.as_str()), &artifact);
    app.store.commit(change).await?;
    Ok(())
}

pub async fn get_artifact(
    app: &App,
    job: &JobRef,
    name: &ArtifactName,
) -> anyhow::Result<Option<impl Stream<Item = Result<Bytes, BlobError>> + use<>>> {
    let key = keys::artifact(&job.repo, job.run, name.as_str());
    let Some(artifact) = app.store.get::<Artifact>(&key).await? else { return Ok(None) };
    Ok(app.blobs.get_stream(&artifact.record.digest).await?)
}

/// A blob as it is read.
pub async fn blob(
    app: &App,
    digest: &Digest,
) -> anyhow::Result<Option<impl Stream<Item = Result<Bytes, BlobError>> + use<>>> {
    Ok(app.blobs.get_stream(digest).await?)
}

/// Whose outcomes of an evaluation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    #[default]
    Head,
    /// The base's model, evaluated beside the head's.
    Base,
}

/// The blob with the outcomes of an evaluation of the run's present attempt; none where none were kept.
pub async fn outcomes(
    app: &App,
    repo: &RepoName,
    run: u64,
    key: &JobKey,
    evaluation: &str,
    side: Side,
) -> Result<Option<Digest>, ApiError> {
    let run = history::run(app, repo, run).await?;
    let jobs = runs::jobs(app, &run).await?;
    let results = jobs.iter().filter(|job| job.record.id.key == *key).filter_map(|job| job.record.result.as_deref());
    let found = results.flat_map(|result| &result.evaluations).find(|found| found.name == evaluation);
    let of_side = found.and_then(|head| match side {
        Side::Head => Some(head),
        Side::Base => head.beside.as_ref().map(|beside| &beside.evaluation),
    });
    Ok(of_side.and_then(|evaluation| evaluation.outcomes.as_ref()).map(|blob| blob.digest.clone()))
}

/// Stores a blob, if it is what its digest says.
pub async fn put_blob(app: &App, digest: &Digest, payload: web::Payload) -> Result<(), LeaseError> {
    let blob = app.blobs.put_stream(payload, MOST_BLOB_BYTES).await.map_err(refused)?;
    if blob.digest != *digest {
        let message = format!("the body is not the blob {digest}");
        return Err(LeaseError::Refused(Refusal::Invalid { message }));
    }
    Ok(())
}

/// What of a failed upload is the sender's own.
fn refused(error: BlobError) -> LeaseError {
    match error {
        BlobError::TooLarge { .. } | BlobError::BrokenOff(_) => {
            LeaseError::Refused(Refusal::Invalid { message: error.to_string() })
        }
        BlobError::Io(_) | BlobError::Store(_) | BlobError::DiskFull { .. } | BlobError::Damaged { .. } => {
            LeaseError::Ours(error.into())
        }
    }
}
