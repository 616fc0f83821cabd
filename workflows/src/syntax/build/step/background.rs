//! What GitHub asks of `wait`, `wait-all`, `cancel` and `parallel`. Assay runs steps one after another; a workflow
//! is to be right on GitHub all the same.

use std::collections::HashSet;

use super::get;
use crate::syntax::{
    diagnostic::Sink,
    yaml::{Kind, Node, Scalar},
};

/// Checks one list of steps.
pub(super) fn check(list: &Node, sink: &mut Sink<'_>) {
    let Kind::Sequence(items) = &list.kind else { return };
    let mut known = HashSet::new();
    for item in items {
        let own = get(item, "id").and_then(Node::to_text);
        known.extend(own.clone());
        for target in get(item, "wait").into_iter().flat_map(targets).chain(get(item, "cancel")) {
            waits_for(target, &known, own.as_deref(), sink);
        }
        if let Some(all) = get(item, "wait-all")
            && matches!(all.kind, Kind::Scalar { value: Scalar::Boolean(false), .. })
        {
            sink.error(all.at, all.length, "unexpected-value", "`wait-all` is true or has no value");
        }
        if let Some(inner) = get(item, "parallel") {
            check_parallel(item, inner, sink);
        }
    }
}

fn targets<'n>(node: &'n Node<'n>) -> Vec<&'n Node<'n>> {
    match &node.kind {
        Kind::Sequence(items) => items.iter().collect(),
        Kind::Scalar { .. } | Kind::Mapping(_) => vec![node],
    }
}

fn waits_for(target: &Node, known: &HashSet<String>, own: Option<&str>, sink: &mut Sink<'_>) {
    // What is empty, or no text, was complained about already.
    let Some(name) = target.to_text().filter(|name| !name.is_empty() && !crate::expr::has_expression(name)) else {
        return;
    };
    let message = if own.is_some_and(|own| own.eq_ignore_ascii_case(&name)) {
        "a step cannot wait for itself".to_owned()
    } else if !known.contains(&name) {
        format!("no step above this one has the id `{}`", crate::expr::shortened(&name))
    } else {
        return;
    };
    sink.error(target.at, target.length, "unknown-step", message);
}

fn check_parallel(step: &Node, inner: &Node, sink: &mut Sink<'_>) {
    check(inner, sink);
    let Kind::Sequence(items) = &inner.kind else { return };
    for name in ["background", "wait", "wait-all", "cancel", "parallel"] {
        if items.iter().any(|item| get(item, name).is_some()) {
            let message = format!("`{name}` cannot stand inside `parallel`, which holds `run` and `uses` steps");
            sink.error(step.at, step.length, "parallel", message);
        }
    }
}
