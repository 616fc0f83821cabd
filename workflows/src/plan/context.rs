use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::NeedResult;
use crate::{
    event::{Event, EventKind, short_ref},
    expr::Datum,
    ids::JobId,
    run::Conclusion,
    syntax::{Job, Workflow},
};

/// The `github` context of an event.
pub fn github_context(event: &Event, workflow: &Workflow, run_number: u64, attempt: u32) -> Value {
    let default_ref = || format!("refs/heads/{}", event.default_branch);
    let git_ref = match &event.kind {
        EventKind::Push { git_ref, .. } | EventKind::WorkflowDispatch { git_ref, .. } => git_ref.clone(),
        EventKind::PullRequest { number: Some(number), .. } => format!("refs/pull/{number}/merge"),
        EventKind::PullRequest { number: None, head_ref, .. } => format!("refs/heads/{head_ref}"),
        EventKind::MergeGroup { head_ref, .. } => head_ref.clone(),
        EventKind::RepositoryDispatch { .. } | EventKind::Schedule { .. } => default_ref(),
    };
    // `123/merge` is what GitHub calls the ref of a pull request.
    let ref_name = match git_ref.strip_prefix("refs/pull/") {
        Some(rest) => rest,
        None => short_ref(&git_ref),
    };
    let ref_type = if git_ref.starts_with("refs/tags/") { "tag" } else { "branch" };
    let (head_ref, base_ref) = match &event.kind {
        EventKind::PullRequest { head_ref, base_ref, .. } => (head_ref.as_str(), base_ref.as_str()),
        EventKind::Push { .. }
        | EventKind::MergeGroup { .. }
        | EventKind::WorkflowDispatch { .. }
        | EventKind::RepositoryDispatch { .. }
        | EventKind::Schedule { .. } => ("", ""),
    };
    let repository = event.repo.as_str();
    json!({
        "event_name": event.kind.name(),
        "event": payload(event, workflow),
        "repository": repository,
        "repository_owner": event.repo.owner(),
        "ref": git_ref,
        "ref_name": ref_name,
        "ref_type": ref_type,
        "head_ref": head_ref,
        "base_ref": base_ref,
        "sha": event.kind.head().as_str(),
        "actor": event.actor,
        "triggering_actor": event.actor,
        "workflow": workflow.display_name(),
        "workflow_ref": format!("{repository}/{}@{git_ref}", workflow.file),
        "workflow_sha": event.kind.head().as_str(),
        "run_id": run_number.to_string(),
        "run_number": run_number.to_string(),
        "run_attempt": attempt.to_string(),
        "retention_days": "90",
        "secret_source": "None",
        "token": "",
    })
}

/// The forge's payload. Inputs of a dispatch are put in where it lacks them, as texts: those given, and defaults.
fn payload(event: &Event, workflow: &Workflow) -> Value {
    let mut payload = if event.payload.is_object() { event.payload.clone() } else { json!({}) };
    if let (EventKind::WorkflowDispatch { inputs: given, .. }, Some(entries)) = (&event.kind, payload.as_object_mut()) {
        let defaults = workflow.on.workflow_dispatch.iter().flatten();
        let defaults = defaults.filter_map(|(name, input)| Some((name, input.default.as_ref()?)));
        if let Some(inputs) = entries.entry("inputs").or_insert_with(|| json!({})).as_object_mut() {
            for (name, value) in given.iter().chain(defaults) {
                let text = || Value::String(Datum::borrowed(value).to_text().into_owned());
                inputs.entry(name.clone()).or_insert_with(text);
            }
        }
    }
    payload
}

/// The `needs` context: how the jobs that one needs directly have ended.
pub fn needs_context(job: &Job, results: &IndexMap<JobId, NeedResult>) -> Value {
    // Names are compared without case, as on GitHub.
    let lower = |id: &JobId| id.as_str().to_ascii_lowercase();
    let results: HashMap<String, &NeedResult> = results.iter().map(|(id, result)| (lower(id), result)).collect();
    let direct = job.needs.iter().filter_map(|need| {
        let result = results.get(&lower(&need.value))?;
        Some((need.value.as_str().to_owned(), result_value(result)))
    });
    Value::Object(direct.collect())
}

/// `result` and `outputs` of a job, as `needs` and `jobs` show them.
pub(super) fn result_value(need: &NeedResult) -> Value {
    // `result` knows four words.
    let result = match need.result {
        Conclusion::Success | Conclusion::Neutral => "success",
        Conclusion::Failure | Conclusion::TimedOut | Conclusion::ActionRequired => "failure",
        Conclusion::Cancelled => "cancelled",
        Conclusion::Skipped => "skipped",
    };
    json!({ "result": result, "outputs": need.outputs })
}
