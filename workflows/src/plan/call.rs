//! Reusable workflows: what a call hands in, and what it hands back.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{JobConcurrency, NeedResult, context::result_value};
use crate::{
    expr::{self, Datum, Environment},
    ids::{JobId, JobKey},
    matrix,
    syntax::{Concurrency, Input, InputKind, Workflow, WorkflowCall},
};

/// One call of a workflow: of a job, or of one row of its matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCall {
    pub key: JobKey,
    /// Path of the called workflow, as written.
    pub uses: String,
    /// Resolved display name; that of each job of the called workflow stands behind it.
    pub name: String,
    /// The `matrix` and `strategy` contexts of the call.
    pub matrix: matrix::Row,
    pub strategy: IndexMap<String, Value>,
    /// `with`, evaluated.
    pub with: IndexMap<String, Value>,
    /// Of the job that calls.
    pub concurrency: Option<JobConcurrency>,
}

/// The concurrency group that a called workflow names. `contexts` are those within it. The error is a sentence for
/// people.
pub fn workflow_concurrency(
    workflow: &Workflow,
    contexts: &IndexMap<String, Value>,
) -> Result<Option<JobConcurrency>, String> {
    let Some(written) = &workflow.concurrency else { return Ok(None) };
    let told = |error: expr::Error| format!("`concurrency` of {}: {}", workflow.file, error.message);
    let group = group_name(written, contexts).map_err(told)?;
    JobConcurrency::named(group, cancels_in_progress(written, contexts).map_err(told)?, written.queue)
}

/// The name of a workflow's concurrency group; empty is none.
pub fn group_name(written: &Concurrency, contexts: &IndexMap<String, Value>) -> Result<String, expr::Error> {
    let environment = Environment { contexts: contexts.clone(), ..Environment::default() };
    expr::interpolate(&written.group.value, &environment)
}

/// Whether a workflow's run, or its call, ends the one under way.
pub fn cancels_in_progress(written: &Concurrency, contexts: &IndexMap<String, Value>) -> Result<bool, expr::Error> {
    let Some(template) = &written.cancel_in_progress else { return Ok(false) };
    let environment = Environment { contexts: contexts.clone(), ..Environment::default() };
    Ok(match expr::template_value(&template.value, &environment)? {
        Value::Bool(value) => value,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    })
}

/// The `inputs` context within a called workflow: what the call gives, defaults for the rest, each of the
/// declared type. `contexts` are the caller's. The error is a sentence for people.
pub fn call_inputs(
    takes: &WorkflowCall,
    with: &IndexMap<String, Value>,
    contexts: &IndexMap<String, Value>,
) -> Result<Value, String> {
    let environment = Environment { contexts: contexts.clone(), ..Environment::default() };
    let mut inputs = Map::new();
    for (name, input) in &takes.inputs {
        let given = with.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        let value = match (given, &input.default) {
            (Some(given), _) => given,
            (None, Some(Value::String(text))) => expr::template_value(text, &environment)
                .map_err(|error| format!("the default of the input `{name}`: {}", error.message))?,
            (None, Some(default)) => default.clone(),
            (None, None) => Value::Null,
        };
        inputs.insert(name.clone(), typed(name, input, value)?);
    }
    Ok(Value::Object(inputs))
}

/// A value as its input declares it; what was not given is the type's own zero, as on GitHub.
fn typed(name: &str, input: &Input, value: Value) -> Result<Value, String> {
    Ok(match (&input.kind, value) {
        (InputKind::Boolean, Value::Null) => Value::Bool(false),
        (InputKind::Boolean, Value::Bool(value)) => Value::Bool(value),
        (InputKind::Boolean, Value::String(text)) if text == "true" || text == "false" => Value::Bool(text == "true"),
        (InputKind::Boolean, _) => return Err(format!("the input `{name}` is `true` or `false`")),
        (InputKind::Number, Value::Null) => Value::from(0),
        (InputKind::Number, value) => {
            let number = Datum::borrowed(&value).to_number();
            if number.is_nan() || value.is_array() || value.is_object() {
                return Err(format!("the input `{name}` is a number"));
            }
            Datum::Number(number).into_json()
        }
        (InputKind::String | InputKind::Choice(_) | InputKind::Environment, value) => {
            if value.is_array() || value.is_object() {
                return Err(format!("the input `{name}` is a text"));
            }
            Value::String(Datum::borrowed(&value).to_text().into_owned())
        }
    })
}

/// What a call hands back: `on.workflow_call.outputs`, evaluated once its jobs have ended. `contexts` are
/// those within the called workflow. An output that cannot be evaluated is empty.
pub fn call_outputs(
    takes: &WorkflowCall,
    jobs: &IndexMap<JobId, NeedResult>,
    contexts: &IndexMap<String, Value>,
) -> IndexMap<String, String> {
    if takes.outputs.is_empty() {
        return IndexMap::new();
    }
    let mut environment = Environment { contexts: contexts.clone(), ..Environment::default() };
    let jobs = jobs.iter().map(|(id, result)| (id.as_str().to_owned(), result_value(result))).collect();
    environment.contexts.insert("jobs".to_owned(), Value::Object(jobs));
    let value = |text: &str| expr::interpolate(text, &environment).unwrap_or_default();
    takes.outputs.iter().map(|(name, template)| (name.clone(), value(&template.value))).collect()
}
