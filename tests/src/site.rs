//! A server of one's own, as an administrator starts it, with one repository that pushes to it.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use workflows::ids::Sha;

use crate::{delivery::Delivery, process::ServerProcess, repo::BareRepo, wait::until_async};

/// Name of the repository.
pub const REPO: &str = "acme/digits";

pub struct Site {
    /// None while it is stopped.
    server: Option<ServerProcess>,
    pub data: PathBuf,
    pub git: BareRepo,
    pub client: reqwest::Client,
    _home: TempDir,
}

impl Site {
    /// A server process on a free port; without `--no-runner` among the arguments it runs jobs.
    pub fn start(arguments: &[&str]) -> Self {
        let home = TempDir::new().expect("a temporary directory");
        let data = home.path().join("data");
        let git = BareRepo::init(&home.path().join("digits.git"));
        let mut site = Self { server: None, data, git, client: reqwest::Client::new(), _home: home };
        site.start_again(arguments);
        site
    }

    pub fn start_again(&mut self, arguments: &[&str]) {
        let data = self.data.clone();
        self.server = Some(tokio::task::block_in_place(|| ServerProcess::start(&data, arguments)));
    }

    /// The process, to be ended; [`Site::start_again`] starts the next on the same directory.
    pub fn take_server(&mut self) -> ServerProcess {
        self.server.take().expect("it runs")
    }

    pub fn server(&self) -> &ServerProcess {
        self.server.as_ref().expect("it runs")
    }

    pub fn url(&self) -> &str {
        self.server().url()
    }

    pub fn secret(&self) -> String {
        server::secrets::local_webhook(&self.data).expect("the server made its secrets")
    }

    /// Tells the server of a push; its status.
    pub async fn push(&self, branch: &str, sha: &Sha) -> u16 {
        let delivery = Delivery::local_push(&self.git, REPO, branch, None, sha);
        delivery.send(&self.client, self.url(), "local", &self.secret()).await.expect("the server answers")
    }

    /// Commits files on a branch (made from `from` where it is new) and pushes it.
    pub async fn commit(&self, branch: &str, from: Option<&Sha>, message: &str, files: &[(&str, &[u8])]) -> Sha {
        let sha = self.git.commit(branch, from, message, files);
        assert_eq!(self.push(branch, &sha).await, 202, "the push of {branch} is not accepted");
        sha
    }

    /// What the API says under `/api/v1/repos/{REPO}`.
    pub async fn get(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/repos/{REPO}/{path}", self.url());
        let text = self.client.get(&url).send().await.expect("it answers").text().await.expect("to the end");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url} answered {text:?}: {error}"))
    }

    /// The answer of a commit's gate, once there is one.
    pub async fn gate(&self, sha: &Sha) -> Value {
        until_async("the gate to conclude", async || {
            let gate = self.get(&format!("commits/{sha}/gate")).await;
            if gate["state"] == "concluded" { Ok(gate) } else { Err(gate) }
        })
        .await
    }

    /// A run, once it has ended.
    pub async fn ended(&self, number: u64) -> Value {
        until_async("the run to end", async || {
            let run = self.get(&format!("runs/{number}")).await;
            if run["status"] == "completed" { Ok(run) } else { Err(run) }
        })
        .await
    }
}
