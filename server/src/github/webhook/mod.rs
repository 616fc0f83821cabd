//! A delivery's bytes → what it means: [`Fact`].
//!
//! The payloads are read by structs of our own (`payload`) that name only what is used: GitHub's
//! recorded examples, its current schema and what older Enterprise Servers send differ in everything else.

mod payload;

use hmac::{Hmac, Mac};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::Sha256;
use workflows::{
    event::{Event, EventKind},
    ids::Forge,
};

use self::payload::{CheckRun, CheckSuite, MergeGroup, PullRequest, Push, Repository, RepositoryDispatch};
use crate::{
    dispatch::{Cause, Unpinned},
    forge::Fact,
};

/// Why a delivery cannot be understood; the answer to it is 400.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    #[error("the body is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    #[error("the body is no `{event}` event: {cause}")]
    NotTheEvent {
        event: String,
        #[source]
        cause: serde_json::Error,
    },
}

/// Branches that GitHub's merge queue makes. A push to one is no news: `merge_group` says the same, and says
/// the target branch too.
const QUEUE_BRANCHES: &str = "refs/heads/gh-readonly-queue/";

/// Whether `header`, the value of `X-Hub-Signature-256`, is the HMAC-SHA256 of `body` under `secret`.
/// Compared in constant time.
pub fn verify_signature(secret: &[u8], body: &[u8], header: &str) -> bool {
    let Some(signature) = header.strip_prefix("sha256=").and_then(|digits| hex::decode(digits).ok()) else {
        return false;
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}

/// What a delivery means; `event_name` is the value of `X-GitHub-Event`.
/// An event that we do not know, or that asks nothing of us, is [`Fact::Ignored`], not an error.
pub fn parse_webhook(event_name: &str, body: &[u8]) -> Result<Fact, ParseError> {
    let payload: Value = serde_json::from_slice(body).map_err(ParseError::NotJson)?;
    match event_name {
        "push" => Ok(push(read(event_name, &payload)?, payload)),
        "pull_request" => Ok(pull_request(read(event_name, &payload)?, payload)),
        "merge_group" => Ok(merge_group(read(event_name, &payload)?, payload)),
        "repository_dispatch" => Ok(repository_dispatch(read(event_name, &payload)?, payload)),
        // GitHub has no workflow of ours to start: `POST …/workflows/{file}/dispatches` of our own API does.
        "workflow_dispatch" => Ok(ignored("workflow_dispatch: of a workflow of GitHub's own")),
        "check_run" => Ok(check_run(read(event_name, &payload)?)),
        "check_suite" => Ok(check_suite(read(event_name, &payload)?)),
        "ping" => Ok(ignored("ping: the webhook is set up")),
        "installation" | "installation_repositories" | "installation_target" => {
            let action = payload.get("action").and_then(Value::as_str).unwrap_or("changed");
            // Nothing is kept about installations: each event names its own.
            Ok(ignored(format!("{event_name}: {action}")))
        }
        other => Ok(ignored(format!("no workflow can be started by `{other}`"))),
    }
}

fn read<T: DeserializeOwned>(event: &str, payload: &Value) -> Result<T, ParseError> {
    T::deserialize(payload).map_err(|cause| ParseError::NotTheEvent { event: event.to_owned(), cause })
}

fn ignored(reason: impl Into<String>) -> Fact {
    Fact::Ignored { reason: reason.into() }
}

fn push(push: Push, payload: Value) -> Fact {
    if push.deleted || push.after.is_zero() {
        return ignored(format!("{} was deleted", push.git_ref));
    }
    if push.git_ref.starts_with(QUEUE_BRANCHES) {
        return ignored(format!("{} belongs to the merge queue, which sends merge_group", push.git_ref));
    }
    let (tip, message) = match push.head_commit {
        // For an annotated tag `after` is the tag object; this is the commit.
        Some(commit) => (commit.id, commit.message),
        None => (push.after, String::new()),
    };
    let kind = EventKind::Push {
        git_ref: push.git_ref,
        before: push.before.filter(|before| !before.is_zero()),
        head: tip,
        title: first_line(&message),
    };
    let actor = push.sender.map(|sender| sender.login).or(push.pusher.map(|pusher| pusher.name));
    event(push.repository, actor, push.installation, kind, payload)
}

fn pull_request(delivery: PullRequest, payload: Value) -> Fact {
    let pull = delivery.pull_request;
    // A fork that was deleted is a fork all the same.
    let from_fork = pull.head.repo.as_ref().map(|repo| repo.id) != pull.base.repo.as_ref().map(|repo| repo.id)
        || pull.head.repo.is_none();
    // Another base is another change: what is merged is not what was judged.
    let retargeted = delivery.action == "edited" && payload.pointer("/changes/base").is_some();
    let kind = EventKind::PullRequest {
        action: if retargeted { "synchronize".to_owned() } else { delivery.action },
        number: Some(pull.number),
        title: first_line(&pull.title),
        head_ref: pull.head.git_ref,
        base_ref: pull.base.git_ref,
        head: pull.head.sha,
        base: pull.base.sha,
        from_fork,
    };
    event(delivery.repository, delivery.sender.map(|s| s.login), delivery.installation, kind, payload)
}

fn repository_dispatch(delivery: RepositoryDispatch, payload: Value) -> Fact {
    let RepositoryDispatch { action, branch, repository, installation, sender } = delivery;
    Fact::Unpinned(Box::new(Unpinned {
        repo: repository.full_name,
        clone: repository.clone_url,
        default_branch: repository.default_branch,
        installation: installation.map(|installation| installation.id),
        actor: login(sender.map(|sender| sender.login)),
        git_ref: format!("refs/heads/{branch}"),
        cause: Cause::Repository { event_type: action },
        payload,
    }))
}

fn merge_group(delivery: MergeGroup, payload: Value) -> Fact {
    match delivery.action.as_str() {
        "checks_requested" => {
            let group = delivery.merge_group;
            let kind = EventKind::MergeGroup {
                head_ref: group.head_ref,
                head: group.head_sha,
                base_ref: group.base_ref,
                base: group.base_sha,
            };
            event(delivery.repository, delivery.sender.map(|s| s.login), delivery.installation, kind, payload)
        }
        "destroyed" => {
            let why = delivery.reason.unwrap_or_else(|| "removed".to_owned());
            let reason = format!("the merge group of {} was {why}", delivery.merge_group.head_ref);
            // The commit of one that was merged is on the branch now, and its results are a baseline.
            if why == "merged" {
                return ignored(reason);
            }
            let (repo, head) = (delivery.repository.full_name, delivery.merge_group.head_sha);
            Fact::MergeGroupGone { repo, head, reason }
        }
        other => ignored(format!("merge_group: {other}")),
    }
}

fn check_run(delivery: CheckRun) -> Fact {
    let run = delivery.check_run;
    let external_id = run.external_id.unwrap_or_default();
    let installation = delivery.installation.map(|installation| installation.id);
    let repo = delivery.repository.full_name;
    // Each of ours has one.
    if external_id.is_empty() {
        return ignored(format!("check_run: {}, of another App", delivery.action));
    }
    match (delivery.action.as_str(), delivery.requested_action) {
        ("rerequested", _) => Fact::Rerequested { repo, head: run.head_sha, external_id, installation },
        ("requested_action", Some(action)) => Fact::RequestedAction {
            repo,
            head: run.head_sha,
            external_id,
            identifier: action.identifier,
            actor_id: delivery.sender.as_ref().and_then(|sender| sender.id),
            actor: login(delivery.sender.map(|sender| sender.login)),
            installation,
        },
        // Our own doings come back as created and completed.
        (other, _) => ignored(format!("check_run: {other}")),
    }
}

fn check_suite(delivery: CheckSuite) -> Fact {
    match delivery.action.as_str() {
        "rerequested" => Fact::RerequestedAll {
            repo: delivery.repository.full_name,
            head: delivery.check_suite.head_sha,
            installation: delivery.installation.map(|installation| installation.id),
        },
        // `requested` comes with every push, which says more.
        other => ignored(format!("check_suite: {other}")),
    }
}

fn event(
    repository: Repository,
    actor: Option<String>,
    installation: Option<payload::Installation>,
    kind: EventKind,
    payload: Value,
) -> Fact {
    Fact::Event {
        event: Box::new(Event {
            forge: Forge::Github,
            repo: repository.full_name,
            default_branch: repository.default_branch,
            actor: login(actor),
            kind,
            payload,
        }),
        clone: repository.clone_url,
        installation: installation.map(|installation| installation.id),
    }
}

/// GitHub shows what a deleted account did as done by `ghost`.
fn login(login: Option<String>) -> String {
    login.unwrap_or_else(|| "ghost".to_owned())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
