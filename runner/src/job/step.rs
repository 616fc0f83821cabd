//! One step after the other: whether it runs, what it is given, and what its end means for the rest.

use std::{future::Future, pin::Pin};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;
use workflows::{
    expr::Status,
    protocol::StepState,
    run::Conclusion,
    syntax::{Step, StepAction, Template},
};

use super::{
    Job, Scope,
    container::Indoors,
    files::{self, StepFiles},
    metrics,
    stop::{self, Limits, Stopped, Why},
    variables,
};
use crate::actions;

/// How a step ended, before `continue-on-error`.
#[derive(Debug)]
pub(crate) struct StepEnd {
    pub conclusion: Conclusion,
    pub outputs: IndexMap<String, String>,
    /// Of a failure: a sentence.
    pub message: Option<String>,
}

impl StepEnd {
    pub(crate) fn success() -> Self {
        Self { conclusion: Conclusion::Success, outputs: IndexMap::new(), message: None }
    }

    pub(crate) fn failure(message: impl Into<String>) -> Self {
        Self { conclusion: Conclusion::Failure, outputs: IndexMap::new(), message: Some(message.into()) }
    }

    /// It was made to stop.
    pub(crate) fn stopped(why: Why) -> Self {
        match why {
            Why::Job(Stopped::Cancelled) | Why::Grace => {
                Self { conclusion: Conclusion::Cancelled, outputs: IndexMap::new(), message: None }
            }
            Why::Job(Stopped::TimedOut) => Self {
                conclusion: Conclusion::Cancelled,
                ..Self::failure("The job has exceeded its maximum execution time.")
            },
            Why::Step => Self::failure("The step has exceeded its `timeout-minutes`."),
        }
    }

    pub(crate) fn output(mut self, name: &str, value: impl Into<String>) -> Self {
        self.outputs.insert(name.to_owned(), value.into());
        self
    }
}

/// What one step is given.
pub(crate) struct StepCall<'s> {
    pub step: &'s Step,
    /// The step's own `env:`, evaluated.
    pub own_env: IndexMap<String, String>,
    /// All variables.
    pub env: IndexMap<String, String>,
    pub files: StepFiles,
    pub limits: Limits,
    /// Number within the job; names files.
    pub number: usize,
}

/// A step's name before its expressions can be evaluated.
pub(super) fn written_name(step: &Step) -> String {
    match (&step.name, &step.action) {
        (Some(name), _) => name.value.clone(),
        (None, StepAction::Run { script, .. }) => {
            let first = script.value.trim().lines().next().unwrap_or_default();
            format!("Run {}", first.chars().take(100).collect::<String>())
        }
        (None, StepAction::Uses { written, .. }) => format!("Run {written}"),
    }
}

/// Runs the steps of a job, or of a composite action (whose steps are not `reported` one by one).
pub(crate) fn run_all<'f>(
    job: &'f mut Job<'_>,
    scope: &'f mut Scope,
    steps: &'f [Step],
    reported: bool,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>> {
    // Boxed: a composite action's steps may use composite actions.
    Box::pin(async move {
        if reported {
            job.host.steps(&job.reports);
        }
        for (index, step) in steps.iter().enumerate() {
            run_one(job, scope, step, reported.then_some(index)).await;
        }
    })
}

