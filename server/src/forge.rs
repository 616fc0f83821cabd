//! Where repositories live, as the server needs it: read files of a commit, compare commits, show checks.
//! An enum, since production really has two; tests speak to real ones (a fake GitHub over HTTP, real bare repositories).

mod local;

use std::time::Duration;

use jiff::Timestamp;
use workflows::{
    event::EventKind,
    ids::{Forge, RepoName, Sha},
    protocol::{Annotation, CheckoutSpec},
    run::Conclusion,
    syntax::ACTION_FILES,
};

use crate::{
    dispatch::Unpinned,
    github::{self, GithubError, GithubForge, Retry},
    store::records::Repo,
};

/// Where workflow files lie.
pub const WORKFLOW_DIRECTORY: &str = ".assay/workflows";

/// A workflow file, or an action's, may not be larger.
pub const MAX_WORKFLOW_BYTES: usize = 512 * 1024;

/// One file of [`WORKFLOW_DIRECTORY`], or one action's, at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowFile {
    pub path: String,
    pub text: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// Trying again helps: the network, a rate limit, a lock. `after` where the forge named a time.
    #[error("{reason}")]
    Transient { reason: String, after: Option<Duration> },
    /// The repository or the commit is not there (any more).
    #[error("{0}")]
    Gone(String),
    /// What the forge gave us cannot be used, now or later.
    #[error("{0}")]
    Unusable(String),
}

/// What a check run must look like on the forge. `external_id` finds it again after a crash.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CheckRun {
    pub repo: RepoName,
    pub head: Sha,
    pub name: String,
    /// Ours, unique per check run: what makes creating one twice impossible.
    pub external_id: String,
    pub details_url: String,
    pub state: CheckState,
    /// At most 255 characters.
    pub title: String,
    /// At most 65,535 bytes each: `workflows::report` sees to it.
    pub summary: String,
    pub text: Option<String>,
    pub annotations: Vec<Annotation>,
    /// Buttons, at most three.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<CheckAction>,
}

/// A button that a check run offers; pressing it comes back as [`Fact::RequestedAction`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CheckAction {
    /// At most 20 characters.
    pub label: String,
    /// At most 40.
    pub description: String,
    /// At most 20.
    pub identifier: String,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CheckState {
    Queued,
    InProgress { started_at: Timestamp },
    Completed { started_at: Timestamp, completed_at: Timestamp, conclusion: Conclusion },
}

/// What one delivery means.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// May start runs. `clone` is where its commits can be fetched: an https URL or an absolute path.
    Event { event: Box<workflows::event::Event>, clone: String, installation: Option<u64> },
    /// Someone pressed "Re-run" on a check run of ours.
    Rerequested { repo: RepoName, head: Sha, external_id: String, installation: Option<u64> },
    /// Someone pressed "Re-run all checks": every check run of ours on that commit.
    RerequestedAll { repo: RepoName, head: Sha, installation: Option<u64> },
    /// Someone pressed a button that a check run of ours offered.
    RequestedAction {
        repo: RepoName,
        head: Sha,
        external_id: String,
        /// Ours: which button.
        identifier: String,
        /// The forge's account name; what they may do is asked of the forge.
        actor: String,
        /// The forge's number of the account.
        actor_id: Option<u64>,
        installation: Option<u64>,
    },
    /// As `Event`, of a branch whose commit is to be asked for first.
    Unpinned(Box<Unpinned>),
    /// The merge queue gave a group up: what runs for its commit helps nobody any more.
    MergeGroupGone { repo: RepoName, head: Sha, reason: String },
    /// Nothing to do; the reason is for the log and the delivery's record.
    Ignored { reason: String },
}

impl From<GithubError> for ForgeError {
    fn from(error: GithubError) -> Self {
        let reason = error.to_string();
        match error {
            GithubError::Transient { retry: Retry::After(after), .. } => Self::Transient { reason, after: Some(after) },
            GithubError::Transient { retry: Retry::RateLimit, .. } => {
                Self::Transient { reason, after: Some(Duration::from_secs(60)) }
            }
            GithubError::Transient { retry: Retry::Backoff, .. } => Self::Transient { reason, after: None },
            GithubError::Permanent { status: Some(404 | 410), .. } => Self::Gone(reason),
            GithubError::Permanent { .. } => Self::Unusable(reason),
        }
    }
}

