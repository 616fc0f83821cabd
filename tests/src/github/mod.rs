//! A GitHub of our own, as *state*: repositories, pull requests, check runs, installations, deliveries.
//! What it says over HTTP is derived from the state, and judged, like every request of ours, by GitHub's
//! official OpenAPI description. The real client, real signatures and real git speak to it.
//!
//! Reading order: [`state`], then [`FakeGithub`] (what tests do), then [`api`] (what it answers).

pub mod api;
pub mod auth;
pub mod contract;
pub mod faults;
mod git;
mod http;
pub mod state;
mod webhooks;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use server::github::{GithubConfig, GithubForge};
use tempfile::TempDir;
use workflows::ids::{RepoName, Sha};

use self::{
    auth::Keys,
    faults::Fault,
    state::{App, Installation, Pull, Repo, State},
};
use crate::repo::BareRepo;

/// A running GitHub. When it is dropped, the test fails if anything broke the official description.
pub struct FakeGithub {
    shared: Shared,
    server: http::Running,
    directory: TempDir,
}

type Shared = Arc<Mutex<State>>;

fn locked(shared: &Shared) -> MutexGuard<'_, State> {
    // A test that panicked elsewhere still wants to look.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeGithub {
    pub fn start() -> Self {
        // Compiled before anyone waits for an answer.
        contract::contract();
        let app = App {
            id: 4711,
            keys: Keys::generate(),
            webhook_secret: "it's a secret to everybody".to_owned(),
            webhook_url: None,
        };
        let state = State {
            url: String::new(),
            latency: Duration::ZERO,
            app,
            manifests: Vec::new(),
            repos: Vec::new(),
            installations: Vec::new(),
            tokens: Vec::new(),
            deliveries: Vec::new(),
            outbox: Vec::new(),
            faults: Vec::new(),
            requests: Vec::new(),
            violations: Vec::new(),
            last_id: 1000,
        };
        let shared = Arc::new(Mutex::new(state));
        let server = http::Running::start(shared.clone());
        locked(&shared).url.clone_from(&server.url);
        Self { shared, server, directory: tempfile::tempdir().expect("a directory for repositories") }
    }

    /// What GitHub knows now. Do not hold it across an `await`: the fake answers nothing meanwhile.
    pub fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.shared)
    }

    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// What an administrator would write into the server's configuration.
    pub fn config(&self) -> GithubConfig {
        let state = self.state();
        GithubConfig {
            app_id: state.app.id,
            private_key: state.app.keys.private_pem.clone(),
            webhook_secret: state.app.webhook_secret.clone(),
            api_url: state.url.clone(),
        }
    }

    /// The same as `[github]` in `assay.toml`; the files that it names are written into `directory`.
    pub fn server_config(&self, directory: &Path) -> server::GithubConfig {
        let GithubConfig { app_id, private_key, webhook_secret, api_url } = self.config();
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            std::fs::write(&path, text).expect("a directory of the test's own can be written");
            path
        };
        server::GithubConfig {
            app_id,
            private_key_file: write("github-app.pem", &private_key),
            webhook_secret_file: write("github-webhook", &webhook_secret),
            api_url,
            ..server::GithubConfig::default()
        }
    }

    /// Our client of this GitHub, as the server makes it.
    pub fn client(&self) -> GithubForge {
        GithubForge::new(self.config()).expect("the configuration is good")
    }

    /// A repository with the App installed; the number is its installation's.
    pub fn create_repo(&self, name: &str) -> (BareRepo, u64) {
        let repo = self.create_repo_elsewhere(name, None);
        let mut state = self.state();
        let id = state.next_id();
        state.installations.push(Installation { id, repos: vec![name.parse().expect("a name of a repository")] });
        (repo, id)
    }

    /// A repository where the App is not installed; a fork where it names another.
    pub fn create_repo_elsewhere(&self, name: &str, fork_of: Option<&str>) -> BareRepo {
        let name: RepoName = name.parse().expect("a name of a repository");
        let path = self.path_of(&name);
        let git = BareRepo::init(&path);
        let mut state = self.state();
        let fork_of = fork_of.map(|of| state.repo(of).id);
        let id = state.next_id();
        let repo =
            Repo { id, name, path, fork_of, pulls: Vec::new(), check_runs: Vec::new(), collaborators: BTreeMap::new() };
        state.repos.push(repo);
        git
    }

    fn path_of(&self, name: &RepoName) -> PathBuf {
        self.directory.path().join(format!("{name}.git"))
    }

    /// Opens a pull request for a commit that is in `name`'s repository (GitHub keeps a fork's commits
    /// there too, under `refs/pull`). `head_repo` is where the branch lives.
    pub fn open_pull(&self, name: &str, head_repo: &str, head_ref: &str, head: &Sha, title: &str) -> u64 {
        let mut state = self.state();
        let number = state.next_id();
        let head_repo = state.repo(head_repo).id;
        let repo = state.repo_mut(name);
        repo.pulls.push(Pull {
            number,
            title: title.to_owned(),
            head_repo,
            head_ref: head_ref.to_owned(),
            head: head.clone(),
            base_ref: "main".to_owned(),
        });
        git::point(&repo.path, &format!("refs/pull/{number}/head"), head);
        number
    }

    /// The administrator says yes to a manifest; the code that GitHub sends their browser back with.
    pub fn accept_manifest(&self, manifest: &Value) -> String {
        let mut state = self.state();
        let code = format!("code-{}", state.next_id());
        state.manifests.push((code.clone(), manifest.clone()));
        code
    }

    /// Schedules a fault for the next request to an operation.
    pub fn fail_next(&self, method: &'static str, template: &'static str, fault: Fault) {
        assert!(contract::OPERATIONS.contains(&(method, template)), "{method} {template} is not among OPERATIONS");
        self.state().faults.push((method, template, fault));
    }

    /// Webhooks go there from now on.
    pub fn send_webhooks_to(&self, server: &str) {
        self.state().app.webhook_url = Some(format!("{server}/webhooks/github"));
    }
}

impl Drop for FakeGithub {
    fn drop(&mut self) {
        self.server.stop();
        let state = self.state();
        if !std::thread::panicking() {
            let first: Vec<&String> = state.violations.iter().take(5).collect();
            assert!(first.is_empty(), "GitHub's description was broken: {first:#?}");
            assert!(state.faults.is_empty(), "faults that never came about: {:?}", state.faults);
        }
    }
}