async fn run_one(job: &mut Job<'_>, scope: &mut Scope, step: &Step, index: Option<usize>) {
    let workspace = job.directories.workspace.clone();
    let started_at = Timestamp::now();
    let log_start = job.log.length();
    notice_stop(job, scope).await;
    scope.show_origin(None);
    if let Some(index) = index {
        job.log.begin_step();
        scope.show("github", "action", json!(job.step_names[index]));
    }
    // As on GitHub its `env` comes first: the condition and the name see it, also of a step that is skipped.
    let own_env = own_env(job, scope, &workspace, step);
    if let (Some(index), Some(name)) = (index, &step.name) {
        job.reports[index].name = scope.interpolate(&workspace, &name.value).unwrap_or(name.value.clone());
    }
    let condition = step.condition.as_ref().map(|condition| condition.value.as_str());
    let wanted = own_env.and_then(|own_env| match scope.condition(&workspace, condition) {
        Ok(wanted) => Ok(wanted.then_some(own_env)),
        Err(e) => Err(format!("The step's `if` is not valid: {e}")),
    });
    let end = match wanted {
        Ok(None) => StepEnd { conclusion: Conclusion::Skipped, ..StepEnd::success() },
        Err(e) => StepEnd::failure(e),
        Ok(Some(own_env)) => {
            if let Some(index) = index {
                job.reports[index].state = StepState::Running { started_at, log_start };
                job.host.steps(&job.reports);
            }
            let outlives = scope.holds_when_cancelled(&workspace, condition);
            attempt(job, scope, step, own_env, outlives).await
        }
    };
    let continued = end.conclusion == Conclusion::Failure
        && scope.flag(&workspace, step.continue_on_error.as_ref().map(|t| t.value.as_str())).unwrap_or(false);
    let conclusion = if continued { Conclusion::Success } else { end.conclusion };
    if let Some(message) = end.message {
        if index.is_some() {
            job.annotate_failure(step.at, message.clone()).await;
        } else {
            job.log.say(&format!("##[error]{message}")).await;
        }
        if conclusion == Conclusion::Failure {
            scope.fail(format!(
                "{}: {message}",
                index.map_or_else(|| written_name(step), |i| job.reports[i].name.clone())
            ));
        }
    } else if conclusion == Conclusion::Failure {
        scope.fail(written_name(step));
    }
    if let Some(id) = &step.id {
        let (outcome, conclusion) = (end.conclusion.as_str(), conclusion.as_str());
        let value = json!({ "outputs": end.outputs, "outcome": outcome, "conclusion": conclusion });
        scope.show("steps", id, value);
    }
    if let Some(index) = index {
        job.reports[index].state = StepState::Finished {
            started_at,
            finished_at: Timestamp::now(),
            log_start,
            log_end: job.log.length(),
            outcome: end.conclusion,
            conclusion,
        };
        job.host.steps(&job.reports);
    }
}

/// Whether the job was cancelled, or ran out of time, since the last step.
async fn notice_stop(job: &mut Job<'_>, scope: &mut Scope) {
    if job.stopped.is_none() {
        if job.limits.cancel.is_cancelled() {
            stop_job(job, Stopped::Cancelled).await;
        } else if Instant::now() >= job.limits.deadline {
            stop_job(job, Stopped::TimedOut).await;
        }
    }
    if job.stopped.is_some() && !scope.cleans_up && scope.status != Status::Cancelled {
        scope.set_status(Status::Cancelled);
    }
}

async fn stop_job(job: &mut Job<'_>, why: Stopped) {
    job.stopped = Some(why);
    job.limits.stopped_at.get_or_init(Instant::now);
    let line = match why {
        Stopped::Cancelled => job.host.cancel_reason().unwrap_or_else(|| "The job was cancelled.".to_owned()),
        Stopped::TimedOut => format!("The job has exceeded its {} minutes.", job.spec.timeout_minutes),
    };
    job.log.say(&format!("##[error]{line}")).await;
}

/// Evaluates a step's own `env`, and shows its expressions all of theirs.
fn own_env(
    job: &Job<'_>,
    scope: &mut Scope,
    workspace: &std::path::Path,
    step: &Step,
) -> Result<IndexMap<String, String>, String> {
    let mut env: IndexMap<_, _> = scope.env_with(&job.added_env).map(|(k, v)| (k.clone(), v.clone())).collect();
    scope.show_env(&env);
    let own = scope.texts(workspace, "env", &step.env)?;
    // What follows sees the step's own variables too; its `env` itself does not.
    env.extend(own.clone());
    scope.show_env(&env);
    Ok(own)
}

