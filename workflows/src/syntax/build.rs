//! A checked tree → the typed workflow. What [`super::check`] has complained about is passed over
//! here, so that a file with one mistake still yields everything else.

mod action;
mod gate;
mod job;
mod step;

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    Concurrency, Defaults, INSERT, Located, Permissions, Queue, Template, Workflow,
    diagnostic::Sink,
    on,
    yaml::{Kind, Node, Scalar},
};
use crate::ids::JobId;

pub(super) use action::{action, runs as action_runs};

/// None where there is no mapping at all.
pub(super) fn workflow(file: &str, root: &Node, sink: &mut Sink<'_>) -> Option<Workflow> {
    if !matches!(root.kind, Kind::Mapping(_)) {
        return None;
    }
    let on = get(root, "on").map(|node| on::read(node, sink)).unwrap_or_default();
    if let Some(key) = key(root, "permissions") {
        not_applicable(key, "permissions", sink);
    }
    Some(Workflow {
        file: file.to_owned(),
        name: get(root, "name").and_then(Node::to_text).filter(|name| !name.is_empty()),
        run_name: template(root, "run-name"),
        on,
        permissions: get(root, "permissions").and_then(Permissions::read),
        env: texts(root, "env"),
        defaults: get(root, "defaults").and_then(|node| get(node, "run")).map(defaults).unwrap_or_default(),
        concurrency: concurrency(root, sink),
        jobs: jobs(root, sink),
        gate: get(root, "gate").and_then(|node| gate::read(node, sink)),
    })
}

fn jobs(root: &Node, sink: &mut Sink<'_>) -> IndexMap<JobId, super::Job> {
    let mut jobs = IndexMap::new();
    // Names are compared without case, as on GitHub.
    let mut seen = HashSet::new();
    let Some(node) = get(root, "jobs") else { return jobs };
    let Kind::Mapping(entries) = &node.kind else { return jobs };
    for (key, value) in entries {
        let name = key.to_text().unwrap_or_default();
        let id = match name.parse::<JobId>() {
            Ok(_) if name.starts_with("__") => Err(format!("`{name}`: ids that begin with `__` are reserved")),
            Ok(id) => Ok(id),
            Err(error) => Err(error.to_string()),
        };
        match id {
            // A second one of the same name was complained about already.
            Ok(_) if !seen.insert(name.to_ascii_lowercase()) => {}
            Ok(id) => {
                jobs.insert(id, job::read(key, value, sink));
            }
            Err(message) => {
                // An empty key was complained about already.
                if !name.is_empty() {
                    sink.error(key.at, key.length, "job-id", message);
                }
                // What else is wrong with it is said too.
                job::read(key, value, sink);
            }
        }
    }
    if entries.is_empty() {
        sink.error(node.at, node.length, "no-jobs", "a workflow needs at least one job");
    }
    jobs
}

fn not_applicable(key: &Node, name: &str, sink: &mut Sink<'_>) {
    let mut diagnostic = sink.make(
        key.at,
        key.length,
        "not-applicable",
        format!("`{name}` is read and has no effect: Assay gives jobs no token of the forge"),
    );
    diagnostic.severity = super::Severity::Note;
    sink.push(diagnostic);
}

fn concurrency(parent: &Node, sink: &mut Sink<'_>) -> Option<Concurrency> {
    let node = get(parent, "concurrency")?;
    let max = get(node, "queue").filter(|queue| queue.text().as_deref() == Some("max"));
    let cancels = get(node, "cancel-in-progress");
    let cancels = cancels.is_some_and(|node| matches!(node.kind, Kind::Scalar { value: Scalar::Boolean(true), .. }));
    if let Some(queue) = max.filter(|_| cancels) {
        sink.error(queue.at, queue.length, "concurrency-queue", Queue::ENDS_NOBODY);
    }
    let queue = if max.is_some() { Queue::Max } else { Queue::Single };
    let group = if matches!(node.kind, Kind::Scalar { .. }) { Some(node) } else { get(node, "group") };
    let name = group.and_then(Node::text).filter(|name| !crate::expr::has_expression(name)).unwrap_or_default();
    if let Err(message) = Concurrency::check_name(&name) {
        sink.error(node.at, node.length, "concurrency-group", message);
    }
    match &node.kind {
        Kind::Scalar { .. } => Some(Concurrency { group: located(node)?, cancel_in_progress: None, queue }),
        Kind::Mapping(_) => Some(Concurrency {
            group: template(node, "group")?,
            cancel_in_progress: template(node, "cancel-in-progress"),
            queue,
        }),
        Kind::Sequence(_) => None,
    }
}

