//! `uses: ./path`: a composite action of the repository's own, by its `action.yml`.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, json};
use workflows::{
    expr::Status,
    run::Conclusion,
    syntax::{ACTION_FILES, Action, COMPOSITE, Diagnostic, parse_action},
};

use super::Inputs;
use crate::job::{Job, Scope, StepCall, StepEnd, files, step};

/// Actions that use actions that use actions …
const DEEPEST: usize = 9;
const LARGEST_MANIFEST: u64 = 1 << 20;

pub(super) async fn run(
    job: &mut Job<'_>,
    scope: &mut Scope,
    call: &StepCall<'_>,
    path: &str,
    given: &Inputs,
) -> anyhow::Result<StepEnd> {
    if scope.depth >= DEEPEST {
        return Ok(StepEnd::failure(format!("actions are nested more than {DEEPEST} deep")));
    }
    let directory = job.directories.in_workspace(path);
    if !crate::archive::is_below(&directory, &job.directories.workspace) {
        return Ok(StepEnd::failure(format!("`uses: {path}` leaves the workspace")));
    }
    let action = match read(&directory, path) {
        Ok(action) => action,
        Err(e) => return Ok(StepEnd::failure(format!("{e:#}"))),
    };
    let workspace = job.directories.workspace.clone();
    let mut inputs = Map::new();
    for (name, input) in &action.inputs {
        let given = given.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        let value = match (given, &input.default) {
            (Some((_, value)), _) => value.clone(),
            (None, Some(default)) => match scope.interpolate(&workspace, &default.value) {
                Ok(value) => value,
                Err(e) => return Ok(StepEnd::failure(format!("{path}: the default of `{name}` is not valid: {e}"))),
            },
            (None, None) if input.required => {
                return Ok(StepEnd::failure(format!("`with.{name}` is required by {path}")));
            }
            (None, None) => String::new(),
        };
        inputs.insert(name.clone(), json!(value));
    }
    let mut outer_env = scope.outer_env.clone();
    outer_env.extend(call.own_env.clone());
    let mut inner = scope.of_action(inputs, outer_env, directory, call.limits.clone());
    step::run_all(job, &mut inner, &action.steps, false).await;
    let mut end = StepEnd::success();
    for (name, output) in &action.outputs {
        match inner.interpolate(&workspace, &output.value) {
            Ok(value) => end = end.output(name, value),
            Err(e) => return Ok(StepEnd::failure(format!("{path}: the output `{name}` is not valid: {e}"))),
        }
    }
    match inner.status {
        // `Skipped` is said of jobs alone.
        Status::Success | Status::Skipped => {}
        Status::Failure => {
            end.conclusion = Conclusion::Failure;
            end.message = inner.first_failure;
        }
        Status::Cancelled => end.conclusion = Conclusion::Cancelled,
    }
    Ok(end)
}

fn read(directory: &Path, path: &str) -> anyhow::Result<Action> {
    let name = ACTION_FILES.into_iter().find(|name| directory.join(name).exists());
    let name = name.with_context(|| format!("{path} has no action.yml: was the repository checked out before?"))?;
    let text = files::read_plain(&directory.join(name), LARGEST_MANIFEST)?;
    let (action, diagnostics) = parse_action(&format!("{}/{name}", path.trim_end_matches('/')), &text);
    if let Some(Diagnostic { file, line, column, message, .. }) = diagnostics.iter().find(|each| each.is_error()) {
        bail!("{file}:{line}:{column}: {message}");
    }
    let action = action.with_context(|| format!("{path}/{name} is empty"))?;
    if action.using != COMPOSITE {
        bail!("{path} runs with `{}`: only composite actions can be used", action.using);
    }
    Ok(action)
}
