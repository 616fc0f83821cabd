//! What runners speak: see [`workflows::protocol`] for the story.

use std::time::Duration;

use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError, dev::Payload, http::StatusCode, web};
use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use workflows::{
    evaluation::Evaluation,
    ids::{ArtifactName, Digest},
    protocol::{ArtifactList, ClaimRequest, Heartbeat, LogReply, Refusal, Report, TOKEN_HEADER, VERSION},
};

use super::{bearer, body};
use crate::{
    app::{App, SharedApp, same_secret},
    error::ApiError,
    evaluations,
    leases::{self, LeaseError},
    reconcile::stopped,
    run_files,
    store::keys,
};

/// Longest that a claim is held open, in seconds.
const LONGEST_WAIT_S: u32 = 30;

/// Largest body of a claim, heartbeat or report; largest piece of a log; largest artifact.
const MOST_JSON_BYTES: usize = 8 * 1024 * 1024;
const MOST_LOG_BYTES: usize = 4 * 1024 * 1024;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let lease = web::scope("/leases/{lease}")
        .route("/heartbeat", web::post().to(heartbeat))
        .route("/log", web::put().to(log))
        .route("/artifacts", web::get().to(artifacts))
        .route("/artifacts/{name}", web::put().to(put_artifact))
        .route("/artifacts/{name}", web::get().to(get_artifact))
        .route("/blobs/{digest}", web::put().to(put_blob))
        .route("/evaluations/{key}", web::put().to(put_evaluation))
        .route("/evaluations/{key}", web::get().to(get_evaluation))
        .route("/report", web::post().to(report));
    config.service(web::scope("/api/runner/v1").route("/claim", web::post().to(claim)).service(lease));
}

/// A request that presented the runner token.
struct Runner {
    app: web::Data<SharedApp>,
}

impl FromRequest for Runner {
    type Error = RunnerError;
    type Future = std::future::Ready<Result<Self, RunnerError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<web::Data<SharedApp>>().expect("every route has it").clone();
        let expected = app.credentials.runner_token.as_bytes();
        let known = bearer(request).is_some_and(|token| same_secret(token.as_bytes(), expected));
        std::future::ready(if known { Ok(Self { app }) } else { Err(Refusal::Unauthorized.into()) })
    }
}

/// The lease in the path and its token in the header.
struct LeaseToken {
    id: String,
    token: u64,
}

impl FromRequest for LeaseToken {
    type Error = RunnerError;
    type Future = std::future::Ready<Result<Self, RunnerError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("lease").unwrap_or_default().to_owned();
        let token = request.headers().get(TOKEN_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        let missing = || invalid(format!("the header {TOKEN_HEADER} is missing"));
        std::future::ready(token.map(|token| Self { id, token }).ok_or_else(missing))
    }
}

