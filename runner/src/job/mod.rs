//! One job, from an empty directory to its result, for whoever asked.
//!
//! ```text
//! execute ─► directories ─► env ─► container ─► for each step: if? ─► run | uses ─► files it wrote ─► outcome
//!                                                  └► after a failure or a cancel: only those whose `if` says so
//!         ─► caches saved ─► outputs ─► container removed ─► orphans ended ─► JobResult
//! ```
//!
//! A job that fails is a result, never an error: also when the failure was ours, since whoever waits
//! for the job must be told either way.

mod commands;
pub mod container;
mod directories;
mod evaluate;
pub(crate) mod files;
pub mod host;
pub mod local;
mod log;
pub mod mask;
mod metrics;
pub(crate) mod program;
mod script;
pub(crate) mod step;
pub(crate) mod stop;
mod usage;
mod variables;

use std::{path::PathBuf, sync::Arc};

use indexmap::IndexMap;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use workflows::{
    evaluation::Evaluation,
    expr::Status,
    protocol::{Annotation, AnnotationLevel, JobResult, JobSpec, StepReport, StepState},
    run::Conclusion,
    syntax::{self, Place},
};

use self::{container::Indoors, host::JobHost, log::JobLog, mask::Masks, stop::Stopped};
pub(crate) use self::{
    directories::{Directories, tracking_id},
    evaluate::Scope,
    step::{StepCall, StepEnd},
};
use crate::{actions::cache::PendingSave, gpu::Nvml, process::sandbox::Sandbox};

/// Where and with what a job runs.
pub struct JobEnvironment {
    /// For this job alone: made here if need be, removed by the caller when it has the result.
    pub directory: PathBuf,
    /// Of the runner: kept from job to job.
    pub cache: PathBuf,
    pub sandbox: Sandbox,
    /// For jobs with `container:`; none where there is none.
    pub engine: Option<container::Engine>,
    /// Which of the runner's slots; decides the user of isolated steps.
    pub slot: u32,
    /// Indices of the GPUs that are this job's own.
    pub gpus: Vec<u32>,
    pub monitor: Option<Arc<Nvml>>,
    /// The `assay` binary, for evaluations in a process of their own.
    pub assay: PathBuf,
    /// ONNX Runtime's library; none where there is none.
    pub onnxruntime: Option<PathBuf>,
    pub runner_name: String,
}

/// A job as it runs.
pub(crate) struct Job<'a> {
    pub spec: &'a JobSpec,
    pub host: &'a dyn JobHost,
    pub env: &'a JobEnvironment,
    pub directories: Directories,
    pub indoors: Indoors,
    pub log: JobLog<'a>,
    pub evaluations: Vec<Evaluation>,
    /// `$GITHUB_ENV` of the steps so far.
    pub added_env: IndexMap<String, String>,
    /// `$GITHUB_PATH` of the steps so far, the newest first.
    pub added_path: Vec<String>,
    /// Caches to save if the job succeeds.
    pub saves: Vec<PendingSave>,
    pub stopped: Option<Stopped>,
    reports: Vec<StepReport>,
    /// What `github.action` calls the steps.
    step_names: Vec<String>,
    limits: stop::JobLimits,
    usage: usage::Usage,
    /// Numbers the files of steps, those within composite actions included.
    steps_begun: usize,
}

/// Runs a job. Dropping the future ends its processes at once; `cancel` asks them to stop, and steps
/// with `always()` or `cancelled()` still run.
pub async fn execute(spec: &JobSpec, host: &dyn JobHost, env: &JobEnvironment, cancel: CancellationToken) -> JobResult {
    let directories = match Directories::create(env) {
        Ok(directories) => directories,
        Err(e) => return broken(env, format!("the job's directory {} cannot be made: {e}", env.directory.display())),
    };
    let token = spec.checkout.token.as_deref();
    let masks = Masks::new(spec.secrets.values().map(String::as_str).chain(token));
    let steps = spec.job.steps();
    let reports = steps.iter().map(|step| StepReport { name: step::written_name(step), state: StepState::Pending });
    let deadline = Instant::now() + stop::minutes(spec.timeout_minutes);
    let mut job = Job {
        spec,
        host,
        env,
        log: JobLog::new(host, masks, directories.workspace.clone()),
        evaluations: Vec::new(),
        added_env: IndexMap::new(),
        added_path: Vec::new(),
        saves: Vec::new(),
        stopped: None,
        reports: reports.collect(),
        step_names: syntax::step_names(steps),
        limits: stop::JobLimits { cancel, deadline, stopped_at: stop::StopTime::default() },
        usage: usage::Usage::default(),
        steps_begun: 0,
        indoors: Indoors::No,
        directories,
    };
    let _tracked = Tracked(job.directories.tracking_id.clone());
    let mut scope = Scope::of_job(&mut job).await;
    match container::start(&mut job, &mut scope).await {
        Ok(made) => job.indoors = made.map_or(Indoors::No, Indoors::Yes),
        Err(message) => {
            job.indoors = Indoors::Failed;
            job.fail_job(&mut scope, &message).await;
        }
    }
    step::run_all(&mut job, &mut scope, steps, true).await;
    job.finish(scope).await
}

