use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{App as WebApp, HttpServer, web};
use anyhow::Context;
use tokio::sync::watch;

use crate::{
    app::{App, Credentials},
    blobs::{Blobs, LogStore},
    clock::Clock,
    config::{GithubConfig, ServerConfig},
    forge::Forges,
    github::GithubForge,
    http, reconcile, recovery, secrets,
    store::{Store, engine::Engine},
    turns::Turns,
    workflow_cache::WorkflowCache,
};

/// How long requests may still take when the server is asked to stop, in seconds.
const DRAIN_S: u64 = 10;

/// Serves on `listener` until `shutdown` is done; then finishes what is under way and closes the store.
///
/// # Errors
/// Where the data directory cannot be used: it is in use by another process, damaged, or not writable.
pub async fn serve(
    mut config: ServerConfig,
    listener: TcpListener,
    clock: Clock,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(&config.data).with_context(|| format!("cannot make {}", config.data.display()))?;
    if config.github.is_none() {
        config.github = GithubConfig::in_data_dir(&config.data)?;
    }
    let directory = config.data.join("store");
    let engine = tokio::task::spawn_blocking(move || Engine::open(&directory)).await??;
    let (stop, stopping) = watch::channel(false);
    let (nudges, nudged) = reconcile::Nudges::new();
    let app = Arc::new(build(config, &listener, clock, engine.clone(), nudges, stopping.clone())?);

    let reconciler = tokio::spawn(reconcile::run(app.clone(), nudged, stopping.clone()));
    let recovery = tokio::spawn(recovery::run(app.clone(), stopping));
    let workers = app.config.http_workers;
    let shared = web::Data::new(app);
    let server = HttpServer::new(move || {
        WebApp::new().app_data(shared.clone()).wrap(http::security_headers()).configure(http::routes)
    })
    .workers(workers)
    .disable_signals()
    // A runner that stops closes its claim. It must not be given a job afterwards: it has just given one back.
    .h1_allow_half_closed(false)
    .shutdown_timeout(DRAIN_S)
    .keep_alive(Duration::from_secs(75))
    .listen(listener)
    .context("cannot listen")?
    .run();

    let handle = server.handle();
    let stopper = tokio::spawn(async move {
        shutdown.await;
        // Long polls answer at once, so that draining does not wait for them.
        stop.send_replace(true);
        handle.stop(true).await;
    });
    let served = server.await.context("the HTTP server failed");
    stopper.abort();
    let reconciled = reconciler.await.context("the reconciler panicked");
    let recovered = recovery.await.context("the recovery of deliveries panicked");
    engine.close().await;
    served.and(reconciled).and(recovered)
}

fn build(
    config: ServerConfig,
    listener: &TcpListener,
    clock: Clock,
    engine: Engine,
    nudges: reconcile::Nudges,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<App> {
    let own = |given: &Option<String>, make: fn(&std::path::Path) -> anyhow::Result<String>| match given {
        Some(secret) => Ok(secret.clone()),
        None => make(&config.data),
    };
    let github = config.github.as_ref().map(GithubConfig::load).transpose()?;
    let credentials = Credentials {
        runner_token: own(&config.runner_token, secrets::runner_token)?,
        api_token: own(&config.api_token, secrets::api_token)?,
        local_webhook: own(&config.local.webhook_secret, secrets::local_webhook)?,
        github_webhook: github.as_ref().map(|github| github.webhook_secret.clone()),
    };
    let public_url = match config.public_url.trim_end_matches('/') {
        "" => format!("http://{}", listener.local_addr()?),
        url => url.to_owned(),
    };
    let blobs = Blobs::open(&config.data.join("blobs"))?;
    let logs = LogStore::open(&config.data.join("logs"))?;
    Ok(App {
        public_url,
        credentials,
        store: Store::new(engine, blobs.clone()),
        blobs,
        logs,
        forges: Forges { github: github.map(GithubForge::new).transpose()? },
        clock,
        nudges,
        workflows: WorkflowCache::default(),
        turns: Turns::default(),
        stopping,
        config,
    })
}