async fn claim(runner: Runner, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, RunnerError> {
    let claim: ClaimRequest = json(&request, payload).await?;
    if claim.version != VERSION {
        return Err(Refusal::Version { server: VERSION }.into());
    }
    let wait = Duration::from_secs(claim.wait_s.min(LONGEST_WAIT_S).into());
    match wait_for_job(&runner.app, &claim, wait).await? {
        Some(claim) => Ok(HttpResponse::Ok().json(claim)),
        None => Ok(HttpResponse::NoContent().finish()),
    }
}

/// Looks, and looks again whenever the queue may have changed, until the wait is over.
async fn wait_for_job(
    app: &App,
    request: &ClaimRequest,
    wait: Duration,
) -> anyhow::Result<Option<workflows::protocol::Claim>> {
    let deadline = tokio::time::Instant::now() + wait;
    let mut queue = app.store.watch(&keys::queue());
    let mut stopping = app.stopping.clone();
    loop {
        queue.borrow_and_update();
        if let Some(claim) = leases::claim(app, request).await? {
            return Ok(Some(claim));
        }
        tokio::select! {
            changed = queue.changed() => if changed.is_err() { return Ok(None) },
            () = tokio::time::sleep_until(deadline) => return Ok(None),
            () = stopped(&mut stopping) => return Ok(None),
        }
    }
}

async fn heartbeat(
    runner: Runner,
    lease: LeaseToken,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, RunnerError> {
    let beat: Heartbeat = json(&request, payload).await?;
    Ok(HttpResponse::Ok().json(leases::heartbeat(&runner.app, &lease.id, lease.token, &beat).await?))
}

async fn report(
    runner: Runner,
    lease: LeaseToken,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, RunnerError> {
    let report: Report = json(&request, payload).await?;
    leases::report(&runner.app, &lease.id, lease.token, &report).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
struct Offset {
    offset: u64,
}

async fn log(
    runner: Runner,
    lease: LeaseToken,
    offset: web::Query<Offset>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, RunnerError> {
    let bytes = body::limited(&request, payload, MOST_LOG_BYTES).await?;
    let held = leases::held(&runner.app, &lease.id, lease.token).await?;
    let length = run_files::append_log(&runner.app, &held.lease.record, offset.offset, bytes).await?;
    Ok(HttpResponse::Ok().json(LogReply { length }))
}

async fn artifacts(runner: Runner, lease: LeaseToken) -> Result<HttpResponse, RunnerError> {
    let held = leases::held(&runner.app, &lease.id, lease.token).await?;
    let job = &held.lease.record.job;
    let artifacts = run_files::artifacts(&runner.app, &job.repo, job.run).await?;
    let names = artifacts.iter().filter_map(|artifact| artifact.name.parse().ok()).collect();
    Ok(HttpResponse::Ok().json(ArtifactList { names }))
}

async fn put_artifact(
    runner: Runner,
    lease: LeaseToken,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, RunnerError> {
    let name: ArtifactName = path.1.parse().map_err(ApiError::from)?;
    let held = leases::held(&runner.app, &lease.id, lease.token).await?;
    run_files::put_artifact(&runner.app, &held.lease.record, &name, payload).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn get_artifact(
    runner: Runner,
    lease: LeaseToken,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, RunnerError> {
    let name: ArtifactName = path.1.parse().map_err(ApiError::from)?;
    let held = leases::held(&runner.app, &lease.id, lease.token).await?;
    match run_files::get_artifact(&runner.app, &held.lease.record.job, &name).await? {
        Some(stream) => Ok(HttpResponse::Ok().content_type("application/zstd").streaming(stream)),
        None => Err(Refusal::NotFound.into()),
    }
}

async fn put_blob(
    runner: Runner,
    lease: LeaseToken,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, RunnerError> {
    let digest: Digest = path.1.parse().map_err(ApiError::from)?;
    leases::held(&runner.app, &lease.id, lease.token).await?;
    run_files::put_blob(&runner.app, &digest, payload).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn put_evaluation(
    runner: Runner,
    lease: LeaseToken,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, RunnerError> {
    let key: Digest = path.1.parse().map_err(ApiError::from)?;
    let evaluation: Evaluation = json(&request, payload).await?;
    let held = leases::held(&runner.app, &lease.id, lease.token).await?;
    evaluations::keep(&runner.app, &held.lease.record.job, &key, evaluation).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn get_evaluation(
    runner: Runner,
    lease: LeaseToken,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, RunnerError> {
    let key: Digest = path.1.parse().map_err(ApiError::from)?;
    let held = leases::held(&runner.app, &lease.id, lease.token).await?;
    match evaluations::find(&runner.app, &held.lease.record.job, &key).await? {
        Some(evaluation) => Ok(HttpResponse::Ok().json(evaluation)),
        None => Err(Refusal::NotFound.into()),
    }
}

async fn json<T: DeserializeOwned>(request: &HttpRequest, payload: web::Payload) -> Result<T, RunnerError> {
    let body: Bytes = body::limited(request, payload, MOST_JSON_BYTES).await?;
    serde_json::from_slice(&body).map_err(|error| invalid(error.to_string()))
}

/// A refusal in the protocol's words, or a failure of ours.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunnerError {
    #[error("refused: {0:?}")]
    Refused(Refusal),
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the server could not do this")]
    Internal(#[source] anyhow::Error),
}

fn invalid(message: String) -> RunnerError {
    Refusal::Invalid { message }.into()
}

impl From<Refusal> for RunnerError {
    fn from(refusal: Refusal) -> Self {
        RunnerError::Refused(refusal)
    }
}

impl From<anyhow::Error> for RunnerError {
    fn from(error: anyhow::Error) -> Self {
        RunnerError::Internal(error)
    }
}

impl From<LeaseError> for RunnerError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Refused(refusal) => RunnerError::Refused(refusal),
            LeaseError::Ours(error) => RunnerError::Internal(error),
        }
    }
}

impl From<ApiError> for RunnerError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Invalid(message) | ApiError::NotFound(message) | ApiError::Conflict(message) => invalid(message),
            ApiError::Unauthorized(_) | ApiError::Forbidden(_) => RunnerError::Refused(Refusal::Unauthorized),
            ApiError::TooLarge { limit } => RunnerError::TooLarge { limit },
            // A runner tries again after any of these.
            ApiError::Full(error) | ApiError::Unavailable(error) | ApiError::Internal(error) => {
                RunnerError::Internal(error)
            }
        }
    }
}

impl ResponseError for RunnerError {
    fn status_code(&self) -> StatusCode {
        match self {
            RunnerError::Refused(Refusal::StaleLease) => StatusCode::GONE,
            RunnerError::Refused(Refusal::Version { .. } | Refusal::Invalid { .. }) => StatusCode::BAD_REQUEST,
            RunnerError::Refused(Refusal::LogGap { .. }) => StatusCode::CONFLICT,
            RunnerError::Refused(Refusal::Unauthorized) => StatusCode::UNAUTHORIZED,
            RunnerError::Refused(Refusal::NotFound) => StatusCode::NOT_FOUND,
            RunnerError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            RunnerError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut reply = HttpResponse::build(self.status_code());
        match self {
            RunnerError::Refused(refusal) => reply.json(refusal),
            RunnerError::TooLarge { .. } => reply.json(Refusal::Invalid { message: self.to_string() }),
            RunnerError::Internal(error) => {
                tracing::error!(error = format!("{error:#}"), "a runner's request failed");
                reply.json(serde_json::json!({ "error": "internal", "message": self.to_string() }))
            }
        }
    }
}
