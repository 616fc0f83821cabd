//! `run:` steps.

use std::fs;

use workflows::{
    run::Conclusion,
    syntax::{Defaults, Template},
};

use super::{
    Job, Scope, StepCall, StepEnd,
    container::Indoors,
    files,
    program::{self, Ended, Whereabouts},
};
use crate::process::{Invocation, shell};

pub(super) async fn run(
    job: &mut Job<'_>,
    scope: &mut Scope,
    call: &StepCall<'_>,
    script: &Template,
    shell: Option<&Template>,
    working_directory: Option<&Template>,
) -> anyhow::Result<StepEnd> {
    let workspace = job.directories.workspace.clone();
    let spec = job.spec;
    let text = match scope.interpolate(&workspace, &script.value) {
        Ok(text) => text,
        Err(e) => return Ok(StepEnd::failure(format!("`run` is not valid: {e}"))),
    };
    // The workflow's are empty where the job has its own; an action's steps have neither.
    let defaults = spec.job.defaults.iter().chain([&spec.workflow_defaults]).filter(|_| scope.depth == 0);
    let defaults: Vec<&Defaults> = defaults.collect();
    let mut resolve = |own: Option<&Template>, default: Option<&String>| {
        let own = own.map(|template| &template.value).or(default);
        own.map(|template| scope.interpolate(&workspace, template)).transpose()
    };
    let directory = resolve(working_directory, defaults.iter().find_map(|each| each.working_directory.as_ref()));
    // An empty one is none, as on GitHub.
    let shell = resolve(shell, None).and_then(|own| match own.filter(|shell| !shell.is_empty()) {
        None => resolve(None, defaults.iter().find_map(|each| each.shell.as_ref())),
        own => Ok(own),
    });
    let (shell, directory) = match (shell, directory) {
        (Ok(shell), Ok(directory)) => (shell.filter(|shell| !shell.is_empty()), directory),
        (Err(e), _) | (_, Err(e)) => {
            return Ok(StepEnd::failure(format!("`shell` or `working-directory` is not valid: {e}")));
        }
    };
    let path = call.env.get("PATH").map_or("", String::as_str);
    // In a container it is `sh`, as on GitHub, whatever the image has.
    let has_bash = matches!(job.indoors, Indoors::No) && shell::find("bash", path).is_some();
    let shell = match shell::Shell::resolve(shell.as_deref(), has_bash) {
        Ok(shell) => shell,
        Err(e) => return Ok(StepEnd::failure(e)),
    };
    let directory = job.directories.in_workspace(directory.as_deref().unwrap_or(""));
    // One within a container is the container's to know.
    if matches!(job.indoors, Indoors::No) && !directory.is_dir() {
        return Ok(StepEnd::failure(format!("the working directory {} does not exist", directory.display())));
    }
    let file = job.directories.files.join(format!("{}.script{}", call.number, shell.extension));
    files::write_new(&file, shell.contents(&text).as_bytes(), 0o755)?;
    introduce(job, call, &text, &shell).await;
    let argv = shell.argv(&file.display().to_string());
    let (invocation, whereabouts) = match &mut job.indoors {
        Indoors::No => {
            (Invocation { argv, env: call.env.clone(), directory, capture_stdout: false }, Whereabouts::Sandbox)
        }
        Indoors::Yes(container) => {
            let (invocation, reach) = container.enter(call, &job.directories, &job.added_path, argv, &directory)?;
            (invocation, Whereabouts::Container(reach))
        }
        Indoors::Failed => return Ok(StepEnd::failure("the job's container is not there")),
    };
    let ran = program::run(job, &invocation, &call.limits, &whereabouts).await;
    fs::remove_file(&file).ok();
    Ok(match ran?.ended {
        Ended::Exited(0) => StepEnd::success(),
        Ended::Exited(code) => StepEnd {
            conclusion: Conclusion::Failure,
            ..StepEnd::failure(format!("Process completed with exit code {code}."))
        },
        Ended::Stopped(why) => StepEnd::stopped(why),
    })
}

/// What is about to run, as GitHub's log shows it.
async fn introduce(job: &mut Job<'_>, call: &StepCall<'_>, text: &str, shell: &shell::Shell) {
    let first = text.trim().lines().next().unwrap_or_default();
    let mut lines = format!("##[group]Run {first}\n{}\nshell: {}\n", text.trim_end(), shell.display());
    if !call.own_env.is_empty() {
        lines.push_str("env:\n");
        for (name, value) in &call.own_env {
            lines.push_str(&format!("  {name}: {value}\n"));
        }
    }
    lines.push_str("##[endgroup]");
    job.log.say(&lines).await;
}
