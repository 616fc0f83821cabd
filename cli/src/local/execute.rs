//! One workflow, here: the same pure decisions as on the server, carried out one job after the other.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use anyhow::Context;
use indexmap::IndexMap;
use jiff::Timestamp;
use runner::{
    job::{
        JobEnvironment,
        local::{LocalHost, Source},
    },
    process::sandbox::Sandbox,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use workflows::{
    evaluation::{Evaluation, Outcomes},
    event::Event,
    ids::{JobId, JobKey, Sha},
    plan::{JobConcurrency, PlannedJob, dispatch_inputs, github_context, workflow_concurrency},
    protocol::{CheckoutSpec, JobResult, JobSpec},
    run::{
        CallEvent, CallLife, CallState, Conclusion, Decision, Group, JobContext, JobEvent, JobLife, JobView, Snapshot,
        advance, call_life, call_lives, job_context, tell_call,
    },
    syntax::{Called, Workflow},
};

use super::{
    places::{Groups, Turn},
    print::Printer,
};

/// What a workflow needs around it.
pub(super) struct Surroundings {
    pub(super) sandbox: Sandbox,
    pub(super) cache: PathBuf,
    pub(super) assay: PathBuf,
    pub(super) onnxruntime: Option<PathBuf>,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) vars: BTreeMap<String, String>,
    /// For everything that is thrown away afterwards.
    pub(super) scratch: PathBuf,
}

/// A workflow and those that it calls.
#[derive(Clone, Copy)]
pub(super) struct Script<'a> {
    pub(super) workflow: &'a Workflow,
    pub(super) called: &'a Called,
}

/// Which files the jobs see.
pub(super) struct Subject {
    /// `head` or `base`: of one commit, where all that differs is not committed.
    pub(super) side: &'static str,
    pub(super) source: Source,
    pub(super) sha: Sha,
}

/// One job, ended.
pub(super) struct EndedJob {
    pub(super) key: JobKey,
    pub(super) name: String,
    pub(super) conclusion: Conclusion,
    pub(super) summary: Option<String>,
}

/// What came of it.
pub(super) struct Outcome {
    pub(super) conclusion: Conclusion,
    pub(super) jobs: Vec<EndedJob>,
    pub(super) evaluations: Vec<Measured>,
}

/// An evaluation with its outcomes, and the job that made it.
pub(super) struct Measured {
    pub(super) job: String,
    pub(super) evaluation: Evaluation,
    pub(super) outcomes: Option<Outcomes>,
    pub(super) isolation: workflows::protocol::Isolation,
}

struct Row {
    planned: PlannedJob,
    life: JobLife,
    outputs: IndexMap<String, String>,
    summary: Option<String>,
}