impl<'a> Job<'a> {
    async fn finish(mut self, mut scope: Scope) -> JobResult {
        let conclusion = match (self.stopped, scope.status) {
            (Some(Stopped::TimedOut), _) => Conclusion::TimedOut,
            (Some(Stopped::Cancelled), _) | (None, Status::Cancelled) => Conclusion::Cancelled,
            (None, Status::Failure) => Conclusion::Failure,
            // `Skipped` is said of jobs that never came here.
            (None, Status::Success | Status::Skipped) => Conclusion::Success,
        };
        self.give_back().await;
        if conclusion == Conclusion::Success {
            crate::actions::cache::save_all(&mut self).await;
        }
        let outputs = self.outputs(&mut scope).await;
        if let Indoors::Yes(container) = std::mem::replace(&mut self.indoors, Indoors::No) {
            container.remove().await;
        }
        let summary = match self.stopped {
            Some(Stopped::TimedOut) => {
                Some(format!("The job was stopped after {} minutes.", self.spec.timeout_minutes))
            }
            Some(Stopped::Cancelled) => self.host.cancel_reason(),
            None => scope.first_failure.take(),
        };
        JobResult {
            conclusion,
            summary,
            outputs,
            evaluations: self.evaluations,
            annotations: self.log.take_annotations(),
            isolation: self.env.sandbox.isolation(),
        }
    }

    async fn outputs(&mut self, scope: &mut Scope) -> IndexMap<String, String> {
        let mut outputs = IndexMap::new();
        for (name, template) in &self.spec.job.outputs {
            match scope.interpolate(&self.directories.workspace, &template.value) {
                // It would travel in plain text to every job that needs this one.
                Ok(value) if self.log.masks.covers(&value) => {
                    self.log.say(&format!("##[warning]The output `{name}` holds a secret and is left out")).await;
                }
                Ok(value) => {
                    outputs.insert(name.clone(), value);
                }
                Err(e) => self.log.say(&format!("##[error]The output `{name}` is not valid: {e}")).await,
            }
        }
        outputs
    }

    /// Says a failure at its place in the workflow file.
    pub(crate) async fn annotate_failure(&mut self, at: Place, message: String) {
        let annotation = Annotation {
            path: self.spec.workflow_file.clone(),
            line: at.line.max(1),
            column: Some(at.column).filter(|column| *column > 0),
            level: AnnotationLevel::Failure,
            title: None,
            message,
        };
        self.log.annotate(annotation).await;
    }

    async fn fail_job(&mut self, scope: &mut Scope, message: &str) {
        scope.fail(message.to_owned());
        self.annotate_failure(self.spec.job.at, message.to_owned()).await;
    }

    /// What steps in a container wrote is the job's own again.
    pub(crate) async fn give_back(&mut self) {
        self.indoors = match std::mem::replace(&mut self.indoors, Indoors::Failed) {
            Indoors::Yes(mut container) => {
                container.give_back(self).await;
                Indoors::Yes(container)
            }
            other @ (Indoors::No | Indoors::Failed) => other,
        };
    }

    /// The user that owns what steps may write, where it is not the runner's own.
    pub(crate) fn user(&self) -> Option<u32> {
        self.env.sandbox.user(self.env.slot)
    }

    /// The `runner` context.
    fn runner_context(&self) -> Value {
        json!({
            "name": self.env.runner_name,
            "os": variables::OS,
            "arch": variables::ARCH,
            "environment": "self-hosted",
            "temp": self.directories.temp,
            "tool_cache": self.directories.tools,
        })
    }
}

/// Ends what is left of a job's processes when it ends, or is dropped.
struct Tracked(String);

impl Drop for Tracked {
    fn drop(&mut self) {
        crate::process::kill_tracked(&self.0);
    }
}

/// A job that could not even begin.
fn broken(env: &JobEnvironment, summary: String) -> JobResult {
    JobResult {
        conclusion: Conclusion::Failure,
        summary: Some(summary),
        outputs: IndexMap::new(),
        evaluations: Vec::new(),
        annotations: Vec::new(),
        isolation: env.sandbox.isolation(),
    }
}
