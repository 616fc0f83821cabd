//! Inputs of `workflow_dispatch`, and inputs, outputs and secrets of `workflow_call`.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::Value;

use crate::{
    expr::{self, shortened},
    syntax::{
        Input, InputKind, Located, Template, WorkflowCall,
        build::scalar_value,
        check,
        diagnostic::Sink,
        schema::Shape,
        scope::Scope,
        yaml::{Kind, Node, Scalar},
    },
};

/// Inputs under `workflow_dispatch:`.
pub(super) fn dispatch(value: Option<&Node>, sink: &mut Sink<'_>) -> IndexMap<String, Input> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return IndexMap::new() };
    let mut inputs = IndexMap::new();
    for (key, value) in mapping(value, sink) {
        if key.text().as_deref() == Some("inputs") {
            inputs = read_inputs(value, sink, true);
        } else {
            unknown(key, &["inputs"], sink);
        }
    }
    inputs
}

pub(super) fn call(value: &Node, sink: &mut Sink<'_>) -> WorkflowCall {
    let mut call = WorkflowCall::default();
    if value.is_null() {
        return call;
    }
    for (key, value) in mapping(value, sink) {
        match key.text().as_deref() {
            Some("inputs") => call.inputs = read_inputs(value, sink, false),
            Some("outputs") => call.outputs = outputs(value, sink),
            Some("secrets") => call.secrets = secrets(value, sink),
            Some(_) | None => unknown(key, &["inputs", "outputs", "secrets"], sink),
        }
    }
    call
}

fn outputs(node: &Node, sink: &mut Sink<'_>) -> IndexMap<String, Template> {
    let mut outputs = IndexMap::new();
    for (key, output) in named(node, sink) {
        let mut value = None;
        for (key, node) in mapping(output, sink) {
            match key.text().as_deref() {
                Some("value") => {
                    check::value(node, &Shape::Text, Scope::CALL_OUTPUT, sink);
                    value = node.to_text().map(|text| Located { value: text, at: node.at });
                }
                Some("description") => check::value(node, &Shape::Text, Scope::NONE, sink),
                Some(_) | None => unknown(key, &["value", "description"], sink),
            }
        }
        match value {
            Some(value) => {
                outputs.insert(key, value);
            }
            None => sink.error(output.at, output.length, "missing-key", "`value` is required here and missing"),
        }
    }
    outputs
}

fn secrets(node: &Node, sink: &mut Sink<'_>) -> IndexMap<String, bool> {
    let mut secrets = IndexMap::new();
    for (name, secret) in named(node, sink) {
        let mut required = false;
        if !secret.is_null() {
            for (key, value) in mapping(secret, sink) {
                match key.text().as_deref() {
                    Some("required") => required = boolean(value, sink),
                    Some("description") => check::value(value, &Shape::Text, Scope::NONE, sink),
                    Some(_) | None => unknown(key, &["required", "description"], sink),
                }
            }
        }
        secrets.insert(name, required);
    }
    secrets
}

fn read_inputs(node: &Node, sink: &mut Sink<'_>, dispatch: bool) -> IndexMap<String, Input> {
    named(node, sink).into_iter().map(|(name, node)| (name, input(node, sink, dispatch))).collect()
}

