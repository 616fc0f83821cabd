//! Server and runner in one process. The runner speaks the same protocol over the same HTTP as one
//! on another machine: there is no second way in.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::Context;
use runner::agent::{IsolationChoice, RunnerConfig};
use server::{Clock, ServerConfig};
use tokio::sync::watch;

/// A server, with a runner beside it if wanted, until told to stop.
pub struct Embedded {
    pub url: String,
    stop_runner: watch::Sender<bool>,
    stop_server: watch::Sender<bool>,
    server: tokio::task::JoinHandle<anyhow::Result<()>>,
    runner: Option<tokio::task::JoinHandle<anyhow::Result<()>>>,
}

/// What may be chosen of the embedded runner.
#[derive(Debug, Clone, Copy)]
pub struct RunnerChoice {
    pub slots: u32,
    pub isolation: IsolationChoice,
}

/// Binds before anything else is started, so that a port in use is said at once.
pub fn bind(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{address} is in use by another program; choose another with --listen or --port")
        }
        _ => anyhow::Error::new(error).context(format!("cannot listen on {address}")),
    })
}

/// The address that people can open: a wildcard listens everywhere but is no place to go to.
pub fn url_of(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("http://localhost:{}", address.port()),
        false => format!("http://{address}"),
    }
}

/// The embedded runner's configuration. Jobs and caches live beside the server's data.
pub fn runner_config(server: &str, token: String, data: &Path, choice: RunnerChoice) -> anyhow::Result<RunnerConfig> {
    Ok(RunnerConfig {
        server: server.to_owned(),
        token,
        name: format!("{}-embedded", host_name()),
        labels: Vec::new(),
        slots: choice.slots,
        work_dir: data.join("runner/work"),
        cache_dir: data.join("runner/cache"),
        assay: own_binary()?,
        isolation: choice.isolation,
        once: false,
        ephemeral: false,
    })
}

pub fn own_binary() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot find the path of this binary")
}

pub fn host_name() -> String {
    rustix::system::uname().nodename().to_str().ok().filter(|n| !n.is_empty()).unwrap_or("localhost").to_owned()
}

impl Embedded {
    pub fn start(config: ServerConfig, listener: TcpListener, runner: Option<RunnerChoice>) -> anyhow::Result<Self> {
        let data = config.data.clone();
        let url = url_of(listener.local_addr()?);
        let token = server::secrets::runner_token(&data)?;
        let (stop_runner, _) = watch::channel(false);
        let (stop_server, _) = watch::channel(false);
        let server = tokio::spawn(server::serve(config, listener, Clock::System, stopped(stop_server.subscribe())));
        let runner = match runner {
            None => None,
            Some(choice) => {
                let config = runner_config(&url, token, &data, choice)?;
                Some(tokio::spawn(runner::agent::run(config, stopped(stop_runner.subscribe()))))
            }
        };
        Ok(Self { url, stop_runner, stop_server, server, runner })
    }

    /// Runs until `until` is done or one of the two fails; then stops both, the runner first, so that
    /// it can still give its jobs back.
    pub async fn run_until<T>(mut self, until: impl Future<Output = T>) -> anyhow::Result<T> {
        let outcome = tokio::select! {
            outcome = until => Ok(outcome),
            ended = &mut self.server => Err(ended_early("server", ended)),
            ended = async { self.runner.as_mut().expect("guarded").await }, if self.runner.is_some() => {
                Err(ended_early("runner", ended))
            }
        };
        self.stop_runner.send_replace(true);
        if let Some(runner) = self.runner.take_if(|runner| !runner.is_finished()) {
            runner.await.context("the runner panicked")??;
        }
        self.stop_server.send_replace(true);
        if !self.server.is_finished() {
            self.server.await.context("the server panicked")??;
        }
        outcome
    }
}

fn ended_early(who: &str, ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("the {who} stopped by itself"),
        Ok(Err(error)) => error.context(format!("the {who} stopped")),
        Err(error) => anyhow::Error::new(error).context(format!("the {who} panicked")),
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // A closed channel means that whoever could say stop is gone: stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Ctrl-C, or the signal by which service managers stop a program.
pub async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
