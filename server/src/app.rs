use std::sync::Arc;

use tokio::sync::watch;
use workflows::ids::{JobKey, RepoName};

use crate::{
    blobs::{Blobs, LogStore},
    clock::Clock,
    config::ServerConfig,
    forge::Forges,
    reconcile::Nudges,
    store::{
        Store,
        records::{FileOutcome, HeadCommit},
    },
    turns::Turns,
    workflow_cache::WorkflowCache,
};

/// What every handler and every reconciliation works with. Cheap to share, never global.
pub struct App {
    pub config: ServerConfig,
    /// Never empty: links are made from it.
    pub public_url: String,
    pub credentials: Credentials,
    pub store: Store,
    pub blobs: Blobs,
    pub logs: LogStore,
    pub forges: Forges,
    pub clock: Clock,
    pub nudges: Nudges,
    pub workflows: WorkflowCache,
    pub turns: Turns,
    /// Turns true when the server is asked to stop; long polls end then.
    pub stopping: watch::Receiver<bool>,
}

pub type SharedApp = Arc<App>;

/// What others must present. Compared in constant time, never shown.
pub struct Credentials {
    pub runner_token: String,
    pub api_token: String,
    pub local_webhook: String,
    /// None where GitHub is not configured.
    pub github_webhook: Option<String>,
}

impl App {
    pub fn run_url(&self, repo: &RepoName, number: u64) -> String {
        format!("{}/{repo}/runs/{number}", self.public_url)
    }

    /// Where an evaluation's outcomes are read.
    pub fn outcomes_url(&self, repo: &RepoName, run: u64, key: &JobKey, evaluation: &str, side: &str) -> String {
        format!("{}{}", self.public_url, web::urls::outcomes(repo, run, key, evaluation, side))
    }

    /// The page of the newest run of a commit, or the repository's where nothing ran.
    pub fn commit_url(&self, commit: &HeadCommit) -> String {
        let numbers = commit.plannings.iter().flat_map(|planning| &planning.files).filter_map(|file| match file {
            FileOutcome::Run { number, .. } | FileOutcome::Invalid { number, .. } => Some(*number),
            FileOutcome::NotSubscribed { .. } | FileOutcome::Filtered { .. } => None,
        });
        match numbers.max() {
            Some(number) => self.run_url(&commit.repo, number),
            None => format!("{}/{}", self.public_url, commit.repo),
        }
    }
}

/// Compares secrets in a time that does not depend on where they differ.
pub fn same_secret(a: &[u8], b: &[u8]) -> bool {
    use sha2::{Digest, Sha256};
    // Digests have equal lengths, and knowing how far two digests agree says nothing of the secrets.
    let difference = Sha256::digest(a).iter().zip(Sha256::digest(b)).fold(0, |sum, (a, b)| sum | (a ^ b));
    difference == 0
}
