//! What GitHub sends: payloads derived from the state, judged by the official description, signed.

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use workflows::ids::{RepoName, Sha};

use super::{
    FakeGithub, Shared,
    api::check_run_shown,
    contract::contract,
    locked,
    state::{Delivery, Repo, State},
};

/// Who does everything.
const ACTOR: &str = "mona";

impl FakeGithub {
    /// A branch moved (none: it is new); what the server answered.
    pub async fn push(&self, name: &str, branch: &str, before: Option<&Sha>, after: &Sha) -> u16 {
        let zero = "0".repeat(40);
        let known = json!({
            "ref": format!("refs/heads/{branch}"),
            "before": before.map_or(zero.as_str(), Sha::as_str),
            "after": after,
            "created": before.is_none(),
            "deleted": false,
            "head_commit": { "id": after, "message": message(&self.state(), name, after) },
            "pusher": { "name": ACTOR },
        });
        self.send("push", None, name, known).await
    }

    pub async fn pull_opened(&self, name: &str, number: u64) -> u16 {
        let pull = pull(&self.state(), name, number);
        self.send("pull_request", Some("opened"), name, json!({ "number": number, "pull_request": pull })).await
    }

    /// The pull request's branch moved to a commit that is in `name`'s repository.
    pub async fn pull_synchronized(&self, name: &str, number: u64, head: &Sha) -> u16 {
        let (before, pull) = {
            let mut state = self.state();
            let repo = state.repo_mut(name);
            super::git::point(&repo.path, &format!("refs/pull/{number}/head"), head);
            let known = repo.pulls.iter_mut().find(|pull| pull.number == number).expect("the pull request is open");
            let before = std::mem::replace(&mut known.head, head.clone());
            (before, pull(&state, name, number))
        };
        let known = json!({ "number": number, "before": before, "after": head, "pull_request": pull });
        self.send("pull_request", Some("synchronize"), name, known).await
    }

    /// The pull request's target was changed to another branch.
    pub async fn pull_retargeted(&self, name: &str, number: u64, base_ref: &str) -> u16 {
        let (from, pull) = {
            let mut state = self.state();
            let known = state.repo_mut(name).pulls.iter_mut().find(|pull| pull.number == number);
            let known = known.expect("the pull request is open");
            let from = std::mem::replace(&mut known.base_ref, base_ref.to_owned());
            (from, pull(&state, name, number))
        };
        let changes = json!({ "base": { "ref": { "from": from }, "sha": { "from": pull["base"]["sha"] } } });
        let known = json!({ "number": number, "changes": changes, "pull_request": pull });
        self.send("pull_request", Some("edited"), name, known).await
    }

    /// The merge queue gave the group up.
    pub async fn merge_group_dequeued(&self, name: &str, number: u64, head: &Sha) -> u16 {
        let group = {
            let state = self.state();
            let base = tip(state.repo(name));
            json!({
                "head_sha": head, "head_ref": format!("refs/heads/gh-readonly-queue/main/pr-{number}-{base}"),
                "base_sha": base, "base_ref": "refs/heads/main",
                "head_commit": { "id": head, "message": "Merge pull request" },
            })
        };
        let known = json!({ "merge_group": group, "reason": "dequeued" });
        self.send("merge_group", Some("destroyed"), name, known).await
    }

    /// The merge queue made a commit and wants to know.
    pub async fn merge_group(&self, name: &str, number: u64, head: &Sha) -> u16 {
        let group = {
            let state = self.state();
            let repo = state.repo(name);
            let head_ref = format!("refs/heads/gh-readonly-queue/main/pr-{number}-{}", tip(repo));
            super::git::point(&repo.path, &head_ref, head);
            let commit = json!({ "id": head, "message": "Merge pull request" });
            json!({
                "head_sha": head, "head_ref": head_ref, "base_sha": tip(repo), "base_ref": "refs/heads/main",
                "head_commit": commit,
            })
        };
        self.send("merge_group", Some("checks_requested"), name, json!({ "merge_group": group })).await
    }

    /// Someone presses "Re-run" on a check run.
    pub async fn rerequest(&self, name: &str, check_run: u64) -> u16 {
        let known = json!({ "check_run": check_run_of(&self.state(), name, check_run) });
        self.send("check_run", Some("rerequested"), name, known).await
    }

    /// Someone presses a button that a check run offers.
    pub async fn press(&self, name: &str, check_run: u64, identifier: &str) -> u16 {
        let run = check_run_of(&self.state(), name, check_run);
        let known = json!({ "check_run": run, "requested_action": { "identifier": identifier } });
        self.send("check_run", Some("requested_action"), name, known).await
    }

    /// Someone presses "Re-run all checks".
    pub async fn rerequest_all(&self, name: &str, head: &Sha) -> u16 {
        self.send("check_suite", Some("rerequested"), name, json!({ "check_suite": { "head_sha": head } })).await
    }

    /// Somebody asked GitHub for a `repository_dispatch`.
    pub async fn dispatch(&self, name: &str, event_type: &str, client_payload: Value) -> u16 {
        let known = json!({ "branch": "main", "client_payload": client_payload });
        self.send("repository_dispatch", Some(event_type), name, known).await
    }

    /// Sends the last delivery again, as "Redeliver" does: the GUID is the same.
    pub async fn redeliver_last(&self) -> u16 {
        let last = {
            let mut state = self.state();
            let last = state.deliveries.last().expect("something was delivered").clone();
            Delivery { id: state.next_id(), redelivery: true, ..last }
        };
        deliver(&self.shared, last).await
    }

