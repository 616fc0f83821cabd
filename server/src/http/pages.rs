//! The pages' routes; their addresses are listed in [`web::urls`].

use actix_web::{HttpRequest, HttpResponse, ResponseError, http::StatusCode, web as http};
use serde::Deserialize;
use web::{Actions, CONTENT_SECURITY_POLICY, ErrorPage, urls};
use workflows::{
    ids::{ArtifactName, JobKey, Sha},
    run::Conclusion,
};

use super::{api::repo_name, session::Visitor};
use crate::{
    app::SharedApp,
    error::ApiError,
    history::Filter,
    pages, run_files,
    store::{keys, records::Artifact},
};

pub(super) fn routes(config: &mut http::ServiceConfig) {
    config
        .route("/", http::get().to(repositories))
        .route("/assets/{name}", http::get().to(asset))
        .route("/{owner}/{repo}", http::get().to(runs))
        .route("/{owner}/{repo}/metrics", http::get().to(metric))
        .route("/{owner}/{repo}/self-checks", http::get().to(self_checks))
        .route("/{owner}/{repo}/compare/{range}", http::get().to(compare))
        .route("/{owner}/{repo}/runs/{number}", http::get().to(run))
        .route("/{owner}/{repo}/runs/{number}/attempts/{attempt}", http::get().to(attempt))
        .route("/{owner}/{repo}/runs/{number}/jobs/{key:.*}", http::get().to(job))
        .route("/{owner}/{repo}/runs/{number}/logs/{key:.*}", http::get().to(log))
        .route("/{owner}/{repo}/runs/{number}/artifacts/{name}", http::get().to(artifact))
        .route("/{owner}/{repo}/runs/{number}/outcomes/{key:.*}", http::get().to(outcomes))
        .default_service(http::to(missing));
}

/// An error, as a page rather than as JSON.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct PageError(#[from] ApiError);

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        if status.is_server_error() {
            // Logs what is not shown.
            let _ = self.0.error_response();
        }
        let title = match &self.0 {
            ApiError::NotFound(_) => "Page not found",
            ApiError::Invalid(_) | ApiError::Conflict(_) | ApiError::TooLarge { .. } => "This cannot be shown",
            ApiError::Unauthorized(_) | ApiError::Forbidden(_) => "Not allowed",
            ApiError::Full(_) | ApiError::Unavailable(_) | ApiError::Internal(_) => "Something went wrong here",
        };
        let page = ErrorPage { status: status.as_u16(), title: title.to_owned(), message: self.0.to_string() };
        html_with(status, page.render())
    }
}

impl From<workflows::ids::InvalidName> for PageError {
    fn from(error: workflows::ids::InvalidName) -> Self {
        Self(ApiError::NotFound(error.to_string()))
    }
}

pub(super) fn html(body: String) -> HttpResponse {
    html_with(StatusCode::OK, body)
}

fn html_with(status: StatusCode, body: String) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header(("content-security-policy", CONTENT_SECURITY_POLICY))
        .insert_header(("cache-control", "no-cache"))
        .body(body)
}

async fn repositories(app: http::Data<SharedApp>) -> Result<HttpResponse, PageError> {
    Ok(html(pages::repositories(&app).await?.render()))
}

/// A form sends every field, also the empty ones.
#[derive(Debug, Deserialize)]
struct RunsQuery {
    branch: Option<String>,
    conclusion: Option<String>,
    before: Option<u64>,
}

async fn runs(
    app: http::Data<SharedApp>,
    path: http::Path<(String, String)>,
    query: http::Query<RunsQuery>,
) -> Result<HttpResponse, PageError> {
    let RunsQuery { branch, conclusion, before } = query.into_inner();
    let conclusion = conclusion.filter(|text| !text.is_empty()).map(serde_json::Value::String);
    let conclusion: Option<Conclusion> = conclusion
        .map(serde_json::from_value)
        .transpose()
        .map_err(|error| ApiError::Invalid(format!("no such conclusion: {error}")))?;
    let filter = Filter { branch: branch.filter(|branch| !branch.is_empty()), conclusion };
    Ok(html(pages::runs(&app, &repo_name(&path.0, &path.1)?, filter, before).await?.render()))
}

#[derive(Debug, Deserialize)]
struct MetricQuery {
    name: Option<String>,
    branch: Option<String>,
}

async fn metric(
    app: http::Data<SharedApp>,
    path: http::Path<(String, String)>,
    query: http::Query<MetricQuery>,
) -> Result<HttpResponse, PageError> {
    let MetricQuery { name, branch } = query.into_inner();
    Ok(html(pages::metric(&app, &repo_name(&path.0, &path.1)?, name, branch).await?.render()))
}

async fn self_checks(
    app: http::Data<SharedApp>,
    path: http::Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    Ok(html(pages::self_checks(&app, &repo_name(&path.0, &path.1)?).await?.render()))
}