/// Runs a workflow to its end, with those that it calls. `only` leaves out the jobs that the named one does not need.
pub(super) async fn execute(
    Script { workflow, called }: Script<'_>,
    event: &Event,
    subject: &Subject,
    around: &Surroundings,
    only: Option<&JobId>,
    printer: &Arc<Mutex<Printer>>,
    cancel: &CancellationToken,
) -> anyhow::Result<Outcome> {
    let contexts = IndexMap::from([
        ("github".to_owned(), github_context(event, workflow, 1, 1)),
        ("vars".to_owned(), json!(around.vars)),
        ("inputs".to_owned(), dispatch_inputs(workflow, event)),
    ]);
    // As on a server, a name that cannot be made is no reason not to run.
    let mut places = Groups::new(workflow_concurrency(workflow, &contexts).ok().flatten());
    let wanted = wanted(workflow, only)?;
    let chosen = workflow.jobs.keys().filter(|id| wanted.contains(*id));
    let mut groups: IndexMap<JobKey, Group> = chosen.map(|id| (JobKey::new(id, None), Group::Waiting)).collect();
    let mut rows: Vec<Row> = Vec::new();
    let mut evaluations = Vec::new();
    let mut skipped = Vec::new();
    let directory = around.scratch.join(subject.side);
    loop {
        if take_turns(&mut places, &mut groups, &mut rows, printer)? {
            continue;
        }
        let cancelled = cancel.is_cancelled().then_some("interrupted");
        let views: Vec<JobView<'_>> =
            rows.iter().map(|row| JobView { planned: &row.planned, life: &row.life, outputs: &row.outputs }).collect();
        let snapshot =
            Snapshot { workflow, called, contexts: &contexts, groups: &groups, jobs: &views, cancel: cancelled };
        // One decision at a time: each changes what the next is made from. A job runs when nothing else is to be done:
        // its siblings have asked for their places then.
        let decisions = advance(&snapshot).into_iter();
        let decision = decisions.min_by_key(|decision| matches!(decision, Decision::Offer(_)));
        let decision = decision.context("the workflow can go no further")?;
        let offered = match &decision {
            Decision::Offer(key) => {
                let planned = &rows.iter().find(|row| row.planned.key == *key).context("no such job")?.planned;
                let found = job_context(&snapshot, planned, &around.secrets);
                Some(spec(found.context("a planned job is in its workflow")?, event, subject, planned))
            }
            Decision::Skip { .. }
            | Decision::Invalid { .. }
            | Decision::Expand { .. }
            | Decision::Call { .. }
            | Decision::TellCall { .. }
            | Decision::AskPlace(_)
            | Decision::Cancel { .. }
            | Decision::Conclude(_) => None,
        };
        let now = Timestamp::now();
        match decision {
            Decision::Skip { job, name } => {
                printer.lock().expect("printing does not panic").skipped(&name);
                skipped.push(EndedJob {
                    key: job.clone(),
                    name: name.clone(),
                    conclusion: Conclusion::Skipped,
                    summary: None,
                });
                groups.insert(job, Group::Skipped { name, at: now });
            }
            Decision::Invalid { job, diagnostic } => {
                printer.lock().expect("printing does not panic").problem(&diagnostic);
                groups.insert(job, Group::Invalid { diagnostic, at: now });
            }
            Decision::Expand { job, rows: planned, after_cancel } => {
                let count = u32::try_from(planned.len()).context("a matrix is at most 256 rows")?;
                rows.extend(planned.into_iter().map(|planned| Row {
                    life: JobLife::new(after_cancel || planned.outlives_cancel),
                    planned,
                    outputs: IndexMap::new(),
                    summary: None,
                }));
                groups.insert(job, Group::Expanded { rows: count });
            }
            Decision::Call { job, called, inside } => {
                groups.insert(job, called);
                groups.extend(inside.into_iter().map(|group| (group, Group::Waiting)));
            }
            Decision::TellCall { call, event } => tell_call(&mut groups, &call, event, now)?,
            Decision::Cancel { key, reason } => {
                let row = rows.iter_mut().find(|row| row.planned.key == key).context("no such job")?;
                row.life = row.life.clone().apply(JobEvent::CancelAsked(reason), now)?;
            }
            Decision::AskPlace(key) => {
                let row = rows.iter_mut().find(|row| row.planned.key == key).context("no such job")?;
                row.life = row.life.clone().apply(JobEvent::PlaceAsked, now)?;
            }
            Decision::Offer(key) => {
                let index = rows.iter().position(|row| row.planned.key == key).context("no such job")?;
                let spec = offered.context("an offered job has its contexts")?;
                let result = run_job(&spec, subject, around, &directory, printer, cancel).await?;
                let blobs = LocalHost::new(
                    subject.source.clone(),
                    directory.clone(),
                    around.cache.clone(),
                    Box::new(|_| {}),
                    Box::new(|_| {}),
                );
                for evaluation in &result.evaluations {
                    evaluations.push(Measured {
                        job: rows[index].planned.name.clone(),
                        outcomes: outcomes(&blobs, evaluation)?,
                        evaluation: evaluation.clone(),
                        isolation: result.isolation,
                    });
                }
                let row = &mut rows[index];
                let claimed = JobEvent::Claimed { runner: "here".to_owned() };
                let life = row.life.clone().apply(JobEvent::Offered, now)?.apply(claimed, now)?;
                row.life = life.apply(JobEvent::Concluded(result.conclusion), Timestamp::now())?;
                row.outputs = result.outputs;
                row.summary = result.summary;
            }
            Decision::Conclude(conclusion) => {
                let mut jobs: Vec<EndedJob> = rows
                    .into_iter()
                    .map(|row| EndedJob {
                        key: row.planned.key,
                        name: row.planned.name,
                        conclusion: row.life.conclusion().unwrap_or(Conclusion::Cancelled),
                        summary: row.summary,
                    })
                    .collect();
                jobs.extend(skipped);
                return Ok(Outcome { conclusion, jobs, evaluations });
            }
        }
    }
}

