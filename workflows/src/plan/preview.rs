use std::collections::HashMap;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Expansion, NeedResult, PlannedJob, Selection, call_inputs, expand, github_context,
    order::{Ordered, in_order},
    select,
};
use crate::{
    event::{Event, EventKind},
    ids::{JobId, JobKey},
    run::Conclusion,
    syntax::{Called, InputKind, MAX_CALL_DEPTH, Workflow},
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
    /// With the jobs before it that call workflows: `call/test`.
    pub id: JobKey,
    pub name: String,
    pub needs: Vec<JobId>,
}

/// A job that cannot be expanded before its needs have run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Later {
    pub id: JobKey,
    pub needs: Vec<JobId>,
    pub reason: String,
}

/// Plans a whole workflow for an event, with the workflows that it calls.
pub fn preview(workflow: &Workflow, called: &Called, event: &Event, changed: Option<&[String]>) -> Preview {
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
    preview.plan(workflow, called, &contexts, &[]);
    preview
}

/// A call that leads to a workflow: its key and its display name.
type Caller = (JobKey, String);

/// What is taken to become of a job.
struct Foreseen<'w> {
    id: &'w JobId,
    result: NeedResult,
    /// It, or one that it needs directly or through others, which is skipped. All that a job's condition asks of its
    /// ancestors, where none fails, is whether there is one.
    skipped: Option<&'w JobId>,
}

impl Preview {
    fn plan(&mut self, workflow: &Workflow, called: &Called, contexts: &IndexMap<String, Value>, callers: &[Caller]) {
        let full = |key: JobKey| callers.last().map_or(key.clone(), |(caller, _)| caller.within(&key));
        let titled = |name: String| callers.last().map_or(name.clone(), |(_, caller)| format!("{caller} / {name}"));
        let mut results: HashMap<&JobId, Foreseen<'_>> = HashMap::new();
        let mut environment = expand::environment(contexts);
        for Ordered { id, needs: direct } in in_order(workflow) {
            let Some(job) = workflow.jobs.get(id) else { continue };
            let needs: Vec<JobId> = job.needs.iter().map(|need| need.value.clone()).collect();
            let direct = || direct.iter().filter_map(|need| results.get(need));
            let skipped = direct().find_map(|need| need.skipped);
            let known = direct().map(|need| need.id).chain(skipped).filter_map(|id| results.get(id));
            let known = known.map(|known| (known.id.clone(), known.result.clone())).collect();
            let key = full(JobKey::new(id, None));
            let later = |reason: String| Later { id: key.clone(), needs: needs.clone(), reason };
            let result = match expand::expand_in(workflow, id, &mut environment, &known, false) {
                Expansion::Jobs(jobs) => {
                    self.jobs.extend(jobs.into_iter().map(|job| PlannedJob {
                        key: full(job.key),
                        name: titled(job.name),
                        ..job
                    }));
                    Conclusion::Success
                }
                Expansion::Calls(calls) => {
                    for call in calls {
                        let inner = called.get(&call.uses).filter(|_| callers.len() < MAX_CALL_DEPTH);
                        let takes = inner.and_then(|inner| Some((inner, inner.on.workflow_call.as_ref()?)));
                        let Some((inner, takes)) = takes else {
                            self.later.push(later(format!("`{}` is not at hand", call.uses)));
                            continue;
                        };
                        match call_inputs(takes, &call.with, contexts) {
                            Ok(inputs) => {
                                let mut contexts = contexts.clone();
                                contexts.insert("inputs".to_owned(), inputs);
                                let mut callers = callers.to_vec();
                                callers.push((full(call.key), titled(call.name)));
                                self.plan(inner, called, &contexts, &callers);
                            }
                            Err(reason) => self.later.push(later(reason)),
                        }
                    }
                    Conclusion::Success
                }
                Expansion::Skipped { name } => {
                    self.skipped.push(Skip { id: key, name: titled(name), needs });
                    Conclusion::Skipped
                }
                Expansion::Invalid(diagnostic) => {
                    self.later.push(later(diagnostic.message));
                    Conclusion::Success
                }
            };
            let skipped = if result == Conclusion::Skipped { Some(id) } else { skipped };
            results.insert(id, Foreseen { id, result: NeedResult { result, outputs: IndexMap::new() }, skipped });
        }
    }
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
