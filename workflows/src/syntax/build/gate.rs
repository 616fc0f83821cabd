//! `gate:`: rules with their places; what each field means, the gate itself knows.

use std::collections::HashSet;

use crate::{
    expr::shortened,
    gate::{Defaults, FieldError, Policy},
    syntax::{
        diagnostic::Sink,
        yaml::{Kind, Node},
    },
};

pub(super) fn read(node: &Node, sink: &mut Sink<'_>) -> Option<Policy> {
    if node.is_null() {
        return None;
    }
    let Kind::Mapping(entries) = &node.kind else {
        sink.error(node.at, node.length, "unexpected-value", "expected rules: `accuracy: { max-drop: 1pp }`");
        return None;
    };
    let mut policy = Policy::default();
    let mut seen = HashSet::new();
    let mut self_check = None;
    for (key, value) in entries {
        let name = key.to_text().unwrap_or_default();
        if !seen.insert(name.clone()) {
            sink.error(key.at, key.length, "duplicate-key", format!("`{}` is already defined", shortened(&name)));
            continue;
        }
        if let ("self-check", Kind::Scalar { text, .. }) = (name.as_str(), &value.kind) {
            match Defaults::parse(&[(name, text.clone().into_owned())]) {
                Ok(defaults) => self_check = Some(defaults.self_check),
                Err(errors) => report(&errors, key, value, sink),
            }
            continue;
        }
        let Some(fields) = fields(value, sink) else { continue };
        if name == "defaults" {
            match Defaults::parse(&fields) {
                Ok(defaults) => policy.defaults = defaults,
                Err(errors) => report(&errors, key, value, sink),
            }
        } else {
            match Policy::rule(&name, &fields) {
                Ok(mut rule) => {
                    rule.line = key.at.line;
                    policy.rules.push(rule);
                }
                Err(errors) => report(&errors, key, value, sink),
            }
        }
    }
    // It may stand beside the rules as well: it is about the gate as a whole.
    policy.defaults.self_check = self_check.unwrap_or(policy.defaults.self_check);
    Some(policy)
}

fn fields(node: &Node, sink: &mut Sink<'_>) -> Option<Vec<(String, String)>> {
    let Kind::Mapping(entries) = &node.kind else {
        sink.error(node.at, node.length, "unexpected-value", "expected bounds: `{ max-drop: 1pp }`");
        return None;
    };
    let mut fields: Vec<(String, String)> = Vec::new();
    for (key, value) in entries {
        let name = key.to_text().unwrap_or_default();
        // As written: `0.90` must not lose its zero on the way into a sentence.
        let Kind::Scalar { text, .. } = &value.kind else {
            sink.error(value.at, value.length, "unexpected-value", "expected an amount: `0.5pp`, `10%`, `20ms`, `5MB`");
            continue;
        };
        if crate::expr::has_expression(text) {
            let message = "expressions are not allowed in the gate: its policy comes from the base, as written";
            sink.error(value.at, value.length, "expression-not-allowed", message);
        } else if fields.iter().any(|(each, _)| *each == name) {
            sink.error(key.at, key.length, "duplicate-key", format!("`{}` is already defined", shortened(&name)));
        } else {
            fields.push((name, text.clone().into_owned()));
        }
    }
    Some(fields)
}

fn report(errors: &[FieldError], key: &Node, rule: &Node, sink: &mut Sink<'_>) {
    for error in errors {
        let place = error.key.as_deref().and_then(|name| super::entry(rule, name));
        // An unknown field is wrong at its key, a bad amount at its value.
        let node = match place {
            Some((field, _)) if error.code == "unknown-key" => field,
            Some((_, value)) => value,
            None => key,
        };
        let mut diagnostic = sink.make(node.at, node.length, error.code, error.message.clone());
        diagnostic.help.clone_from(&error.help);
        sink.push(diagnostic);
    }
}
