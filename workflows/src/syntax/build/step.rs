mod background;

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{get, key, located, template, templates, texts};
use crate::syntax::{
    ActionRef, BuiltinAction, Severity, Step, StepAction, builtin,
    diagnostic::Sink,
    injection,
    yaml::{Kind, Node},
};

pub(in crate::syntax) fn list(node: &Node, sink: &mut Sink<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    read_into(node, &mut steps, sink);
    check_ids(node, sink);
    background::check(node, sink);
    steps
}

fn read_into(node: &Node, steps: &mut Vec<Step>, sink: &mut Sink<'_>) {
    let Kind::Sequence(items) = &node.kind else { return };
    for item in items {
        if let Some(inner) = get(item, "parallel") {
            unsupported(item, "parallel", "its steps run one after another", sink);
            read_into(inner, steps, sink);
            continue;
        }
        for name in ["wait", "wait-all", "cancel"] {
            unsupported(item, name, "the step does nothing", sink);
        }
        unsupported(item, "background", "the step is waited for", sink);
        steps.extend(read(item, sink));
    }
}

fn unsupported(item: &Node, name: &str, effect: &str, sink: &mut Sink<'_>) {
    if let Some(key) = key(item, name) {
        let message = format!("Assay runs steps one after another and knows no `{name}`: {effect}");
        sink.warn(key.at, key.length, "not-applicable", message);
    }
}

/// None where it neither runs nor uses anything.
fn read(node: &Node, sink: &mut Sink<'_>) -> Option<Step> {
    let action = if let Some(run) = get(node, "run") {
        injection::warn(run, sink);
        StepAction::Run {
            script: located(run)?,
            shell: template(node, "shell"),
            working_directory: template(node, "working-directory"),
        }
    } else {
        let with: IndexMap<_, _> = templates(node, "with");
        let uses = get(node, "uses")?;
        let (at, written) = (uses.at, uses.to_text().unwrap_or_default());
        let uses = action_ref(uses, sink);
        if let ActionRef::Builtin(action) = uses {
            check_inputs(node, action, sink);
        }
        StepAction::Uses { uses, written, at, with }
    };
    Some(Step {
        at: node.at,
        id: get(node, "id").and_then(Node::to_text).filter(|id| !id.is_empty()),
        name: template(node, "name"),
        condition: template(node, "if"),
        env: texts(node, "env"),
        continue_on_error: template(node, "continue-on-error"),
        timeout_minutes: template(node, "timeout-minutes"),
        action,
    })
}

fn action_ref(node: &Node, sink: &mut Sink<'_>) -> ActionRef {
    let text = node.to_text().unwrap_or_default();
    if text.starts_with("./") {
        return ActionRef::Local(text);
    }
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (text.as_str(), None),
    };
    let known = builtin::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let named = known.is_some() && version.is_some_and(|version| !version.is_empty() && !version.contains('@'));
    // What is empty or holds an expression was complained about already.
    if !named && !text.is_empty() && !crate::expr::has_expression(&text) && !is_reference(&text) {
        let shown = crate::expr::shortened(&text);
        let message = format!("an action is named `owner/repository[/path]@version` or `./path`, not `{shown}`");
        sink.error(node.at, node.length, "action-reference", message);
        return ActionRef::Unknown(text);
    }
    let message = match (known, version) {
        (Some((_, action)), Some(version)) => {
            // There is one version of ours; of GitHub's every `vN` is an alias of it.
            if name.to_ascii_lowercase().starts_with("assay/") && version != "v1" {
                let message = format!("there is no version `{version}` of `{name}`; `v1` is used");
                sink.warn(node.at, node.length, "action-version", message);
            }
            return ActionRef::Builtin(*action);
        }
        (_, None) if !text.starts_with("docker://") => {
            format!("`{}` names no version: write `{name}@<version>`", crate::expr::shortened(&text))
        }
        _ => format!("`{}` is no action of Assay's: this step fails when it runs", crate::expr::shortened(&text)),
    };
    let mut diagnostic = sink.make(node.at, node.length, "unknown-action", message);
    diagnostic.severity = crate::syntax::Severity::Warning;
    let near = sink.nearest(name, builtin::NAMES.iter().map(|(name, _)| *name));
    diagnostic.help = Some(match near {
        Some(near) if near != name => format!("did you mean `{near}`?"),
        _ => "Assay runs its own actions, `actions/checkout`, `upload-artifact`, `download-artifact` and `cache`, and \
              local ones (`./path`)"
            .to_owned(),
    });
    sink.push(diagnostic);
    ActionRef::Unknown(text)
}

/// As GitHub reads `uses`: an image, a path, or an owner, a repository and one version.
fn is_reference(text: &str) -> bool {
    if text.starts_with("docker://") || text.starts_with(".\\") {
        return true;
    }
    let Some((path, version)) = text.split_once('@') else { return false };
    let names = path.split(['/', '\\']).filter(|name| !name.is_empty()).count();
    names >= 2 && !version.is_empty() && !version.contains('@')
}

/// Inputs that the action does not read.
fn check_inputs(step: &Node, action: BuiltinAction, sink: &mut Sink<'_>) {
    let Some(Kind::Mapping(entries)) = get(step, "with").map(|node| &node.kind) else { return };
    let known = action.inputs();
    for (key, _) in entries {
        let unknown = |name: &String| !known.contains(&name.as_str()) && !crate::expr::has_expression(name);
        let Some(name) = key.to_text().filter(unknown) else { continue };
        let shown = crate::expr::shortened(&name);
        let (severity, message) = match action.is_strict() {
            true => (Severity::Error, format!("there is no input `{shown}` of this action")),
            false => (Severity::Warning, format!("the input `{shown}` has no effect in Assay")),
        };
        let mut diagnostic = sink.make(key.at, key.length, "unknown-input", message);
        diagnostic.severity = severity;
        diagnostic.help = Some(match sink.nearest(&name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here are: {}", known.join(", ")),
        });
        sink.push(diagnostic);
    }
}

/// Ids of steps: well formed, and each there once in its list.
fn check_ids(list: &Node, sink: &mut Sink<'_>) {
    let Kind::Sequence(items) = &list.kind else { return };
    let mut seen = HashSet::new();
    let mut check = |node: &Node, sink: &mut Sink<'_>| {
        let Some(id) = node.to_text().filter(|id| !id.is_empty()) else { return };
        let well_formed = id.parse::<crate::ids::JobId>().is_ok();
        let message = if !well_formed {
            "a step's id is a letter or `_`, then letters, digits, `-` or `_`".to_owned()
        } else if id.starts_with("__") {
            format!("`{id}`: ids that begin with `__` are reserved")
        } else if seen.insert(id.to_ascii_lowercase()) {
            return;
        } else {
            format!("the id `{id}` is already used in this job")
        };
        sink.error(node.at, node.length, "step-id", message);
    };
    for item in items {
        if let Some(id) = get(item, "id") {
            check(id, sink);
        }
        // Its ids are its own, as on GitHub.
        if let Some(inner) = get(item, "parallel") {
            check_ids(inner, sink);
        }
    }
}
