//! HTTP: routes and handlers of a few lines. What they do is in the modules beside this one.

mod api;
mod body;
mod buttons;
mod health;
mod pages;
mod runner_api;
mod session;
mod webhook;

use actix_web::{middleware::DefaultHeaders, web};

/// All routes.
pub fn routes(config: &mut web::ServiceConfig) {
    config.service(webhook::receive);
    runner_api::routes(config);
    api::routes(config);
    health::routes(config);
    buttons::routes(config);
    pages::routes(config);
}

/// Headers of every answer.
pub fn security_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("x-content-type-options", "nosniff"))
        .add(("x-frame-options", "DENY"))
        .add(("referrer-policy", "same-origin"))
        .add(("cross-origin-opener-policy", "same-origin"))
}

/// The bearer token of a request.
fn bearer(request: &actix_web::HttpRequest) -> Option<&str> {
    request.headers().get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")
}
