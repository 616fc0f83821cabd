//! Events that name a branch and no commit: a workflow started by hand or by its schedule, and GitHub's
//! `repository_dispatch`. The forge is asked once which commit is meant; from then on it is a delivery like every other,
//! of our own, so that a crash or a second look starts nothing twice.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use workflows::{
    event::{Event, EventKind, short_ref},
    ids::{Forge, RepoName, Sha},
    plan::dispatch_problems,
    syntax::Diagnostic,
};

use crate::{
    app::App,
    deliveries::PlanError,
    digest::digest,
    error::ApiError,
    forge::{Fact, ForgeError, WORKFLOW_DIRECTORY},
    intake,
    store::{keys, records::Repo},
};

/// Who started what a schedule did, for people to read.
const NOBODY: &str = "assay";

/// Such an event before its commit is known.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Unpinned {
    pub repo: RepoName,
    pub clone: String,
    pub default_branch: String,
    pub installation: Option<u64>,
    pub actor: String,
    /// Full name of a branch or tag.
    pub git_ref: String,
    pub cause: Cause,
    pub payload: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    Workflow { file: String, inputs: Map<String, Value> },
    Repository { event_type: String },
    Schedule { cron: String },
}

impl Unpinned {
    /// Of a repository that we know.
    fn of(repo: &Repo, git_ref: String, actor: &str, cause: Cause, payload: Value) -> Self {
        Self {
            repo: repo.name.clone(),
            clone: repo.clone.clone(),
            default_branch: repo.default_branch.clone(),
            installation: repo.installation,
            actor: actor.to_owned(),
            git_ref,
            cause,
            payload,
        }
    }

    fn at(self, forge: Forge, head: Sha) -> Fact {
        let Self { repo, clone, default_branch, installation, actor, git_ref, cause, payload } = self;
        let kind = match cause {
            Cause::Workflow { file, inputs } => {
                EventKind::WorkflowDispatch { workflow: Some(file), git_ref, head, inputs }
            }
            Cause::Repository { event_type } => EventKind::RepositoryDispatch { event_type, head },
            Cause::Schedule { cron } => EventKind::Schedule { cron, head },
        };
        let event = Box::new(Event { forge, repo, default_branch, actor, kind, payload });
        Fact::Event { event, clone, installation }
    }
}

/// Asks the forge for the commit of a `repository_dispatch` and records the event under an id made from its delivery's;
/// says what came of it.
pub async fn pin(app: &App, forge: Forge, unpinned: Unpinned, guid: &str) -> Result<String, PlanError> {
    let installation = match (forge, unpinned.installation) {
        (Forge::Github, None) => Some(app.forges.installation_of(&unpinned.repo).await?),
        (Forge::Github | Forge::Local, known) => known,
    };
    let repo = Repo {
        name: unpinned.repo.clone(),
        forge,
        clone: unpinned.clone.clone(),
        default_branch: unpinned.default_branch.clone(),
        installation,
        last_run: 0,
        active_at: app.clock.now(),
    };
    let Some(head) = app.forges.tip(&repo, &unpinned.git_ref).await? else {
        return Ok(format!("nothing started: {} is not there", unpinned.git_ref));
    };
    let outcome = format!("of {} at {}", unpinned.git_ref, head.short());
    intake::accept_own(app, forge, &format!("{guid}/pinned"), &unpinned.at(forge, head)).await?;
    Ok(outcome)
}

/// Starts what a schedule is due for. False where the branch has no commit.
pub async fn scheduled(app: &App, repo: &Repo, cron: &str, due: Timestamp) -> Result<bool, PlanError> {
    let git_ref = format!("refs/heads/{}", repo.default_branch);
    let Some(head) = app.forges.tip(repo, &git_ref).await? else { return Ok(false) };
    let payload = json!({ "schedule": cron, "repository": repository(repo) });
    let unpinned = Unpinned::of(repo, git_ref, NOBODY, Cause::Schedule { cron: cron.to_owned() }, payload);
    // One minute of one schedule starts once, however often it is looked at.
    let guid = format!("schedule/{}/{}/{due}", repo.name, digest(cron.as_bytes()).hex());
    intake::accept_own(app, repo.forge, &guid, &unpinned.at(repo.forge, head)).await?;
    Ok(true)
}

/// What was started by hand.
#[derive(Debug, serde::Serialize)]
pub struct Started {
    pub head: Sha,
    #[serde(rename = "ref")]
    pub git_ref: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
}

