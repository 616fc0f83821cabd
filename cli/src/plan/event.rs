use anyhow::{Context, bail};
use serde_json::{Map, Value};
use workflows::{
    event::{Event, EventKind},
    ids::{Forge, Sha},
};

const NOBODY: &str = "0000000000000000000000000000000000000000";

/// An event by name or from a file, and the paths that its payload says were changed.
pub fn read(name_or_file: &str) -> anyhow::Result<(Event, Option<Vec<String>>)> {
    let known = ["push", "pull_request", "merge_group", "workflow_dispatch", "repository_dispatch", "schedule"];
    if known.contains(&name_or_file) {
        return Ok((from_payload(name_or_file, Value::Object(Map::new()))?, None));
    }
    let text = std::fs::read(name_or_file).with_context(|| format!("`{name_or_file}` is no event and no file"))?;
    let payload: Value = serde_json::from_slice(&text).with_context(|| format!("{name_or_file} is no JSON"))?;
    if payload.get("kind").and_then(|kind| kind.get("event")).is_some() {
        let event =
            serde_json::from_value(payload).with_context(|| format!("{name_or_file} is no event of Assay's"))?;
        return Ok((event, None));
    }
    let Some(name) = guess(&payload) else { bail!("{name_or_file} is no payload of an event that Assay receives") };
    let changed = changed_paths(&payload);
    Ok((from_payload(name, payload)?, changed))
}

/// Which event a payload is of: each has a key that the others lack.
fn guess(payload: &Value) -> Option<&'static str> {
    let has = |key: &str| payload.get(key).is_some();
    if has("pull_request") {
        Some("pull_request")
    } else if has("merge_group") {
        Some("merge_group")
    } else if has("client_payload") {
        Some("repository_dispatch")
    } else if has("schedule") {
        Some("schedule")
    } else if has("after") || has("commits") || has("head_commit") {
        Some("push")
    } else if has("inputs") || has("workflow") {
        Some("workflow_dispatch")
    } else if has("ref") {
        Some("push")
    } else {
        None
    }
}

fn from_payload(name: &str, payload: Value) -> anyhow::Result<Event> {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    let sha = |pointer: &str| -> Sha {
        let nobody = || NOBODY.parse().expect("forty zeros are a commit id");
        text(pointer).and_then(|text| text.parse().ok()).unwrap_or_else(nobody)
    };
    let default_branch = text("/repository/default_branch").unwrap_or("main").to_owned();
    let default_ref = format!("refs/heads/{default_branch}");
    let git_ref = text("/ref").unwrap_or(&default_ref).to_owned();
    let git_ref = if git_ref.starts_with("refs/") { git_ref } else { format!("refs/heads/{git_ref}") };
    let kind = match name {
        "push" => EventKind::Push {
            git_ref,
            before: text("/before").and_then(|text| text.parse::<Sha>().ok()).filter(|sha| !sha.is_zero()),
            head: sha("/after"),
            title: text("/head_commit/message").unwrap_or_default().lines().next().unwrap_or_default().to_owned(),
        },
        "pull_request" => EventKind::PullRequest {
            action: text("/action").unwrap_or("opened").to_owned(),
            number: payload.pointer("/number").and_then(Value::as_u64).or(Some(1)),
            title: text("/pull_request/title").unwrap_or_default().to_owned(),
            head_ref: text("/pull_request/head/ref").unwrap_or("topic").to_owned(),
            base_ref: text("/pull_request/base/ref").unwrap_or(&default_branch).to_owned(),
            head: sha("/pull_request/head/sha"),
            base: sha("/pull_request/base/sha"),
            from_fork: text("/pull_request/head/repo/full_name") != text("/pull_request/base/repo/full_name"),
        },
        "merge_group" => EventKind::MergeGroup {
            head_ref: text("/merge_group/head_ref").unwrap_or_default().to_owned(),
            head: sha("/merge_group/head_sha"),
            base_ref: text("/merge_group/base_ref").unwrap_or(&default_ref).to_owned(),
            base: sha("/merge_group/base_sha"),
        },
        "workflow_dispatch" => EventKind::WorkflowDispatch {
            workflow: None,
            git_ref,
            head: sha("/after"),
            inputs: payload.get("inputs").and_then(Value::as_object).cloned().unwrap_or_default(),
        },
        "repository_dispatch" => EventKind::RepositoryDispatch {
            event_type: text("/action").unwrap_or_default().to_owned(),
            head: sha("/after"),
        },
        "schedule" => {
            EventKind::Schedule { cron: text("/schedule").unwrap_or_default().to_owned(), head: sha("/after") }
        }
        other => bail!("`{other}` is no event that Assay receives"),
    };
    Ok(Event {
        forge: Forge::Github,
        repo: text("/repository/full_name").unwrap_or("owner/repository").parse()?,
        actor: text("/sender/login").unwrap_or("someone").to_owned(),
        default_branch,
        kind,
        payload,
    })
}

/// What the commits of a push touch; none where the payload does not say.
fn changed_paths(payload: &Value) -> Option<Vec<String>> {
    let commits = payload.get("commits")?.as_array()?;
    let paths = commits.iter().flat_map(|commit| {
        ["added", "modified", "removed"].into_iter().filter_map(|key| commit.get(key)?.as_array()).flatten()
    });
    let paths: Vec<String> = paths.filter_map(Value::as_str).map(str::to_owned).collect();
    (!paths.is_empty()).then_some(paths)
}
