//! The built-in actions, a file each, and local composite ones. GitHub's own actions of the same
//! purpose are aliases of these.

mod base;
mod bench;
pub(crate) mod cache;
mod checkout;
mod composite;
mod download_artifact;
mod eval;
pub(crate) mod globs;
mod inspect;
mod models;
mod tool;
mod upload_artifact;

use indexmap::IndexMap;
use workflows::syntax::{ActionRef, BuiltinAction};

use crate::job::{Job, Scope, StepCall, StepEnd};

/// `with:`, evaluated.
pub(crate) type Inputs = IndexMap<String, String>;

/// Runs the action that a step uses: what it is, and as it is written.
pub(crate) async fn run(
    job: &mut Job<'_>,
    scope: &mut Scope,
    call: &StepCall<'_>,
    (uses, written): (&ActionRef, &str),
    inputs: &Inputs,
) -> anyhow::Result<StepEnd> {
    introduce(job, written, inputs).await;
    job.give_back().await;
    match uses {
        // Those that start programs end them themselves.
        ActionRef::Local(path) => composite::run(job, scope, call, path, inputs).await,
        ActionRef::Unknown(name) => Ok(StepEnd::failure(format!(
            "the action `{name}` cannot be run here: only actions of Assay's own and those of the repository (`./path`) can"
        ))),
        ActionRef::Builtin(BuiltinAction::Eval) => eval::run(job, call, inputs).await,
        ActionRef::Builtin(BuiltinAction::Bench) => bench::run(job, call, inputs).await,
        ActionRef::Builtin(BuiltinAction::Inspect) => inspect::run(job, call, inputs).await,
        ActionRef::Builtin(
            action @ (BuiltinAction::Checkout
            | BuiltinAction::UploadArtifact
            | BuiltinAction::DownloadArtifact
            | BuiltinAction::Cache),
        ) => {
            let limits = call.limits.clone();
            tokio::select! {
                end = transfer(job, *action, inputs) => end,
                why = limits.reached() => Ok(StepEnd::stopped(why)),
            }
        }
    }
}

/// Actions that move files and start no program.
async fn transfer(job: &mut Job<'_>, action: BuiltinAction, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    match action {
        BuiltinAction::Checkout => checkout::run(job, inputs).await,
        BuiltinAction::UploadArtifact => upload_artifact::run(job, inputs).await,
        BuiltinAction::DownloadArtifact => download_artifact::run(job, inputs).await,
        BuiltinAction::Cache => cache::run(job, inputs).await,
        BuiltinAction::Eval | BuiltinAction::Bench | BuiltinAction::Inspect => {
            unreachable!("these start programs; see `run`")
        }
    }
}

async fn introduce(job: &mut Job<'_>, written: &str, inputs: &Inputs) {
    let mut lines = format!("##[group]Run {written}\n");
    for (name, value) in inputs {
        lines.push_str(&format!("  {name}: {value}\n"));
    }
    lines.push_str("##[endgroup]");
    job.log.say(&lines).await;
}

/// An input that is given and not empty.
fn given<'i>(inputs: &'i Inputs, name: &str) -> Option<&'i str> {
    inputs.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// An input of several lines.
fn lines<'i>(inputs: &'i Inputs, name: &str) -> Vec<&'i str> {
    let text = inputs.get(name).map_or("", String::as_str);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}
