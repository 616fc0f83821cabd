//! For whoever watches the server.

use actix_web::{HttpResponse, web};

use crate::{app::SharedApp, error::ApiError, facts};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/healthz", web::get().to(healthz))
        .route("/readyz", web::get().to(readyz))
        .route("/metrics", web::get().to(metrics));
}

/// The process answers.
async fn healthz() -> &'static str {
    "ok\n"
}

/// It can also do its work: the store answers, and nobody asked it to stop.
async fn readyz(app: web::Data<SharedApp>) -> HttpResponse {
    let stopping = *app.stopping.borrow();
    match app.store.now().await {
        Ok(_) if !stopping => HttpResponse::Ok().body("ready\n"),
        Ok(_) => HttpResponse::ServiceUnavailable().body("stopping\n"),
        Err(error) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
    }
}

async fn metrics(app: web::Data<SharedApp>) -> Result<HttpResponse, ApiError> {
    let text = facts::prometheus(&app).await?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}