async fn compare(
    app: http::Data<SharedApp>,
    path: http::Path<(String, String, String)>,
) -> Result<HttpResponse, PageError> {
    let sha = |text: &str| text.parse::<Sha>().map_err(|error| ApiError::NotFound(error.to_string()));
    let (base, head) =
        path.2.split_once("...").ok_or_else(|| ApiError::NotFound("two commits as BASE...HEAD".to_owned()))?;
    Ok(html(pages::compare(&app, &repo_name(&path.0, &path.1)?, &sha(base)?, &sha(head)?).await?.render()))
}

async fn run(
    app: http::Data<SharedApp>,
    visitor: Visitor,
    path: http::Path<(String, String, u64)>,
) -> Result<HttpResponse, PageError> {
    let mut page = pages::run(&app, &repo_name(&path.0, &path.1)?, path.2, None).await?;
    if let Some(session) = visitor.0 {
        page.actions = Actions {
            cancel: page.run.status.is_live(),
            rerun: !page.run.status.is_live() && !page.has_errors(),
            form_token: Some(session.form_token(&app)),
            ..page.actions
        };
    } else {
        page.actions = Actions::default();
    }
    Ok(html(page.render()))
}

async fn attempt(
    app: http::Data<SharedApp>,
    path: http::Path<(String, String, u64, u32)>,
) -> Result<HttpResponse, PageError> {
    Ok(html(pages::run(&app, &repo_name(&path.0, &path.1)?, path.2, Some(path.3)).await?.render()))
}

#[derive(Debug, Deserialize)]
struct JobQuery {
    log: Option<String>,
}

async fn job(
    app: http::Data<SharedApp>,
    path: http::Path<(String, String, u64, String)>,
    query: http::Query<JobQuery>,
) -> Result<HttpResponse, PageError> {
    let key: JobKey = path.3.parse()?;
    let with_log = query.log.as_deref() != Some("none");
    Ok(html(pages::job(&app, &repo_name(&path.0, &path.1)?, path.2, &key, with_log).await?.render()))
}

#[derive(Debug, Deserialize)]
struct Offset {
    #[serde(default)]
    offset: u64,
}

async fn log(
    app: http::Data<SharedApp>,
    path: http::Path<(String, String, u64, String)>,
    query: http::Query<Offset>,
) -> Result<HttpResponse, PageError> {
    let key: JobKey = path.3.parse()?;
    let (bytes, length, complete) = pages::log(&app, &repo_name(&path.0, &path.1)?, path.2, &key, query.offset).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((urls::LOG_LENGTH, length.to_string()))
        .insert_header((urls::LOG_COMPLETE, complete.to_string()))
        .insert_header(("cache-control", "no-cache"))
        .body(bytes))
}

async fn artifact(
    app: http::Data<SharedApp>,
    path: http::Path<(String, String, u64, String)>,
) -> Result<HttpResponse, PageError> {
    let name: ArtifactName = path.3.parse()?;
    let key = keys::artifact(&repo_name(&path.0, &path.1)?, path.2, name.as_str());
    let found = app.store.get::<Artifact>(&key).await.map_err(ApiError::from)?;
    let missing = || ApiError::NotFound(format!("run {} has no artifact {name}", path.2));
    let found = found.ok_or_else(missing)?;
    let stream = run_files::blob(&app, &found.record.digest).await.map_err(ApiError::from)?.ok_or_else(missing)?;
    // What jobs made is downloaded, never shown: it may be a page that means harm.
    Ok(HttpResponse::Ok()
        .content_type("application/zstd")
        .insert_header(("content-disposition", "attachment; filename=\"artifact.tar.zst\""))
        .streaming(stream))
}

#[derive(Debug, Deserialize)]
struct OutcomesQuery {
    evaluation: String,
    #[serde(default)]
    side: run_files::Side,
}

async fn outcomes(
    app: http::Data<SharedApp>,
    path: http::Path<(String, String, u64, String)>,
    query: http::Query<OutcomesQuery>,
) -> Result<HttpResponse, PageError> {
    let (repo, key) = (repo_name(&path.0, &path.1)?, path.3.parse::<JobKey>()?);
    let OutcomesQuery { evaluation, side } = query.into_inner();
    let missing = || ApiError::NotFound(format!("run {} has no outcomes of `{evaluation}`", path.2));
    let digest = run_files::outcomes(&app, &repo, path.2, &key, &evaluation, side).await?.ok_or_else(missing)?;
    let stream = run_files::blob(&app, &digest).await.map_err(ApiError::from)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok()
        .content_type("application/zstd")
        .insert_header(("content-disposition", "attachment; filename=\"outcomes.jsonl.zst\""))
        .streaming(stream))
}

async fn asset(name: http::Path<String>) -> Result<HttpResponse, PageError> {
    let (bytes, content_type) = web::asset(&name).ok_or_else(|| ApiError::NotFound(format!("no file {name}")))?;
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .insert_header(("cache-control", "public, max-age=31536000, immutable"))
        .body(bytes))
}

async fn missing(request: HttpRequest) -> HttpResponse {
    let error = ApiError::NotFound(format!("there is nothing at {}", request.path()));
    match request.path().starts_with("/api/") {
        true => error.error_response(),
        false => PageError(error).error_response(),
    }
}
