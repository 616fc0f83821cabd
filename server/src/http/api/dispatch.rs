//! Starting workflows without a push, under GitHub's own paths and with its bodies.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Writer, repo_name};
use crate::{app::SharedApp, dispatch, error::ApiError};

/// Who holds a token, where the caller does not say.
const CALLER: &str = "api";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfWorkflow {
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    #[serde(default)]
    inputs: Map<String, Value>,
    /// For people to read.
    actor: Option<String>,
}

pub(super) async fn workflow(
    _: Writer,
    app: web::Data<SharedApp>,
    path: web::Path<(String, String, String)>,
    given: web::Json<OfWorkflow>,
) -> Result<HttpResponse, ApiError> {
    let repo = repo_name(&path.0, &path.1)?;
    let OfWorkflow { git_ref, inputs, actor } = given.into_inner();
    let actor = actor.as_deref().unwrap_or(CALLER);
    let started = dispatch::workflow(&app, &repo, &path.2, git_ref.as_deref(), inputs, actor).await?;
    Ok(HttpResponse::Accepted().json(started))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfRepository {
    event_type: String,
    #[serde(default)]
    client_payload: Value,
    actor: Option<String>,
}

pub(super) async fn repository(
    _: Writer,
    app: web::Data<SharedApp>,
    path: web::Path<(String, String)>,
    given: web::Json<OfRepository>,
) -> Result<HttpResponse, ApiError> {
    let repo = repo_name(&path.0, &path.1)?;
    let OfRepository { event_type, client_payload, actor } = given.into_inner();
    let actor = actor.as_deref().unwrap_or(CALLER);
    let started = dispatch::repository_event(&app, &repo, &event_type, client_payload, actor).await?;
    Ok(HttpResponse::Accepted().json(started))
}
