//! `uses: ./path`: a composite action of the repository's own, by its `action.yml`.

use std::path::Path;

use anyhow::{Context, bail};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, json};
use serde_yaml::Value as Yaml;
use workflows::{
    expr::Status,
    run::Conclusion,
    syntax::{ActionRef, BuiltinAction, Located, Place, Step, StepAction},
};

use super::Inputs;
use crate::job::{Job, Scope, StepCall, StepEnd, files, step};

/// Actions that use actions that use actions …
const DEEPEST: usize = 9;
const LARGEST_MANIFEST: u64 = 1 << 20;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    inputs: IndexMap<String, ManifestInput>,
    #[serde(default)]
    outputs: IndexMap<String, ManifestOutput>,
    runs: Runs,
}

#[derive(Deserialize, Default)]
struct ManifestInput {
    #[serde(default)]
    required: bool,
    #[serde(default)]
    default: Option<Yaml>,
}

#[derive(Deserialize)]
struct ManifestOutput {
    value: String,
}

#[derive(Deserialize)]
struct Runs {
    using: String,
    #[serde(default)]
    steps: Vec<ManifestStep>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ManifestStep {
    id: Option<String>,
    name: Option<String>,
    #[serde(rename = "if")]
    condition: Option<Yaml>,
    #[serde(default)]
    env: IndexMap<String, Yaml>,
    continue_on_error: Option<Yaml>,
    timeout_minutes: Option<Yaml>,
    run: Option<String>,
    shell: Option<String>,
    working_directory: Option<String>,
    uses: Option<String>,
    #[serde(default)]
    with: IndexMap<String, Yaml>,
}

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
    let manifest = match read(&directory, path) {
        Ok(manifest) => manifest,
        Err(e) => return Ok(StepEnd::failure(format!("{e:#}"))),
    };
    let steps: Result<Vec<Step>, String> = manifest.runs.steps.into_iter().map(|s| step_of(s, call.step.at)).collect();
    let steps = match steps {
        Ok(steps) => steps,
        Err(e) => return Ok(StepEnd::failure(format!("{path}: {e}"))),
    };
    let workspace = job.directories.workspace.clone();
    let mut inputs = Map::new();
    for (name, input) in &manifest.inputs {
        let value = match (given.get(name), &input.default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => match scope.interpolate(&workspace, &text(default)) {
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
    let mut env = scope.env.clone();
    env.extend(call.own_env.clone());
    let mut inner = scope.of_action(inputs, env, directory, call.limits.clone());
    step::run_all(job, &mut inner, &steps, false).await;
    let mut end = StepEnd::success();
    for (name, output) in &manifest.outputs {
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

fn read(directory: &Path, path: &str) -> anyhow::Result<Manifest> {
    let file = ["action.yml", "action.yaml"].iter().map(|name| directory.join(name)).find(|file| file.exists());
    let file = file.with_context(|| format!("{path} has no action.yml: was the repository checked out before?"))?;
    let text = files::read_plain(&file, LARGEST_MANIFEST)?;
    let manifest: Manifest = serde_yaml::from_str(&text).with_context(|| format!("{path}/action.yml is not valid"))?;
    if manifest.runs.using != "composite" {
        bail!("{path} runs with `{}`: only composite actions can be used", manifest.runs.using);
    }
    Ok(manifest)
}

fn step_of(step: ManifestStep, at: Place) -> Result<Step, String> {
    let template = |value: String| Located { value, at };
    let templates = |values: IndexMap<String, Yaml>| values.into_iter().map(|(k, v)| (k, text(&v)));
    let action = match (step.run, step.uses) {
        (Some(script), None) => StepAction::Run {
            script: template(script),
            shell: Some(template(step.shell.ok_or("a step with `run` needs a `shell` in an action")?)),
            working_directory: step.working_directory.map(template),
        },
        (None, Some(uses)) => StepAction::Uses {
            uses: action_of(&uses),
            with: templates(step.with).map(|(name, value)| (name, template(value))).collect(),
        },
        (Some(_), Some(_)) | (None, None) => return Err("a step has either `run` or `uses`".to_owned()),
    };
    Ok(Step {
        at,
        id: step.id,
        name: step.name.map(template),
        condition: step.condition.map(|value| template(text(&value))),
        env: templates(step.env).collect(),
        continue_on_error: step.continue_on_error.map(|value| template(text(&value))),
        timeout_minutes: step.timeout_minutes.map(|value| template(text(&value))),
        action,
    })
}

/// Which version of ours or GitHub's is named makes no difference: there is one.
fn action_of(uses: &str) -> ActionRef {
    if uses.starts_with("./") {
        return ActionRef::Local(uses.to_owned());
    }
    let name = uses.split('@').next().unwrap_or_default();
    let builtin = match name {
        "assay/checkout" | "actions/checkout" => BuiltinAction::Checkout,
        "assay/eval" => BuiltinAction::Eval,
        "assay/bench" => BuiltinAction::Bench,
        "assay/inspect" => BuiltinAction::Inspect,
        "assay/upload-artifact" | "actions/upload-artifact" => BuiltinAction::UploadArtifact,
        "assay/download-artifact" | "actions/download-artifact" => BuiltinAction::DownloadArtifact,
        "assay/cache" | "actions/cache" => BuiltinAction::Cache,
        _ => return ActionRef::Unknown(uses.to_owned()),
    };
    ActionRef::Builtin(builtin)
}

fn text(value: &Yaml) -> String {
    match value {
        Yaml::Null => String::new(),
        Yaml::Bool(flag) => flag.to_string(),
        Yaml::Number(number) => number.to_string(),
        Yaml::String(text) => text.clone(),
        other @ (Yaml::Sequence(_) | Yaml::Mapping(_) | Yaml::Tagged(_)) => {
            serde_json::to_string(other).unwrap_or_default()
        }
    }
}
