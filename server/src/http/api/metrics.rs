use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::repo_name;
use crate::{app::SharedApp, error::ApiError, history};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrendQuery {
    /// The default branch where it is left out.
    branch: Option<String>,
    limit: Option<usize>,
}

/// One metric over the commits of a branch, oldest first.
pub(super) async fn trend(
    app: web::Data<SharedApp>,
    path: web::Path<(String, String, String)>,
    query: web::Query<TrendQuery>,
) -> Result<HttpResponse, ApiError> {
    let repo = history::repo(&app, &repo_name(&path.0, &path.1)?).await?;
    let TrendQuery { branch, limit } = query.into_inner();
    let branch = branch.unwrap_or_else(|| repo.default_branch.clone());
    let limit = limit.unwrap_or(200).clamp(1, 1000);
    let points = history::trend(&app, &repo.name, &branch, &path.2, limit).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "metric": path.2, "branch": branch, "points": points })))
}
