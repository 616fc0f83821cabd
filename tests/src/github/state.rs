//! What GitHub knows. Everything that the fake says over HTTP is derived from here; tests look here.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde_json::Value;
use workflows::ids::{RepoName, Sha};

use super::{auth::Keys, faults::Fault};

pub struct State {
    /// Where this GitHub is reached.
    pub url: String,
    /// How long the answer to a new check run is under way, once it is made.
    pub latency: Duration,
    pub app: App,
    /// Codes that can be exchanged for an App, and what the App is to be.
    pub manifests: Vec<(String, Value)>,
    pub repos: Vec<Repo>,
    pub installations: Vec<Installation>,
    pub tokens: Vec<Token>,
    pub deliveries: Vec<Delivery>,
    /// Deliveries that were asked for again and are not sent yet.
    pub outbox: Vec<Delivery>,
    /// Faults to come, in order; each is for the next request to its operation.
    pub faults: Vec<(&'static str, &'static str, Fault)>,
    /// Requests that were answered, in order.
    pub requests: Vec<Seen>,
    /// Breaches of the official description, by us or by the fake. Tests fail on any.
    pub violations: Vec<String>,
    pub last_id: u64,
}

pub struct App {
    pub id: u64,
    pub keys: Keys,
    pub webhook_secret: String,
    /// Where webhooks go; none while nobody listens: deliveries then fail with status 0.
    pub webhook_url: Option<String>,
}

pub struct Repo {
    pub id: u64,
    pub name: RepoName,
    pub path: PathBuf,
    /// The repository that this is a fork of.
    pub fork_of: Option<u64>,
    pub pulls: Vec<Pull>,
    pub check_runs: Vec<CheckRun>,
    /// Login → `admin`, `maintain`, `write`, `triage` or `read`.
    pub collaborators: BTreeMap<String, &'static str>,
}

#[derive(Debug, Clone)]
pub struct Pull {
    pub number: u64,
    pub title: String,
    pub head_repo: u64,
    pub head_ref: String,
    pub head: Sha,
    pub base_ref: String,
}

#[derive(Debug, Clone)]
pub struct CheckRun {
    pub id: u64,
    pub name: String,
    pub head: Sha,
    pub external_id: String,
    pub details_url: String,
    pub status: String,
    pub conclusion: Option<String>,
    pub started_at: Option<String>,
    pub completed_at: Option<String>,
    pub title: String,
    pub summary: String,
    pub text: Option<String>,
    /// Appended to by every update.
    pub annotations: Vec<Value>,
    /// `status` or `status/conclusion`, after each request that wrote it.
    pub history: Vec<String>,
}

pub struct Installation {
    pub id: u64,
    pub repos: Vec<RepoName>,
}

pub struct Token {
    pub value: String,
    pub installation: u64,
    /// Names it is restricted to; none means all of the installation's.
    pub repos: Option<Vec<String>>,
    /// Permission → `read` or `write`; none means all of the App's.
    pub permissions: Option<BTreeMap<String, String>>,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: u64,
    pub guid: String,
    pub event: String,
    pub action: Option<String>,
    pub body: Vec<u8>,
    pub delivered_at: Timestamp,
    pub redelivery: bool,
    /// What was answered; 0 where nobody was there.
    pub status_code: u16,
}

#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub status: u16,
    pub at: Timestamp,
}

impl State {
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    #[track_caller]
    pub fn repo(&self, name: &str) -> &Repo {
        self.repos.iter().find(|repo| repo.name.as_str() == name).unwrap_or_else(|| panic!("no repository {name}"))
    }

    #[track_caller]
    pub fn repo_mut(&mut self, name: &str) -> &mut Repo {
        self.repos.iter_mut().find(|repo| repo.name.as_str() == name).unwrap_or_else(|| panic!("no repository {name}"))
    }

    pub fn installation_of(&self, name: &RepoName) -> Option<u64> {
        self.installations.iter().find(|installation| installation.repos.contains(name)).map(|found| found.id)
    }

    /// How often something was asked, whatever the answer.
    pub fn count(&self, method: &str, path_part: &str) -> usize {
        self.requests.iter().filter(|seen| seen.method == method && seen.path.contains(path_part)).count()
    }

    pub fn clone_url(&self, name: &RepoName) -> String {
        format!("{}/{name}.git", self.url)
    }
}

impl Repo {
    /// The newest check run of a name on a commit: what a pull request shows, what protection requires.
    pub fn check(&self, head: &Sha, name: &str) -> Option<&CheckRun> {
        self.check_runs.iter().rev().find(|run| run.head == *head && run.name == name)
    }

    /// Whether branch protection that requires `name` lets a commit in.
    pub fn passes(&self, head: &Sha, name: &str) -> bool {
        self.check(head, name)
            .is_some_and(|run| matches!(run.conclusion.as_deref(), Some("success" | "neutral" | "skipped")))
    }
}