/// The forges that this server speaks to.
#[derive(Clone)]
pub struct Forges {
    /// None where GitHub is not configured.
    pub github: Option<GithubForge>,
}

impl Forges {
    /// What a delivery means.
    pub async fn read_event(&self, forge: Forge, event: &str, body: bytes::Bytes) -> Result<Fact, ForgeError> {
        match forge {
            Forge::Local if event == "push" => blocking(move || local::read_event(&body)).await,
            Forge::Local => Ok(Fact::Ignored { reason: format!("the local forge has no event {event:?}") }),
            Forge::Github => {
                github::parse_webhook(event, &body).map_err(|error| ForgeError::Unusable(error.to_string()))
            }
        }
    }

    /// Whether the forge says that it sent a delivery under this id since then. The local forge keeps no list.
    pub async fn has_sent(
        &self,
        forge: Forge,
        guid: &str,
        event: &str,
        since: jiff::Timestamp,
    ) -> Result<bool, ForgeError> {
        match (forge, &self.github) {
            (Forge::Github, Some(github)) => Ok(github.has_sent(guid, event, since).await?),
            (Forge::Github, None) | (Forge::Local, _) => Ok(false),
        }
    }

    pub async fn workflow_files(&self, repo: &Repo, sha: &Sha) -> Result<Vec<WorkflowFile>, ForgeError> {
        match repo.forge {
            Forge::Local => {
                let sha = sha.clone();
                on_local(repo, move |path| local::workflow_files(path, &sha)).await
            }
            Forge::Github => {
                let (github, installation) = self.github(repo)?;
                let files = github.workflow_files(installation, &repo.name, sha).await?;
                Ok(files.into_iter().map(|(path, text)| WorkflowFile { path, text }).collect())
            }
        }
    }

    /// The `action.yml` of a folder at a commit; none where there is none.
    pub async fn action_file(&self, repo: &Repo, sha: &Sha, folder: &str) -> Result<Option<WorkflowFile>, ForgeError> {
        let paths = ACTION_FILES.map(|name| format!("{folder}/{name}").trim_start_matches('/').to_owned());
        for path in paths {
            let text = match repo.forge {
                Forge::Local => {
                    let (sha, path) = (sha.clone(), path.clone());
                    on_local(repo, move |repo| local::file(repo, &sha, &path)).await?
                }
                Forge::Github => {
                    let (github, installation) = self.github(repo)?;
                    github.file(installation, &repo.name, sha, &path).await?
                }
            };
            if let Some(text) = text {
                return Ok(Some(WorkflowFile { path, text }));
            }
        }
        Ok(None)
    }

    /// None where the forge does not know, or does not list them all.
    pub async fn changed_paths(
        &self,
        repo: &Repo,
        base: Option<&Sha>,
        head: &Sha,
    ) -> Result<Option<Vec<String>>, ForgeError> {
        match (repo.forge, base) {
            (Forge::Local, _) => {
                let (base, head) = (base.cloned(), head.clone());
                on_local(repo, move |path| local::changed_paths(path, base.as_ref(), &head).map(Some)).await
            }
            (Forge::Github, None) => Ok(None),
            (Forge::Github, Some(base)) => {
                let (github, installation) = self.github(repo)?;
                Ok(github.changed_paths(installation, &repo.name, base, head).await?)
            }
        }
    }

    /// The newest commit that both have in their history.
    pub async fn merge_base(&self, repo: &Repo, a: &Sha, b: &Sha) -> Result<Option<Sha>, ForgeError> {
        match repo.forge {
            Forge::Local => {
                let (a, b) = (a.clone(), b.clone());
                on_local(repo, move |path| local::merge_base(path, &a, &b)).await
            }
            Forge::Github => {
                let (github, installation) = self.github(repo)?;
                Ok(github.merge_base(installation, &repo.name, a, b).await?)
            }
        }
    }

