//! Calls of reusable workflows: what the caller gives must be what the called one takes.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{
    CallSecrets, Diagnostic, Input, InputKind, Job, JobBody, Located, Template, Workflow, WorkflowCall,
    deadlock::{self, Held},
    diagnostic::Sink,
    permissions::{self, Permissions},
};
use serde_json::Value;

/// How many workflows may call one another in a chain, the first one included; GitHub's limit.
pub const MAX_CALL_DEPTH: usize = 10;

/// The workflows that one calls, directly or through others, by their path as `uses` writes it.
pub type Called = IndexMap<String, Arc<Workflow>>;

/// Reads every workflow that one calls, with those that they call; what `read` does not find is left out.
pub fn gather_called(workflow: &Workflow, mut read: impl FnMut(&str) -> Option<Arc<Workflow>>) -> Called {
    let mut called = Called::new();
    let mut open: Vec<String> = calls(workflow).collect();
    while let Some(path) = open.pop() {
        if !called.contains_key(&path)
            && let Some(found) = read(&path)
        {
            open.extend(calls(&found));
            called.insert(path, found);
        }
    }
    called
}

fn calls(workflow: &Workflow) -> impl Iterator<Item = String> {
    workflow.jobs.values().filter_map(|job| match &job.body {
        JobBody::Call { uses, .. } => Some(uses.value.clone()),
        JobBody::Steps(_) => None,
    })
}

/// Checks every call in a workflow, and those in the workflows that it calls. `find` gives the
/// workflow at a path (`./.assay/workflows/x.yml`, as written); what it does not find is reported
/// where the path is local, and passed over where it is not.
pub fn check_calls<'w>(workflow: &'w Workflow, find: &dyn Fn(&str) -> Option<&'w Workflow>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut chain = vec![workflow.file.as_str()];
    descend(workflow, find, &mut chain, Around::default(), &mut found);
    found
}

/// What the calls that lead to a workflow bring with them.
#[derive(Clone, Default)]
struct Around<'w> {
    /// Places in concurrency groups.
    held: Vec<Held>,
    /// What it may ask for; none where nobody says.
    permissions: Option<&'w Permissions>,
}

fn descend<'w>(
    workflow: &'w Workflow,
    find: &dyn Fn(&str) -> Option<&'w Workflow>,
    chain: &mut Vec<&'w str>,
    around: Around<'w>,
    found: &mut Vec<Diagnostic>,
) {
    let mut sink = Sink::new(&workflow.file);
    // What its own jobs and it ask for was looked at when it was read.
    deadlock::check_jobs(workflow, &around.held, &mut sink);
    let mut inner: Vec<(&Workflow, Around<'_>)> = Vec::new();
    for (id, job) in &workflow.jobs {
        let JobBody::Call { uses, .. } = &job.body else { continue };
        let length = uses.value.chars().count().clamp(1, 200) as u32;
        let Some(called) = find(&uses.value) else {
            if uses.value.starts_with("./") {
                sink.error(uses.at, length, "unknown-workflow", format!("there is no workflow `{}`", uses.value));
            }
            continue;
        };
        let Some(takes) = &called.on.workflow_call else {
            let message = format!("`{}` cannot be called: it has no `workflow_call` under `on`", uses.value);
            sink.error(uses.at, length, "not-callable", message);
            continue;
        };
        check(job, takes, &mut sink);
        let permissions = permissions::given(job, workflow, around.permissions);
        if let Some(allowed) = permissions {
            permissions::check_call(job, called, allowed, &mut sink);
        }
        let held = [deadlock::by_workflow(workflow), deadlock::by_job(id, job)];
        let held: Vec<Held> = around.held.iter().cloned().chain(held.into_iter().flatten()).collect();
        if let Some(holder) = deadlock::holder(called.concurrency.as_ref(), &held) {
            let message = format!("`{}` never starts: it asks for the place that {} has", uses.value, holder.by());
            sink.warn(uses.at, length, "concurrency-deadlock", message);
        }
        if chain.contains(&called.file.as_str()) {
            sink.error(uses.at, length, "call-cycle", format!("`{}` is called from within itself", uses.value));
        } else if chain.len() >= MAX_CALL_DEPTH {
            let message = format!("workflows may call one another at most {MAX_CALL_DEPTH} deep");
            sink.error(uses.at, length, "call-depth", message);
        } else if !inner.iter().any(|(other, _)| other.file == called.file) {
            // Once for each file, as the first job that calls it does: all ways to it could be very many.
            inner.push((called, Around { held, permissions }));
        }
    }
    found.extend(sink.finish());
    for (called, around) in inner {
        chain.push(&called.file);
        descend(called, find, chain, around, found);
        chain.pop();
    }
}

fn check(job: &Job, takes: &WorkflowCall, sink: &mut Sink<'_>) {
    let JobBody::Call { uses, with, secrets } = &job.body else { return };
    for (name, given) in with {
        match find_name(takes.inputs.iter(), name) {
            None => {
                let message = format!("`{}` takes no input `{name}`", uses.value);
                let mut diagnostic = sink.make(given.at, 1, "unknown-input", message);
                diagnostic.help = sink
                    .nearest(name, takes.inputs.keys().map(String::as_str))
                    .map(|near| format!("did you mean `{near}`?"));
                sink.push(diagnostic);
            }
            Some(input) => check_kind(name, given, input, sink),
        }
    }
    for (name, input) in &takes.inputs {
        if input.required && find_name(with.iter(), name).is_none() {
            let message = format!("`{}` requires the input `{name}`", uses.value);
            sink.error(uses.at, 1, "missing-input", message);
        }
    }
    let CallSecrets::Given(secrets) = secrets else { return };
    for (name, given) in secrets {
        if find_name(takes.secrets.iter(), name).is_none() {
            let message = format!("`{}` takes no secret `{name}`", uses.value);
            sink.error(given.at, 1, "unknown-secret", message);
        }
    }
    for (name, required) in &takes.secrets {
        if *required && find_name::<Template>(secrets.iter(), name).is_none() {
            sink.error(uses.at, 1, "missing-secret", format!("`{}` requires the secret `{name}`", uses.value));
        }
    }
}

fn check_kind(name: &str, given: &Located<Value>, input: &Input, sink: &mut Sink<'_>) {
    let is_template = given.value.as_str().is_some_and(crate::expr::has_expression);
    let (fits, expected) = match input.kind {
        InputKind::Boolean => (given.value.is_boolean(), "`true` or `false`"),
        InputKind::Number => (given.value.is_number(), "a number"),
        InputKind::String | InputKind::Choice(_) | InputKind::Environment => (true, "a text"),
    };
    if !fits && !is_template {
        sink.error(given.at, 1, "input-type", format!("the input `{name}` is {expected}"));
    }
}

/// By name without case.
fn find_name<'m, T>(entries: impl IntoIterator<Item = (&'m String, &'m T)>, name: &str) -> Option<&'m T> {
    entries.into_iter().find(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