/// Starts one workflow: `file` is its path, or its name in [`WORKFLOW_DIRECTORY`]; without a `git_ref` on the default
/// branch. What could not run is refused here, where whoever asks can read why.
pub async fn workflow(
    app: &App,
    name: &RepoName,
    file: &str,
    git_ref: Option<&str>,
    inputs: Map<String, Value>,
    actor: &str,
) -> Result<Started, ApiError> {
    let repo = known(app, name).await?;
    let (git_ref, head) = resolve(app, &repo, git_ref).await?;
    let path = if file.contains('/') { file.to_owned() } else { format!("{WORKFLOW_DIRECTORY}/{file}") };
    let files = app.forges.workflow_files(&repo, &head).await.map_err(refused)?;
    let found = files.iter().find(|found| found.path == path);
    let found = found.ok_or_else(|| ApiError::NotFound(format!("{path} is not there at {}", short_ref(&git_ref))))?;
    let parsed = app.workflows.parse(&found.path, &digest(found.text.as_bytes()), &found.text);
    let Some(workflow) = parsed.valid() else {
        let first = parsed.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
        let first = first.map(|Diagnostic { line, message, .. }| format!(" line {line}: {message}"));
        return Err(ApiError::Invalid(format!("{path} is not valid:{}", first.unwrap_or_default())));
    };
    let problems = dispatch_problems(workflow, &inputs);
    if !problems.is_empty() {
        return Err(ApiError::Invalid(problems.join("; ")));
    }
    let payload = json!({
        "inputs": inputs, "ref": git_ref, "workflow": path, "repository": repository(&repo), "sender": { "login": actor },
    });
    let cause = Cause::Workflow { file: path.clone(), inputs };
    let unpinned = Unpinned::of(&repo, git_ref.clone(), actor, cause, payload);
    record(app, &repo, unpinned, &head).await?;
    Ok(Started { head, git_ref, workflow: Some(path) })
}

/// Starts what listens to a `repository_dispatch` of this type, on the default branch.
pub async fn repository_event(
    app: &App,
    name: &RepoName,
    event_type: &str,
    client_payload: Value,
    actor: &str,
) -> Result<Started, ApiError> {
    let repo = known(app, name).await?;
    let (git_ref, head) = resolve(app, &repo, None).await?;
    let payload = json!({
        "action": event_type, "branch": repo.default_branch, "client_payload": client_payload,
        "repository": repository(&repo), "sender": { "login": actor },
    });
    let cause = Cause::Repository { event_type: event_type.to_owned() };
    let unpinned = Unpinned::of(&repo, git_ref.clone(), actor, cause, payload);
    record(app, &repo, unpinned, &head).await?;
    Ok(Started { head, git_ref, workflow: None })
}

async fn record(app: &App, repo: &Repo, unpinned: Unpinned, head: &Sha) -> Result<(), ApiError> {
    let guid = format!("dispatch/{:032x}", rand::random::<u128>());
    intake::accept_own(app, repo.forge, &guid, &unpinned.at(repo.forge, head.clone())).await?;
    Ok(())
}

async fn known(app: &App, name: &RepoName) -> Result<Repo, ApiError> {
    let repo = app.store.get::<Repo>(&keys::repo(name)).await?;
    let repo = repo.ok_or_else(|| ApiError::NotFound(format!("nothing of {name} was ever pushed to this server")))?;
    Ok(repo.record)
}

/// The full name of a branch or tag (a branch goes before a tag), and its commit.
async fn resolve(app: &App, repo: &Repo, given: Option<&str>) -> Result<(String, Sha), ApiError> {
    let given = given.unwrap_or(&repo.default_branch);
    let candidates = match given.starts_with("refs/") {
        true => vec![given.to_owned()],
        false => vec![format!("refs/heads/{given}"), format!("refs/tags/{given}")],
    };
    for git_ref in candidates {
        if let Some(head) = app.forges.tip(repo, &git_ref).await.map_err(refused)? {
            return Ok((git_ref, head));
        }
    }
    Err(ApiError::NotFound(format!("{} has no branch or tag {given}", repo.name)))
}

fn repository(repo: &Repo) -> Value {
    json!({ "full_name": repo.name, "default_branch": repo.default_branch })
}

fn refused(error: ForgeError) -> ApiError {
    match error {
        ForgeError::Transient { reason, .. } => ApiError::Conflict(format!("the forge did not answer: {reason}")),
        ForgeError::Gone(reason) => ApiError::NotFound(reason),
        ForgeError::Unusable(reason) => ApiError::Invalid(reason),
    }
}