/// Lets all that ask for a place in a concurrency group have it, wait or end; whether that changed something.
fn take_turns(
    places: &mut Groups,
    groups: &mut IndexMap<JobKey, Group>,
    rows: &mut [Row],
    printer: &Arc<Mutex<Printer>>,
) -> anyhow::Result<bool> {
    // One that is to end asks no more.
    let calls = call_lives(groups).filter(|life| life.cancel.is_none());
    let calls = calls.filter_map(|life| Some((life.key.clone(), life.asks()?)));
    let jobs = rows
        .iter()
        .filter_map(|row| Some((row.planned.key.clone(), (row.planned.concurrency.as_ref()?, row.life.asks()?))));
    let asking = calls.chain(jobs).map(|(key, (wanted, asked))| (key, wanted.clone(), asked));
    let asking: Vec<(JobKey, JobConcurrency, Timestamp)> = asking.collect();
    let mut changed = false;
    for (key, wanted, asked) in asking {
        let itself = call_life(groups, &key).and_then(CallLife::deadlock_with_itself);
        let is_open = |key: &JobKey| match rows.iter().find(|row| row.planned.key == *key) {
            Some(row) => row.life.conclusion().is_none(),
            None => call_life(groups, key).is_some_and(|life| life.state != CallState::Ended),
        };
        let turn = itself.map_or_else(|| places.ask(&key, &wanted, asked, is_open), Turn::Ends);
        let (ending, reason) = match turn {
            Turn::Given => (vec![key], None),
            Turn::Waits { cancel, reason } => (cancel, Some(reason)),
            Turn::Ends(reason) => (vec![key], Some(reason)),
        };
        for key in ending {
            // Who asks again ends again those that it ended before.
            if call_life(groups, &key).is_some_and(|life| life.cancel.is_some()) {
                continue;
            }
            changed = true;
            let now = Timestamp::now();
            match (rows.iter_mut().find(|row| row.planned.key == key), reason.clone()) {
                (Some(row), None) => row.life = row.life.clone().apply(JobEvent::PlaceGiven, now)?,
                (Some(row), Some(why)) => {
                    printer.lock().expect("printing does not panic").cancelled(&row.planned.name, &why);
                    row.summary = Some(why.clone());
                    row.life = row.life.clone().apply(JobEvent::CancelAsked(why), now)?;
                }
                (None, None) => tell_call(groups, &key, CallEvent::PlaceGiven, now)?,
                (None, Some(why)) => {
                    printer.lock().expect("printing does not panic").cancelled(key.as_str(), &why);
                    tell_call(groups, &key, CallEvent::CancelAsked(why), now)?;
                }
            }
        }
    }
    Ok(changed)
}

