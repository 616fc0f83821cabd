//! The API for people and tools: JSON under `/api/v1`.

mod dispatch;
mod gate;
mod metrics;
mod runs;
mod settings;

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use workflows::ids::RepoName;

use super::bearer;
use crate::{
    app::{SharedApp, same_secret},
    error::ApiError,
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let repo = web::scope("/api/v1/repos/{owner}/{repo}")
        .route("/runs", web::get().to(runs::list))
        .route("/runs/{number}", web::get().to(runs::one))
        .route("/runs/{number}/cancel", web::post().to(runs::cancel))
        .route("/runs/{number}/rerun", web::post().to(runs::rerun))
        .route("/metrics/{name}", web::get().to(metrics::trend))
        .route("/runs/{number}/accept", web::post().to(gate::accept_run))
        .route("/workflows/{file:.+}/dispatches", web::post().to(dispatch::workflow))
        .route("/dispatches", web::post().to(dispatch::repository))
        .route("/secrets", web::get().to(settings::secrets))
        .route("/secrets/{name}", web::put().to(settings::set_secret))
        .route("/secrets/{name}", web::delete().to(settings::delete_secret))
        .route("/variables", web::get().to(settings::variables))
        .route("/variables/{name}", web::put().to(settings::set_variable))
        .route("/variables/{name}", web::delete().to(settings::delete_variable))
        .route("/self-checks", web::get().to(gate::self_checks))
        .route("/audit", web::get().to(gate::audit))
        .route("/commits/{sha}/gate/accept", web::post().to(gate::accept))
        .route("/commits/{sha}/gate", web::get().to(gate::answer));
    config.service(repo);
}

/// `owner/name` of a path, if it is one.
pub(super) fn repo_name(owner: &str, name: &str) -> Result<RepoName, ApiError> {
    Ok(format!("{owner}/{name}").parse()?)
}

/// A request that presented the API token (or the runner token, which may do more).
pub(super) struct Writer;

impl FromRequest for Writer {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<web::Data<SharedApp>>().expect("every route has it");
        let own = &app.credentials;
        let known = bearer(request).is_some_and(|token| {
            // Both are compared, whatever the first says.
            let (api, runner) = (
                same_secret(token.as_bytes(), own.api_token.as_bytes()),
                same_secret(token.as_bytes(), own.runner_token.as_bytes()),
            );
            api | runner
        });
        let refused = ApiError::Unauthorized("this needs the header `Authorization: Bearer` with the API token");
        std::future::ready(if known { Ok(Self) } else { Err(refused) })
    }
}