    /// Somebody who recorded the last delivery sends it under an id that GitHub never gave out; the status that
    /// they got.
    pub async fn replay_last(&self, guid: &str) -> u16 {
        let last = self.state().deliveries.last().expect("something was delivered").clone();
        post(&self.shared, &Delivery { guid: guid.to_owned(), ..last }).await
    }

    async fn send(&self, event: &str, action: Option<&str>, name: &str, known: Value) -> u16 {
        let delivery = {
            let mut state = self.state();
            let described = match action {
                Some(action) => format!("{event}-{action}").replace('_', "-"),
                None => event.to_owned(),
            };
            let mut known = known;
            known["repository"] = repository(&state, state.repo(name));
            if event == "push" {
                // GitHub's own oddity: here alone these are seconds since 1970.
                known["repository"]["created_at"] = json!(1_767_225_600);
                known["repository"]["pushed_at"] = json!(1_767_225_600);
            }
            known["sender"] = user(ACTOR);
            if let Some(action) = action {
                known["action"] = json!(action);
            }
            let repo: RepoName = name.parse().expect("a name of a repository");
            if let Some(id) = state.installation_of(&repo) {
                known["installation"] = json!({ "id": id, "node_id": "x" });
            }
            let payload = contract().sample_webhook(&described, &known);
            let wrong = contract().webhook(&described, &payload);
            if !wrong.is_empty() {
                state.violations.push(format!("the fake's {described}: {}", wrong.join("; ")));
            }
            let id = state.next_id();
            Delivery {
                id,
                guid: format!("guid-{id}"),
                event: event.to_owned(),
                action: action.map(str::to_owned),
                body: payload.to_string().into_bytes(),
                delivered_at: Timestamp::now(),
                redelivery: false,
                status_code: 0,
            }
        };
        deliver(&self.shared, delivery).await
    }
}

/// Sends what was asked for again, in the background.
pub(super) fn send_outbox(shared: &Shared) {
    for delivery in std::mem::take(&mut locked(shared).outbox) {
        let shared = shared.clone();
        actix_web::rt::spawn(async move { deliver(&shared, delivery).await });
    }
}

async fn deliver(shared: &Shared, mut delivery: Delivery) -> u16 {
    delivery.status_code = post(shared, &delivery).await;
    let status = delivery.status_code;
    locked(shared).deliveries.push(delivery);
    status
}

async fn post(shared: &Shared, delivery: &Delivery) -> u16 {
    let (url, secret) = {
        let state = locked(shared);
        (state.app.webhook_url.clone(), state.app.webhook_secret.clone())
    };
    match url {
        None => 0,
        Some(url) => reqwest::Client::new()
            .post(url)
            .header("content-type", "application/json")
            .header("x-github-event", &delivery.event)
            .header("x-github-delivery", &delivery.guid)
            .header("x-hub-signature-256", sign(&secret, &delivery.body))
            .body(delivery.body.clone())
            .send()
            .await
            .map_or(0, |reply| reply.status().as_u16()),
    }
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn repository(state: &State, repo: &Repo) -> Value {
    json!({
        "id": repo.id,
        "name": repo.name.name(),
        "full_name": repo.name,
        "owner": user(repo.name.owner()),
        "default_branch": "main",
        "clone_url": state.clone_url(&repo.name),
        "private": true,
        "fork": repo.fork_of.is_some(),
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "pushed_at": "2026-01-01T00:00:00Z",
    })
}

fn user(login: &str) -> Value {
    json!({ "login": login, "type": "User" })
}

fn pull(state: &State, name: &str, number: u64) -> Value {
    let repo = state.repo(name);
    let pull = repo.pulls.iter().find(|pull| pull.number == number).expect("the pull request is open");
    let head_repo = state.repos.iter().find(|repo| repo.id == pull.head_repo);
    let side = |git_ref: &str, sha: &str, repo: Option<&Repo>| json!({ "label": format!("{}:{git_ref}", repo.map_or("ghost", |repo| repo.name.owner())), "ref": git_ref, "sha": sha, "repo": repo.map(|repo| repository(state, repo)), "user": user(ACTOR) });
    json!({
        "number": number,
        "title": pull.title,
        "state": "open",
        "user": user(ACTOR),
        "head": side(&pull.head_ref, pull.head.as_str(), head_repo),
        "base": side(&pull.base_ref, &tip_of(repo, &pull.base_ref), Some(repo)),
    })
}

fn check_run_of(state: &State, name: &str, id: u64) -> Value {
    let run = state.repo(name).check_runs.iter().find(|run| run.id == id).expect("the check run is there");
    check_run_shown(state, name, run)
}

fn tip(repo: &Repo) -> String {
    tip_of(repo, "main")
}

fn tip_of(repo: &Repo, branch: &str) -> String {
    let git = git2::Repository::open_bare(&repo.path).expect("the repository is there");
    git.refname_to_id(&format!("refs/heads/{branch}")).map_or_else(|_| "0".repeat(40), |oid| oid.to_string())
}

fn message(state: &State, name: &str, sha: &Sha) -> String {
    let git = git2::Repository::open_bare(&state.repo(name).path).expect("the repository is there");
    let commit = git.find_commit(git2::Oid::from_str(sha.as_str()).expect("a Sha is an oid"));
    commit.ok().and_then(|commit| commit.message().ok().map(str::to_owned)).unwrap_or_default()
}
