//! Secrets and variables: set, listed, deleted by whoever holds the API token. A secret's value is never said.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use workflows::settings::SettingName;

use super::{Writer, repo_name};
use crate::{app::SharedApp, error::ApiError, settings, store::keys};

type OfRepo = web::Path<(String, String)>;
type Named = web::Path<(String, String, String)>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    value: String,
}

fn name(text: &str) -> Result<SettingName, ApiError> {
    text.parse().map_err(|error: workflows::settings::InvalidSetting| ApiError::Invalid(error.to_string()))
}

pub(super) async fn secrets(_: Writer, app: web::Data<SharedApp>, path: OfRepo) -> Result<HttpResponse, ApiError> {
    let secrets = settings::list_secrets(&app, &repo_name(&path.0, &path.1)?).await?;
    let secrets = secrets.iter().map(|own| json!({ "name": own.name, "updated_at": own.updated_at }));
    Ok(HttpResponse::Ok().json(json!({ "secrets": secrets.collect::<Vec<_>>() })))
}

pub(super) async fn set_secret(
    _: Writer,
    app: web::Data<SharedApp>,
    path: Named,
    given: web::Json<Given>,
) -> Result<HttpResponse, ApiError> {
    settings::set_secret(&app, &repo_name(&path.0, &path.1)?, &name(&path.2)?, &given.value).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn delete_secret(_: Writer, app: web::Data<SharedApp>, path: Named) -> Result<HttpResponse, ApiError> {
    let (repo, name) = (repo_name(&path.0, &path.1)?, name(&path.2)?);
    settings::delete(&app, &keys::secret(&repo, &name), &name).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn variables(_: Writer, app: web::Data<SharedApp>, path: OfRepo) -> Result<HttpResponse, ApiError> {
    let variables = settings::list_variables(&app, &repo_name(&path.0, &path.1)?).await?;
    Ok(HttpResponse::Ok().json(json!({ "variables": variables })))
}

pub(super) async fn set_variable(
    _: Writer,
    app: web::Data<SharedApp>,
    path: Named,
    given: web::Json<Given>,
) -> Result<HttpResponse, ApiError> {
    settings::set_variable(&app, &repo_name(&path.0, &path.1)?, &name(&path.2)?, &given.value).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn delete_variable(
    _: Writer,
    app: web::Data<SharedApp>,
    path: Named,
) -> Result<HttpResponse, ApiError> {
    let (repo, name) = (repo_name(&path.0, &path.1)?, name(&path.2)?);
    settings::delete(&app, &keys::variable(&repo, &name), &name).await?;
    Ok(HttpResponse::NoContent().finish())
}