    /// What a commit on a branch is compared with; none where it is the first one.
    pub async fn first_parent(&self, repo: &Repo, head: &Sha) -> Result<Option<Sha>, ForgeError> {
        match repo.forge {
            Forge::Local => {
                let head = head.clone();
                on_local(repo, move |path| local::first_parent(path, &head)).await
            }
            Forge::Github => {
                let (github, installation) = self.github(repo)?;
                Ok(github.first_parent(installation, &repo.name, head).await?)
            }
        }
    }

    /// Whether someone may accept a failed gate: who maintains the repository may. The local forge has no
    /// accounts: there the holder of a token may, and is not asked for here.
    pub async fn is_maintainer(&self, repo: &Repo, user: &str) -> Result<bool, ForgeError> {
        let (github, installation) = self.github(repo)?;
        Ok(github.permission(installation, &repo.name, user).await? >= github::Permission::Maintain)
    }

    /// The commit of a branch or tag, by its full name; none where there is none.
    pub async fn tip(&self, repo: &Repo, git_ref: &str) -> Result<Option<Sha>, ForgeError> {
        let git_ref = git_ref.to_owned();
        match repo.forge {
            Forge::Local => on_local(repo, move |path| local::tip_of(path, &git_ref)).await,
            Forge::Github => {
                let (github, installation) = self.github(repo)?;
                Ok(github.tip(installation, &repo.name, &git_ref).await?)
            }
        }
    }

    /// How a runner gets the commit of an event.
    pub async fn checkout(&self, repo: &Repo, kind: &EventKind) -> Result<CheckoutSpec, ForgeError> {
        let sha = kind.head().clone();
        match repo.forge {
            Forge::Local => Ok(CheckoutSpec { url: repo.clone.clone(), sha, git_ref: None, token: None }),
            Forge::Github => {
                let (github, installation) = self.github(repo)?;
                let pull = match kind {
                    EventKind::PullRequest { number, .. } => *number,
                    EventKind::Push { .. }
                    | EventKind::MergeGroup { .. }
                    | EventKind::WorkflowDispatch { .. }
                    | EventKind::RepositoryDispatch { .. }
                    | EventKind::Schedule { .. } => None,
                };
                Ok(github.checkout_spec(installation, &repo.name, &repo.clone, &sha, pull).await?)
            }
        }
    }

    /// The installation of our App at a repository, for deliveries that do not name it.
    pub async fn installation_of(&self, repo: &RepoName) -> Result<u64, ForgeError> {
        let github = self.github.as_ref();
        let github = github.ok_or_else(|| ForgeError::Unusable("this server has no GitHub App any more".to_owned()))?;
        Ok(github.installation_of(repo).await?)
    }

    /// Brings a check run on GitHub to what we hold; returns GitHub's id of it.
    pub async fn put_check_run(&self, repo: &Repo, check: &CheckRun, known_id: Option<u64>) -> Result<u64, ForgeError> {
        let (github, installation) = self.github(repo)?;
        Ok(github.put_check_run(installation, check, known_id).await?)
    }

    fn github(&self, repo: &Repo) -> Result<(&GithubForge, u64), ForgeError> {
        let github = self.github.as_ref();
        let github = github.ok_or_else(|| ForgeError::Unusable("this server has no GitHub App any more".to_owned()))?;
        let installation = repo.installation;
        let missing = || ForgeError::Unusable(format!("no installation of our GitHub App is known for {}", repo.name));
        Ok((github, installation.ok_or_else(missing)?))
    }
}

async fn on_local<T: Send + 'static>(
    repo: &Repo,
    work: impl FnOnce(&str) -> Result<T, ForgeError> + Send + 'static,
) -> Result<T, ForgeError> {
    let path = repo.clone.clone();
    blocking(move || work(&path)).await
}

/// libgit2 reads files: off the threads that answer.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ForgeError> + Send + 'static,
) -> Result<T, ForgeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            Err(ForgeError::Transient { reason: format!("reading the repository failed: {error}"), after: None })
        }
    }
}
