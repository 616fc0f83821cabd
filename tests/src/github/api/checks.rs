//! Check runs, with the limits that GitHub enforces beyond its description.

use serde_json::{Value, json};

use super::{Reply, Request, open};
use crate::github::{
    contract::contract,
    state::{CheckRun, Repo, State},
};

/// GitHub counts bytes, whatever its description says.
const TEXT_BYTES: usize = 65_535;

pub(super) fn create(state: &mut State, name: &str, body: &Value) -> Reply {
    let head = body["head_sha"].as_str().unwrap_or_default();
    if git2::Oid::from_str(head).and_then(|oid| open(state.repo(name)).find_commit(oid).map(|_| ())).is_err() {
        return Reply::error(422, "No commit found for SHA: ");
    }
    let run = CheckRun {
        id: state.next_id(),
        name: string(&body["name"]),
        head: head.parse().expect("git found the commit"),
        external_id: string(&body["external_id"]),
        details_url: string(&body["details_url"]),
        status: "queued".to_owned(),
        conclusion: None,
        started_at: None,
        completed_at: None,
        title: String::new(),
        summary: String::new(),
        text: None,
        annotations: Vec::new(),
        history: Vec::new(),
    };
    write(state, name, run, body, 201)
}

pub(super) fn update(state: &mut State, name: &str, id: &str, body: &Value) -> Reply {
    match find(state.repo(name), id) {
        Some(run) => {
            let run = run.clone();
            write(state, name, run, body, 200)
        }
        None => Reply::error(404, "Not Found"),
    }
}

pub(super) fn read(state: &State, name: &str, id: &str) -> Reply {
    match find(state.repo(name), id) {
        Some(run) => Reply::new(200, shown(state, name, run)),
        None => Reply::error(404, "Not Found"),
    }
}

pub(super) fn list(state: &State, name: &str, head: &str, request: &Request) -> Reply {
    let repo = state.repo(name);
    let wanted_name = request.query("check_name");
    let latest_only = request.query("filter").unwrap_or("latest") == "latest";
    let newest_first: Vec<&CheckRun> = repo
        .check_runs
        .iter()
        .rev()
        .filter(|run| run.head.as_str() == head && wanted_name.is_none_or(|wanted| wanted == run.name))
        .filter(|run| !latest_only || repo.check(&run.head, &run.name).is_some_and(|newest| newest.id == run.id))
        .collect();
    let (page, per_page) = request.page();
    let shown: Vec<Value> =
        newest_first.iter().skip((page - 1) * per_page).take(per_page).map(|run| shown(state, name, run)).collect();
    Reply::new(200, json!({ "total_count": newest_first.len(), "check_runs": shown }))
}

fn find<'a>(repo: &'a Repo, id: &str) -> Option<&'a CheckRun> {
    repo.check_runs.iter().find(|run| run.id.to_string() == id)
}

fn write(state: &mut State, name: &str, mut run: CheckRun, body: &Value, status: u16) -> Reply {
    let output = &body["output"];
    for field in ["summary", "text"] {
        if output[field].as_str().is_some_and(|text| text.len() > TEXT_BYTES) {
            return Reply::error(422, &format!("{field} exceeds a maximum bytesize of {TEXT_BYTES}"));
        }
    }
    for (field, kept) in [("name", &mut run.name), ("details_url", &mut run.details_url), ("status", &mut run.status)] {
        if let Some(given) = body[field].as_str() {
            given.clone_into(kept);
        }
    }
    for (field, kept) in [("started_at", &mut run.started_at), ("completed_at", &mut run.completed_at)] {
        if let Some(given) = body[field].as_str() {
            *kept = Some(given.to_owned());
        }
    }
    run.conclusion = body["conclusion"].as_str().map(str::to_owned);
    if run.conclusion.is_some() {
        run.status = "completed".to_owned();
    }
    if output.is_object() {
        run.title = string(&output["title"]);
        run.summary = string(&output["summary"]);
        run.text = output["text"].as_str().map(str::to_owned);
        run.annotations.extend(output["annotations"].as_array().into_iter().flatten().cloned());
    }
    run.history.push(match &run.conclusion {
        Some(conclusion) => format!("{}/{conclusion}", run.status),
        None => run.status.clone(),
    });
    let reply = Reply::new(status, shown(state, name, &run));
    let repo = state.repo_mut(name);
    match repo.check_runs.iter_mut().find(|known| known.id == run.id) {
        Some(known) => *known = run,
        None => repo.check_runs.push(run),
    }
    reply
}

/// A check run as the API shows it.
pub(in crate::github) fn shown(state: &State, name: &str, run: &CheckRun) -> Value {
    let url = format!("{}/repos/{name}/check-runs/{}", state.url, run.id);
    contract().sample(
        "check-run",
        &json!({
            "id": run.id,
            "name": run.name,
            "head_sha": run.head,
            "external_id": run.external_id,
            "details_url": run.details_url,
            "html_url": format!("{}/{name}/runs/{}", state.url, run.id),
            "url": url,
            "status": run.status,
            "conclusion": run.conclusion,
            "started_at": run.started_at,
            "completed_at": run.completed_at,
            "output": {
                "title": run.title,
                "summary": run.summary,
                "text": run.text,
                "annotations_count": run.annotations.len(),
                "annotations_url": format!("{url}/annotations"),
            },
            "app": { "id": state.app.id, "slug": "assay", "name": "Assay" },
            "check_suite": { "id": 1 },
        }),
    )
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
