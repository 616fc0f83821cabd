use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Expansion, NeedResult, PlannedJob, Selection, expand, github_context, select};
use crate::{
    event::{Event, EventKind},
    ids::JobId,
    run::Conclusion,
    syntax::{InputKind, Workflow},
};

/// What a run would be, as far as can be said before it runs: needs are taken to succeed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// Display name.
    pub workflow: String,
    pub file: String,
    pub event: &'static str,
    pub runs: bool,
    /// Why it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_name: Option<String>,
    pub jobs: Vec<PlannedJob>,
    pub skipped: Vec<Skip>,
    pub later: Vec<Later>,
}

/// A job whose condition is false.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skip {
    pub id: JobId,
    pub name: String,
    pub needs: Vec<JobId>,
}

/// A job that cannot be expanded before its needs have run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Later {
    pub id: JobId,
    pub needs: Vec<JobId>,
    pub reason: String,
}

/// Plans a whole workflow for an event.
pub fn preview(workflow: &Workflow, event: &Event, changed: Option<&[String]>) -> Preview {
    let mut preview = Preview {
        workflow: workflow.display_name().to_owned(),
        file: workflow.file.clone(),
        event: event.kind.name(),
        runs: false,
        reason: None,
        run_name: None,
        jobs: Vec::new(),
        skipped: Vec::new(),
        later: Vec::new(),
    };
    match select(workflow, event, changed) {
        Selection::Runs => preview.runs = true,
        Selection::NotSubscribed => {
            preview.reason = Some(format!("`{}` is not under `on`, or not with this type", event.kind.name()));
            return preview;
        }
        Selection::Filtered(reason) => {
            preview.reason = Some(reason);
            return preview;
        }
    }
    let contexts = IndexMap::from([
        ("github".to_owned(), github_context(event, workflow, 1, 1)),
        ("inputs".to_owned(), dispatch_inputs(workflow, event)),
        ("vars".to_owned(), json!({})),
    ]);
    if let Some(name) = &workflow.run_name {
        let environment = crate::expr::Environment { contexts: contexts.clone(), ..Default::default() };
        preview.run_name = crate::expr::interpolate(&name.value, &environment).ok();
    }
    let mut results: IndexMap<JobId, NeedResult> = IndexMap::new();
    for id in in_order(workflow) {
        let Some(job) = workflow.jobs.get(&id) else { continue };
        let needs: Vec<JobId> = job.needs.iter().map(|need| need.value.clone()).collect();
        let ancestors = ancestors(workflow, &id);
        let known = results.iter().filter(|(other, _)| ancestors.contains(other));
        let known = known.map(|(id, result)| (id.clone(), result.clone())).collect();
        let result = match expand(workflow, &id, &contexts, &known, false) {
            Expansion::Jobs(jobs) => {
                preview.jobs.extend(jobs);
                Conclusion::Success
            }
            Expansion::Skipped { name } => {
                preview.skipped.push(Skip { id: id.clone(), name, needs });
                Conclusion::Skipped
            }
            Expansion::Invalid(diagnostic) => {
                preview.later.push(Later { id: id.clone(), needs, reason: diagnostic.message });
                Conclusion::Success
            }
        };
        results.insert(id, NeedResult { result, outputs: IndexMap::new() });
    }
    preview
}

/// The `inputs` context of a dispatch: what was given, and defaults for the rest.
pub fn dispatch_inputs(workflow: &Workflow, event: &Event) -> Value {
    let EventKind::WorkflowDispatch { inputs: given, .. } = &event.kind else { return json!({}) };
    let mut inputs = given.clone();
    for (name, input) in workflow.on.workflow_dispatch.iter().flatten() {
        let value = inputs.get(name).cloned().or_else(|| input.default.clone());
        let value = match (&input.kind, value) {
            (InputKind::Boolean, Some(Value::String(text))) => Value::Bool(text == "true"),
            (InputKind::Boolean, None) => Value::Bool(false),
            (InputKind::Number, Some(Value::String(text))) => text
                .parse::<f64>()
                .ok()
                .map_or(Value::String(text), |number| crate::expr::Datum::Number(number).into_json()),
            (InputKind::String | InputKind::Choice(_) | InputKind::Environment | InputKind::Number, None) => {
                Value::String(String::new())
            }
            (_, Some(value)) => value,
        };
        inputs.insert(name.clone(), value);
    }
    Value::Object(inputs)
}

/// Jobs with every need before its dependants; those in a cycle are left out.
fn in_order(workflow: &Workflow) -> Vec<JobId> {
    let mut order: Vec<JobId> = Vec::with_capacity(workflow.jobs.len());
    let mut rest: Vec<&JobId> = workflow.jobs.keys().collect();
    loop {
        let before = rest.len();
        rest.retain(|id| {
            let ready = workflow.jobs[*id]
                .needs
                .iter()
                .all(|need| order.iter().any(|done| done.as_str().eq_ignore_ascii_case(need.value.as_str())));
            if ready {
                order.push((*id).clone());
            }
            !ready
        });
        if rest.is_empty() || rest.len() == before {
            return order;
        }
    }
}

/// Every job that a job needs, directly or through others.
fn ancestors(workflow: &Workflow, id: &JobId) -> Vec<JobId> {
    let mut found: Vec<JobId> = Vec::new();
    let mut open = vec![id.clone()];
    while let Some(id) = open.pop() {
        let Some(job) = workflow.jobs.get(&id) else { continue };
        for need in &job.needs {
            let known = workflow.jobs.keys().find(|id| id.as_str().eq_ignore_ascii_case(need.value.as_str()));
            if let Some(known) = known.filter(|known| !found.contains(known)) {
                found.push(known.clone());
                open.push(known.clone());
            }
        }
    }
    found
}