/// Of `defaults.run`.
fn defaults(run: &Node) -> Defaults {
    Defaults {
        shell: get(run, "shell").and_then(Node::to_text),
        working_directory: get(run, "working-directory").and_then(Node::to_text),
    }
}

/// The value of a key, which is compared with its case, as on GitHub.
fn get<'n>(parent: &'n Node<'n>, name: &str) -> Option<&'n Node<'n>> {
    entry(parent, name).map(|(_, value)| value)
}

fn key<'n>(parent: &'n Node<'n>, name: &str) -> Option<&'n Node<'n>> {
    entry(parent, name).map(|(key, _)| key)
}

fn entry<'n>(parent: &'n Node<'n>, name: &str) -> Option<&'n (Node<'n>, Node<'n>)> {
    let Kind::Mapping(entries) = &parent.kind else { return None };
    entries.iter().find(|(key, _)| matches!(&key.kind, Kind::Scalar { text, .. } if text == name))
}

fn located(node: &Node) -> Option<Template> {
    node.to_text().map(|value| Located { value, at: node.at })
}

/// A scalar under a key, as a template.
fn template(parent: &Node, name: &str) -> Option<Template> {
    get(parent, name).and_then(located)
}

/// A mapping of texts under a key.
fn texts(parent: &Node, name: &str) -> IndexMap<String, String> {
    templates(parent, name).into_iter().map(|(name, template)| (name, template.value)).collect()
}

/// A mapping of templates under a key. One that is an expression as a whole inserts what it gives.
fn templates(parent: &Node, name: &str) -> IndexMap<String, Template> {
    if let Some(whole) = template(parent, name).filter(|whole| crate::expr::has_expression(&whole.value)) {
        return IndexMap::from([(INSERT.to_owned(), whole)]);
    }
    pairs(parent, name).into_iter().filter_map(|(name, node)| Some((name, located(node)?))).collect()
}

fn pairs<'n>(parent: &'n Node<'n>, name: &str) -> Vec<(String, &'n Node<'n>)> {
    let Some(Kind::Mapping(entries)) = get(parent, name).map(|node| &node.kind) else { return Vec::new() };
    entries.iter().filter_map(|(key, value)| Some((key.to_text()?, value))).collect()
}

/// A list of texts, or one text alone.
fn list(node: &Node) -> Vec<Template> {
    match &node.kind {
        Kind::Scalar { .. } => located(node).into_iter().collect(),
        Kind::Sequence(items) => items.iter().filter_map(located).collect(),
        Kind::Mapping(_) => Vec::new(),
    }
}

/// A tree as JSON, for matrices and inputs.
pub(super) fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar { .. } => scalar_value(node),
        Kind::Sequence(items) => Value::Array(items.iter().map(value).collect()),
        Kind::Mapping(entries) => {
            Value::Object(entries.iter().filter_map(|(key, each)| Some((key.to_text()?, value(each)))).collect())
        }
    }
}

/// A scalar as JSON; null for lists and mappings.
pub(super) fn scalar_value(node: &Node) -> Value {
    let Kind::Scalar { text, value } = &node.kind else { return Value::Null };
    match value {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Number(value) => crate::expr::Datum::Number(*value).into_json(),
        Scalar::Text => Value::String(text.clone().into_owned()),
    }
}
