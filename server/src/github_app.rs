//! Making the GitHub App: a page with one button, on this machine, for as long as it takes.
//!
//! The button posts the manifest to GitHub, GitHub asks the administrator and sends the browser back with a code,
//! and what the code is exchanged for goes into the data directory, readable by its owner alone.

use std::{net::TcpListener, path::PathBuf};

use actix_web::{App, HttpResponse, HttpServer, http::StatusCode, web};
use anyhow::Context;
use rand::RngExt;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::{
    app::same_secret,
    config::GithubConfig,
    github::{self, CreatedApp},
    secrets,
};

/// What the App is to be.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The server's data directory.
    pub data: PathBuf,
    /// Where GitHub reaches the server; no `/` at its end.
    pub public_url: String,
    /// Must be unique at GitHub.
    pub name: String,
    /// Whose App it will be; none: the administrator's own.
    pub organization: Option<String>,
    /// `https://api.github.com`, or `https://HOST/api/v3`.
    pub api_url: String,
}

struct Shared {
    setup: Setup,
    redirect_url: String,
    /// Comes back with the code: whoever sends one without it was not sent by our button.
    state: String,
    done: mpsc::Sender<CreatedApp>,
}

/// Serves the page on `listener` until the App was made and written down.
///
/// # Errors
/// Where there is an App already, or the listener cannot be used.
pub async fn create(setup: Setup, listener: TcpListener) -> anyhow::Result<CreatedApp> {
    let written = GithubConfig::path_in(&setup.data);
    anyhow::ensure!(
        !written.exists(),
        "{} is there already: this server has an App. Delete the file to make another",
        written.display()
    );
    let redirect_url = format!("http://{}/created", listener.local_addr()?);
    let (done, mut created) = mpsc::channel(1);
    let state = hex::encode(rand::rng().random::<[u8; 16]>());
    let shared = web::Data::new(Shared { setup, redirect_url, state, done });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .wrap(crate::http::security_headers())
            .route("/", web::get().to(button))
            .route("/created", web::get().to(receive))
    })
    .workers(1)
    .disable_signals()
    .shutdown_timeout(5)
    .listen(listener)
    .context("cannot listen")?
    .run();
    let handle = server.handle();
    let serving = tokio::spawn(server);
    let app = created.recv().await.context("the page was closed")?;
    handle.stop(true).await;
    serving.await?.context("the page could not be served")?;
    Ok(app)
}

async fn button(shared: web::Data<Shared>) -> HttpResponse {
    let Setup { public_url, name, organization, api_url, .. } = &shared.setup;
    let manifest = github::manifest(name, public_url, &shared.redirect_url).to_string();
    let action = github::new_app_url(github::web_url(api_url), organization.as_deref(), &shared.state);
    page(
        StatusCode::OK,
        &format!(
            "<p>GitHub will show what the App may do, ask for its name, and send you back here.</p>\
             <form action=\"{}\" method=\"post\"><input type=\"hidden\" name=\"manifest\" value=\"{}\">\
             <button type=\"submit\">Create the GitHub App</button></form>",
            escaped(&action),
            escaped(&manifest)
        ),
    )
}

#[derive(Deserialize)]
struct Returned {
    code: String,
    state: String,
}

async fn receive(shared: web::Data<Shared>, returned: web::Query<Returned>) -> HttpResponse {
    if !same_secret(returned.state.as_bytes(), shared.state.as_bytes()) {
        return page(
            StatusCode::BAD_REQUEST,
            "<p>This code was not asked for here. <a href=\"/\">Begin again.</a></p>",
        );
    }
    let app = match github::exchange(&shared.setup.api_url, &returned.code).await {
        Ok(app) => app,
        Err(error) => {
            let again = format!("<p>{}</p><p><a href=\"/\">Begin again.</a></p>", escaped(&error.to_string()));
            return page(StatusCode::BAD_GATEWAY, &again);
        }
    };
    if let Err(error) = write(&shared.setup, &app) {
        return page(StatusCode::INTERNAL_SERVER_ERROR, &format!("<p>{}</p>", escaped(&format!("{error:#}"))));
    }
    let done = page(
        StatusCode::OK,
        &format!(
            "<p>The App {} is made. Now <a href=\"{}/installations/new\">choose its repositories</a>, and start \
             <code>assay serve</code>.</p>",
            escaped(&app.slug),
            escaped(&app.html_url)
        ),
    );
    // A second one finds nobody waiting any more.
    let _ = shared.done.send(app).await;
    done
}

/// Key and secret first: what the server looks for is there once all is.
fn write(setup: &Setup, app: &CreatedApp) -> anyhow::Result<()> {
    let key = secrets::write(&setup.data, "github-app.pem", &app.pem)?;
    let secret = secrets::write(&setup.data, "github-webhook", &app.webhook_secret)?;
    let config = GithubConfig {
        app_id: app.id,
        private_key_file: key,
        webhook_secret_file: secret,
        api_url: setup.api_url.clone(),
        ..GithubConfig::default()
    };
    config.write(&setup.data)
}

fn page(status: StatusCode, body: &str) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        // The manifest is posted to GitHub: the form may go anywhere, and nothing else is loaded.
        .insert_header(("content-security-policy", "default-src 'none'"))
        .body(format!(
            "<!doctype html><html lang=\"en\"><title>Assay at GitHub</title><h1>Assay at GitHub</h1>{body}</html>"
        ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
