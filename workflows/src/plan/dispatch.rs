//! A workflow started by hand: what it may be given.

use serde_json::{Map, Value};

use crate::{
    expr::Datum,
    syntax::{Input, InputKind, Workflow},
};

/// Why a workflow cannot be started with these inputs: a sentence for each that is wrong. None where it can.
pub fn dispatch_problems(workflow: &Workflow, given: &Map<String, Value>) -> Vec<String> {
    let Some(inputs) = &workflow.on.workflow_dispatch else {
        return vec![format!("{} does not name `workflow_dispatch` under `on`", workflow.file)];
    };
    let mut problems = Vec::new();
    for name in given.keys().filter(|name| !inputs.contains_key(*name)) {
        let known: Vec<&str> = inputs.keys().map(String::as_str).collect();
        problems.push(match known[..] {
            [] => format!("`{name}` is given, and the workflow takes no inputs"),
            _ => format!("the workflow has no input `{name}`: it takes {}", known.join(", ")),
        });
    }
    for (name, input) in inputs {
        problems.extend(problem(name, input, given.get(name)));
    }
    problems
}

fn problem(name: &str, input: &Input, given: Option<&Value>) -> Option<String> {
    let text = match given {
        None | Some(Value::Null) => {
            return (input.required && input.default.is_none()).then(|| format!("the input `{name}` is required"));
        }
        Some(value) => Datum::borrowed(value).to_text().into_owned(),
    };
    match &input.kind {
        InputKind::Boolean if text != "true" && text != "false" => {
            Some(format!("the input `{name}` is `true` or `false`"))
        }
        InputKind::Number if text.trim().is_empty() || Datum::Text(text.as_str().into()).to_number().is_nan() => {
            Some(format!("the input `{name}` is a number"))
        }
        InputKind::Choice(options) if !options.contains(&text) => {
            Some(format!("the input `{name}` is one of {}", options.join(", ")))
        }
        InputKind::String | InputKind::Environment | InputKind::Boolean | InputKind::Number | InputKind::Choice(_) => {
            None
        }
    }
}