fn input(node: &Node, sink: &mut Sink<'_>, dispatch: bool) -> Input {
    let mut input = Input { description: None, required: false, default: None, kind: InputKind::String };
    let mut kind = None;
    let mut options = None;
    let mut default = None;
    let entries = if node.is_null() && dispatch { Vec::new() } else { mapping(node, sink) };
    for (key, value) in entries {
        match key.text().as_deref() {
            Some("description" | "deprecationMessage") => {
                check::value(value, &Shape::Text, Scope::NONE, sink);
                input.description = value.to_text();
            }
            Some("required") => input.required = boolean(value, sink),
            Some("type") => kind = Some(value),
            Some("default") => default = Some(value),
            Some("options") if dispatch => {
                check::value(value, &Shape::List(&Shape::Text), Scope::NONE, sink);
                let items = if let Kind::Sequence(items) = &value.kind { items.as_slice() } else { &[] };
                options = Some(items.iter().filter_map(Node::to_text).collect());
            }
            Some(_) | None => {
                let known = ["description", "required", "type", "default", "deprecationMessage", "options"];
                unknown(key, &known[..if dispatch { 6 } else { 5 }], sink);
            }
        }
    }
    let words: &'static [&'static str] = if dispatch {
        &["string", "boolean", "number", "choice", "environment"]
    } else {
        &["string", "boolean", "number"]
    };
    match kind {
        None if !dispatch => sink.error(node.at, node.length, "missing-key", "`type` is required here and missing"),
        None => {}
        Some(kind) => check::value(kind, &Shape::Word(words), Scope::NONE, sink),
    }
    input.kind = match kind.and_then(Node::to_text).as_deref() {
        Some("boolean") => InputKind::Boolean,
        Some("number") => InputKind::Number,
        Some("choice") => InputKind::Choice(options.unwrap_or_else(|| {
            sink.error(node.at, node.length, "missing-key", "`options` is required for a choice and missing");
            Vec::new()
        })),
        Some("environment") => InputKind::Environment,
        Some(_) | None => InputKind::String,
    };
    if let Some(default) = default {
        let scope = if dispatch { Scope::NONE } else { Scope::WORKFLOW };
        check::value(default, &Shape::Text, scope, sink);
        check_default(default, &input.kind, sink);
        input.default = Some(scalar_value(default));
    }
    input
}

/// A default of another kind than its input.
fn check_default(node: &Node, kind: &InputKind, sink: &mut Sink<'_>) {
    let Kind::Scalar { text, value } = &node.kind else { return };
    if crate::expr::has_expression(text) {
        return;
    }
    let fits = match kind {
        InputKind::Boolean => matches!(value, Scalar::Boolean(_)),
        InputKind::Number => matches!(value, Scalar::Number(_)),
        InputKind::Choice(options) => options.is_empty() || options.iter().any(|option| option == text),
        InputKind::String | InputKind::Environment => true,
    };
    if !fits {
        let message = format!("the default `{}` does not fit the input's type", shortened(text));
        sink.warn(node.at, node.length, "input-default", message);
    }
}

fn boolean(node: &Node, sink: &mut Sink<'_>) -> bool {
    check::value(node, &Shape::Boolean, Scope::NONE, sink);
    scalar_value(node) == Value::Bool(true)
}

/// The entries of a mapping, of equal keys the first.
fn mapping<'n>(node: &'n Node<'n>, sink: &mut Sink<'_>) -> Vec<&'n (Node<'n>, Node<'n>)> {
    let Kind::Mapping(entries) = &node.kind else {
        sink.error(node.at, node.length, "unexpected-value", "expected a mapping");
        return Vec::new();
    };
    let mut seen = HashSet::with_capacity(entries.len());
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = entry.0.to_text().unwrap_or_default();
        if name.is_empty() || seen.insert(expr::folded(&name)) {
            found.push(entry);
        } else {
            let message = format!("`{}` is already defined", shortened(&name));
            sink.error(entry.0.at, entry.0.length, "duplicate-key", message);
        }
    }
    found
}

/// A mapping from names to values: names are not empty.
fn named<'n>(node: &'n Node<'n>, sink: &mut Sink<'_>) -> Vec<(String, &'n Node<'n>)> {
    if node.is_null() {
        return Vec::new();
    }
    let mut found: Vec<(String, &Node<'_>)> = Vec::new();
    for (key, value) in mapping(node, sink) {
        let name = key.to_text().unwrap_or_default();
        if name.is_empty() {
            sink.error(key.at, key.length, "unexpected-value", "a name must not be empty");
        } else {
            found.push((name, value));
        }
    }
    found
}

pub(super) fn unknown(key: &Node, known: &[&'static str], sink: &mut Sink<'_>) {
    let name = key.to_text().unwrap_or_default();
    let mut diagnostic = sink.make(key.at, key.length, "unknown-key", format!("unknown key `{}`", shortened(&name)));
    diagnostic.help = Some(match sink.nearest(&name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here are: {}", known.join(", ")),
    });
    sink.push(diagnostic);
}
