//! `assay` as a program of a step: under the step's sandbox, with its answer as JSON.

use anyhow::Context;

use super::Inputs;
use crate::{
    checkout::lfs,
    job::{
        Job, StepCall, StepEnd,
        program::{self, Ended, Whereabouts},
    },
    process::{Invocation, shell::quoted},
};

/// What `assay` said, by its exit code.
pub(super) enum Answer {
    /// 0: yes. 1: the answer is no, and there is one.
    Given(Vec<u8>),
    /// The step ends so: wrong input (2), a failure of the machine (3), or it was stopped.
    Ended(StepEnd),
}

/// Runs `assay` with `arguments` in the workspace; its standard output is the answer.
pub(super) async fn run(job: &mut Job<'_>, call: &StepCall<'_>, arguments: Vec<String>) -> anyhow::Result<Answer> {
    let mut argv = vec![job.env.assay.display().to_string()];
    argv.extend(arguments);
    let mut env = call.env.clone();
    if let Some(library) = &job.env.onnxruntime {
        env.insert("ORT_DYLIB_PATH".to_owned(), library.display().to_string());
    }
    let words: Vec<String> = argv[1..].iter().map(|word| quoted(word)).collect();
    job.log.say(&format!("assay {}", words.join(" "))).await;
    let directory = job.directories.workspace.clone();
    let invocation = Invocation { argv, env, directory, capture_stdout: true };
    let ran =
        program::run(job, &invocation, &call.limits, &Whereabouts::Sandbox).await.context("assay cannot be started")?;
    Ok(match ran.ended {
        Ended::Exited(0 | 1) => Answer::Given(ran.captured),
        Ended::Exited(code) => Answer::Ended(StepEnd::failure(explain(code, &ran.tail))),
        Ended::Stopped(why) => Answer::Ended(StepEnd::stopped(why)),
    })
}

/// The last thing it said; a signal by its name, since a crash says nothing.
fn explain(code: i32, tail: &str) -> String {
    let said = tail.lines().map(str::trim).rfind(|line| !line.is_empty());
    let said = said.map(|line| line.strip_prefix("error: ").unwrap_or(line).to_owned());
    match (code, said) {
        (2 | 3, Some(said)) => said,
        (137, _) => "the process was killed (SIGKILL): it may have run out of memory".to_owned(),
        (132 | 134 | 135 | 136 | 139, said) => {
            let signal = match code {
                132 => "SIGILL",
                134 => "SIGABRT",
                135 => "SIGBUS",
                136 => "SIGFPE",
                _ => "SIGSEGV",
            };
            let said = said.map_or(String::new(), |said| format!("; it last said: {said}"));
            format!("the process crashed ({signal}) on this model{said}")
        }
        (code, Some(said)) => format!("exit code {code}: {said}"),
        (code, None) => format!("exit code {code}"),
    }
}

/// Inputs → options of the same names. `true` is the option alone, `false` nothing.
pub(super) fn options(inputs: &Inputs, known: &[&str]) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    for (name, value) in inputs {
        if !known.contains(&name.as_str()) {
            return Err(format!("`with.{name}` is unknown here; known are {}", known.join(", ")));
        }
        // Lists may be written a line each.
        let value = value.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(",");
        match value.as_str() {
            "" | "false" => {}
            "true" => arguments.push(format!("--{name}")),
            // One word: a value that begins with a dash is not an option.
            value => arguments.push(format!("--{name}={value}")),
        }
    }
    Ok(arguments)
}

/// An error where a file that the step names is only a pointer of Git LFS.
pub(super) fn refuse_pointers(job: &Job<'_>, inputs: &Inputs, names: &[&str]) -> Result<(), String> {
    for (name, value) in names.iter().filter_map(|name| Some((name, inputs.get(*name)?))) {
        if lfs::is_pointer(&job.directories.in_workspace(value.trim())) {
            return Err(format!(
                "`{name}: {value}` is a Git LFS pointer, not the file itself: Assay does not fetch from LFS yet. Fetch it in a step before this one"
            ));
        }
    }
    Ok(())
}