/// Runs a step that is to run, and hears what it wrote into its files.
async fn attempt(
    job: &mut Job<'_>,
    scope: &mut Scope,
    step: &Step,
    own_env: IndexMap<String, String>,
    outlives: bool,
) -> StepEnd {
    let workspace = job.directories.workspace.clone();
    let deadline = match &step.timeout_minutes {
        None => None,
        Some(template) => match scope.number(&workspace, &template.value) {
            // None, or less, is no limit, as on GitHub.
            Ok(minutes) => (minutes > 0.0).then(|| Instant::now() + stop::minutes(minutes)),
            Err(e) => return StepEnd::failure(format!("`timeout-minutes` is not valid: {e}")),
        },
    };
    let number = job.steps_begun;
    job.steps_begun += 1;
    let indoors = matches!(job.indoors, Indoors::Yes(_));
    let files = match StepFiles::create(&job.directories.files, number, job.user(), indoors) {
        Ok(files) => files,
        Err(e) => return StepEnd::failure(format!("the step's files cannot be made: {e}")),
    };
    let limits = match (job.stopped, &scope.limits) {
        (Some(_), _) => Limits::new(job.limits.clone(), deadline, true),
        (None, Some(outer)) => outer.within(deadline, outlives),
        (None, None) => Limits::new(job.limits.clone(), deadline, outlives),
    };
    scope.show_origin(step.action.repository());
    let machine = !(indoors && matches!(step.action, StepAction::Run { .. }));
    let env = variables::of_step(job, scope, &own_env, &files, machine);
    let call = StepCall { step, own_env, env, files, limits, number };
    let end = match &step.action {
        StepAction::Run { script, shell, working_directory } => {
            super::script::run(job, scope, &call, script, shell.as_ref(), working_directory.as_ref()).await
        }
        StepAction::Uses { uses, written, with, .. } => match inputs(scope, &workspace, with) {
            Ok(inputs) => actions::run(job, scope, &call, (uses, written), &inputs).await,
            Err(e) => Ok(StepEnd::failure(e)),
        },
    };
    let mut end = end.unwrap_or_else(|e| StepEnd::failure(format!("{e:#}")));
    let heard = hear(job, scope, &call, &mut end).await;
    if let Err(message) = heard.and(job.log.take_refusal())
        && end.conclusion == Conclusion::Success
    {
        end.conclusion = Conclusion::Failure;
        end.message = Some(message);
    }
    call.files.remove();
    // It may have gone on for longer than the job.
    notice_stop(job, scope).await;
    end
}

fn inputs(
    scope: &mut Scope,
    workspace: &std::path::Path,
    with: &IndexMap<String, Template>,
) -> Result<IndexMap<String, String>, String> {
    scope.texts(workspace, "with", with.iter().map(|(name, template)| (name, &template.value)))
}

/// Reads the step's files. All of them are heard, also of a step that failed.
async fn hear(job: &mut Job<'_>, scope: &mut Scope, call: &StepCall<'_>, end: &mut StepEnd) -> Result<(), String> {
    let mut problem = None;
    let mut read = |name: &str, path: &std::path::Path| match files::read_step_file(path) {
        Ok(text) => text,
        Err(e) => {
            problem.get_or_insert(format!("${name} cannot be read: {e}"));
            String::new()
        }
    };
    let output = read("GITHUB_OUTPUT", &call.files.output);
    let env = read("GITHUB_ENV", &call.files.env);
    let path = read("GITHUB_PATH", &call.files.path);
    let summary = read("GITHUB_STEP_SUMMARY", &call.files.summary);
    let measured = read("ASSAY_METRICS", &call.files.metrics);
    let mut assignments = |name: &str, text: &str| match files::parse_assignments(text) {
        Ok(pairs) => pairs,
        Err(e) => {
            problem.get_or_insert(format!("${name}: {e}"));
            Vec::new()
        }
    };
    end.outputs.extend(assignments("GITHUB_OUTPUT", &output));
    for (name, value) in assignments("GITHUB_ENV", &env) {
        if files::is_blocked_variable(&name) {
            problem.get_or_insert(format!("`{name}` must not be set through $GITHUB_ENV"));
        } else {
            job.added_env.insert(name, value);
        }
    }
    for directory in path.lines().filter(|line| !line.trim().is_empty()) {
        job.added_path.insert(0, directory.trim().to_owned());
    }
    if !summary.trim().is_empty() {
        job.log.say(&format!("##[group]Step summary\n{}\n##[endgroup]", summary.trim_end())).await;
    }
    if !measured.trim().is_empty()
        && let Err(e) = metrics::collect(job, scope, call, &measured).await
    {
        problem.get_or_insert(format!("$ASSAY_METRICS: {e:#}"));
    }
    problem.map_or(Ok(()), Err)
}

/// The name under which a step's evaluation is known: its id, or its job's name.
pub(crate) fn evaluation_name(job: &Job<'_>, step: &Step) -> String {
    step.id.clone().unwrap_or_else(|| job.spec.name.clone())
}