/// The named job and all that it needs; every job where none is named.
fn wanted(workflow: &Workflow, only: Option<&JobId>) -> anyhow::Result<Vec<JobId>> {
    let Some(only) = only else { return Ok(workflow.jobs.keys().cloned().collect()) };
    let names = || workflow.jobs.keys().map(JobId::as_str).collect::<Vec<_>>().join(", ");
    anyhow::ensure!(
        workflow.jobs.contains_key(only),
        "there is no job {only} in {}; there are: {}",
        workflow.file,
        names()
    );
    let mut wanted = vec![only.clone()];
    let mut next = 0;
    while let Some(job) = wanted.get(next).cloned() {
        for need in workflow.jobs.get(&job).into_iter().flat_map(|job| &job.needs) {
            if !wanted.contains(&need.value) {
                wanted.push(need.value.clone());
            }
        }
        next += 1;
    }
    Ok(wanted)
}

fn spec(found: JobContext<'_>, event: &Event, subject: &Subject, planned: &PlannedJob) -> JobSpec {
    let (workflow_env, workflow_defaults) = JobSpec::workflow_layers(found.workflow, found.job);
    JobSpec {
        repo: event.repo.clone(),
        run_number: 1,
        attempt: 1,
        key: planned.key.clone(),
        name: planned.name.clone(),
        checkout: CheckoutSpec { url: String::new(), sha: subject.sha.clone(), git_ref: None, token: None },
        job: found.job.clone(),
        workflow_env,
        workflow_defaults,
        contexts: found.contexts,
        secrets: found.secrets,
        timeout_minutes: planned.timeout_minutes,
        workflow_file: found.workflow.file.clone(),
        trusted: true,
        baseline: None,
    }
}

async fn run_job(
    spec: &JobSpec,
    subject: &Subject,
    around: &Surroundings,
    directory: &std::path::Path,
    printer: &Arc<Mutex<Printer>>,
    cancel: &CancellationToken,
) -> anyhow::Result<JobResult> {
    printer.lock().expect("printing does not panic").job(&spec.name);
    let (logger, stepper) = (printer.clone(), printer.clone());
    let host = LocalHost::new(
        subject.source.clone(),
        directory.to_owned(),
        around.cache.clone(),
        Box::new(move |bytes| logger.lock().expect("printing does not panic").log(bytes)),
        Box::new(move |steps| stepper.lock().expect("printing does not panic").steps(steps)),
    );
    let environment = JobEnvironment {
        directory: directory.join("jobs").join(spec.key.as_str().replace('/', "-")),
        cache: around.cache.clone(),
        sandbox: around.sandbox.clone(),
        engine: runner::job::container::Engine::find(),
        slot: 0,
        gpus: Vec::new(),
        monitor: None,
        assay: around.assay.clone(),
        onnxruntime: around.onnxruntime.clone(),
        runner_name: "here".to_owned(),
    };
    let result = runner::job::execute(spec, &host, &environment, cancel.clone()).await;
    printer.lock().expect("printing does not panic").ended(&spec.name, &result);
    Ok(result)
}

fn outcomes(host: &LocalHost, evaluation: &Evaluation) -> anyhow::Result<Option<Outcomes>> {
    let Some(blob) = &evaluation.outcomes else { return Ok(None) };
    let path = host.blob(&blob.digest);
    Ok(Some(crate::outcomes::read(&path)?))
}

impl Measured {
    /// Where it ran, as a report tells it.
    pub(super) fn ran(&self) -> workflows::report::Ran {
        let Evaluation { name, provider, model, dataset, n, cached, .. } = &self.evaluation;
        workflows::report::Ran {
            evaluation: name.clone(),
            job: self.job.clone(),
            device: provider.device.clone(),
            provider: provider.requested.clone(),
            runtime: provider.version.clone(),
            isolation: match self.isolation {
                workflows::protocol::Isolation::Bubblewrap => "in a sandbox (bubblewrap)".to_owned(),
                workflows::protocol::Isolation::None => "not isolated".to_owned(),
            },
            model: model.path.clone(),
            dataset: dataset.path.clone(),
            n: *n,
            reused: *cached,
            head_outcomes: None,
            base_outcomes: None,
        }
    }
}
