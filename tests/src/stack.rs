//! Server and runner in the test's own process, over real HTTP on a free port.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
};

use runner::agent::{IsolationChoice, RunnerConfig};
use server::{Clock, ServerConfig};
use tokio::{sync::watch, task::JoinHandle};

use crate::binary::assay;

pub struct Stack {
    pub url: String,
    pub data: PathBuf,
    /// The server first.
    tasks: Vec<(watch::Sender<bool>, JoinHandle<anyhow::Result<()>>)>,
}

impl Stack {
    /// A server without a runner. `configure` changes what a data directory alone would give.
    pub fn server(data: &Path, configure: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::server_at(data, Clock::System, configure)
    }

    /// The same, whose time is the clock's.
    pub fn server_at(data: &Path, clock: Clock, configure: impl FnOnce(&mut ServerConfig)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        std::fs::create_dir_all(data).expect("the data directory can be made");
        let mut config = ServerConfig::for_data_dir(data);
        config.public_url.clone_from(&url);
        configure(&mut config);
        let (stop, _) = watch::channel(false);
        let server = tokio::spawn(server::serve(config, listener, clock, stopped(stop.subscribe())));
        Self { url, data: data.to_owned(), tasks: vec![(stop, server)] }
    }

    /// Adds a runner of `slots` slots.
    pub fn with_runner(mut self, slots: u32, isolation: IsolationChoice) -> Self {
        let config = RunnerConfig {
            server: self.url.clone(),
            token: server::secrets::runner_token(&self.data).expect("the server made its secrets"),
            name: "runner".to_owned(),
            labels: Vec::new(),
            slots,
            work_dir: self.data.join("runner/work"),
            cache_dir: self.data.join("runner/cache"),
            assay: assay().to_owned(),
            isolation,
            once: false,
            ephemeral: false,
        };
        let (stop, _) = watch::channel(false);
        let runner = tokio::spawn(runner::agent::run(config, stopped(stop.subscribe())));
        self.tasks.push((stop, runner));
        self
    }

    pub fn webhook_secret(&self) -> String {
        server::secrets::local_webhook(&self.data).expect("the server made its secrets")
    }

    /// Stops both, the runner first, and fails if one of them failed.
    pub async fn stop(self) {
        for (stop, task) in self.tasks.into_iter().rev() {
            stop.send_replace(true);
            task.await.expect("it did not panic").expect("it stopped in good order");
        }
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
