use bytes::Bytes;
use web::{
    Actions, ArtifactView, AttemptView, DiagnosticView, EvaluationView, GateView, JobLink, JobPage, JobView, LogView,
    RunHeader, RunPage, Status,
};
use workflows::{
    evaluation::Evaluation,
    event::EventKind,
    ids::{Forge, JobKey, RepoName, Sha},
    protocol::Annotation,
    run::{Group, JobState},
};

use super::{status_of_job, status_of_run};
use crate::{
    acceptance,
    app::App,
    error::ApiError,
    history, run_files, runs,
    store::{
        engine::Direction,
        keys,
        records::{FileOutcome, Gate, GateReport, HeadCommit, Job, Repo, Run, RunState, Samples, Text},
    },
};

/// Telemetry chunks of one job: a heartbeat each.
const MOST_SAMPLES: usize = 5000;

/// `/{owner}/{repo}/runs/{number}`, of its present or of an earlier attempt.
pub async fn run(app: &App, repo: &RepoName, number: u64, attempt: Option<u32>) -> Result<RunPage, ApiError> {
    let repo = history::repo(app, repo).await?;
    let newest = history::run(app, &repo.name, number).await?;
    let run = of_attempt(&newest, attempt)?;
    let jobs: Vec<Job> = runs::jobs(app, &run).await?.into_iter().map(|job| job.record).collect();
    let (gate, base) = gate(app, &run).await?;
    let report = concluded(app, &run).await?;
    let accept = attempt.is_none() && report.as_deref().is_some_and(acceptance::can_be_accepted);
    let actions = Actions { accept, ..Actions::default() };
    let acceptance = report.and_then(|report| report.acceptance).map(acceptance_view);
    let baseline = match &base {
        Some(base) => evaluations_of(app, &repo.name, base).await?,
        None => Vec::new(),
    };
    let mut annotations: Vec<Annotation> = Vec::new();
    let mut evaluations = Vec::new();
    for job in &jobs {
        let Some(result) = &job.result else { continue };
        annotations.extend(result.annotations.iter().cloned());
        for head in &result.evaluations {
            // A run of another event may have measured another base.
            let compared = |sha: Option<&Sha>| sha.is_none() || base.is_none() || sha == base.as_ref();
            let beside = head.beside.as_deref().filter(|beside| compared(beside.sha.as_ref()));
            let own = baseline.iter().find(|base| base.name == head.name);
            let base = beside.map(|beside| &beside.evaluation).or(own).cloned();
            let (job, beside) = (job.id.key.clone(), beside.is_some());
            evaluations.push(EvaluationView { job, head: head.clone(), base, beside });
        }
    }
    let names = |key: &JobKey| jobs.iter().find(|job| job.id.key == *key).map(|job| job.planned.name.clone());
    let mut artifacts = Vec::new();
    for artifact in run_files::artifacts(app, &repo.name, number).await? {
        let Ok(name) = artifact.name.parse() else { continue };
        let job = names(&artifact.job).unwrap_or_else(|| artifact.job.to_string());
        artifacts.push(ArtifactView { name, bytes: artifact.bytes, job });
    }
    Ok(RunPage {
        now: app.clock.now(),
        run: header(&repo, &run),
        jobs: job_views(app, &run, &jobs).await?,
        gate,
        evaluations,
        artifacts,
        diagnostics: diagnostics(app, &run).await?,
        annotations,
        attempts: attempts(&newest),
        actions,
        acceptance,
        repo: repo.name,
        forge: repo.forge,
        default_branch: repo.default_branch,
    })
}

/// The run as it was in an earlier attempt, as far as that is kept: its jobs are.
fn of_attempt(newest: &Run, attempt: Option<u32>) -> Result<Run, ApiError> {
    match attempt {
        None => Ok(newest.clone()),
        Some(attempt) if attempt >= 1 && attempt <= newest.attempt => Ok(Run { attempt, ..newest.clone() }),
        Some(attempt) => Err(ApiError::NotFound(format!("run {} has no attempt {attempt}", newest.number))),
    }
}

fn attempts(newest: &Run) -> Vec<AttemptView> {
    // Only the newest attempt's state is kept; the earlier ones have ended, or there were no newer one.
    let newest_view =
        AttemptView { attempt: newest.attempt, status: status_of_run(newest), created_at: newest.created_at };
    vec![newest_view]
}

fn header(repo: &Repo, run: &Run) -> RunHeader {
    let (started_at, finished_at) = match run.state {
        RunState::Pending { .. } => (None, None),
        RunState::InProgress { started_at } => (Some(started_at), None),
        RunState::Completed { started_at, finished_at, .. } => (Some(started_at), Some(finished_at)),
    };
    let (base_branch, pull_request) = match &run.event.kind {
        EventKind::PullRequest { base_ref, number, .. } => (Some(base_ref.clone()), *number),
        EventKind::MergeGroup { base_ref, .. } => (Some(base_ref.clone()), None),
        EventKind::Push { .. }
        | EventKind::WorkflowDispatch { .. }
        | EventKind::RepositoryDispatch { .. }
        | EventKind::Schedule { .. } => (None, None),
    };
    let web = match repo.forge {
        Forge::Local => None,
        Forge::Github => Some(repo.clone.trim_end_matches(".git").to_owned()),
    };
    RunHeader {
        number: run.number,
        attempt: run.attempt,
        title: run.title.clone(),
        workflow: run.workflow_name.clone(),
        workflow_file: run.workflow_file.clone(),
        branch: run.branch.clone(),
        base_branch,
        pull_request,
        event: run.event.kind.name().to_owned(),
        actor: run.event.actor.clone(),
        sha: run.head.clone(),
        status: status_of_run(run),
        created_at: run.created_at,
        started_at,
        finished_at,
        commit_url: web.as_ref().map(|web| format!("{web}/commit/{}", run.head)),
        pull_request_url: web.zip(pull_request).map(|(web, number)| format!("{web}/pull/{number}")),
    }
}

async fn job_views(app: &App, run: &Run, jobs: &[Job]) -> Result<Vec<JobView>, ApiError> {
    let mut views = Vec::new();
    for (id, group) in &run.groups {
        let before = views.len();
        for job in jobs.iter().filter(|job| job.planned.key.group() == *id) {
            views.push(job_view(app, job).await?);
        }
        let (status, name, summary) = match group {
            Group::Expanded { .. } | Group::Called { .. } => continue,
            Group::Waiting => (Status::Waiting, id.to_string(), Some(run.waits_for(id))),
            Group::Cancelled { .. } => {
                (Status::Finished(workflows::run::Conclusion::Cancelled), id.to_string(), run.dropped_for(id))
            }
            Group::Skipped { name, .. } => (Status::Finished(workflows::run::Conclusion::Skipped), name.clone(), None),
            Group::Invalid { diagnostic, .. } => {
                let message = Some(diagnostic.message.clone());
                (Status::Finished(workflows::run::Conclusion::Failure), id.to_string(), message)
            }
        };
        if views.len() == before {
            views.push(placeholder(id.clone(), name, status, summary));
        }
    }
    Ok(views)
}

fn placeholder(key: JobKey, name: String, status: Status, summary: Option<String>) -> JobView {
    JobView {
        key,
        name,
        status,
        started_at: None,
        finished_at: None,
        steps: vec![],
        summary,
        runner: None,
        gpus: vec![],
        isolation: None,
        telemetry: vec![],
    }
}

async fn job_view(app: &App, job: &Job) -> Result<JobView, ApiError> {
    let (started_at, finished_at) = match &job.life.state {
        JobState::Waiting | JobState::Queued { .. } => (None, None),
        JobState::Running { started_at, .. } => (Some(*started_at), None),
        JobState::Completed { started_at, finished_at, .. } => (*started_at, Some(*finished_at)),
    };
    let samples = app.store.scan::<Samples>(&keys::telemetry_of(&job.id), Direction::Forward, MOST_SAMPLES).await?;
    let result = job.result.as_deref();
    Ok(JobView {
        key: job.id.key.clone(),
        name: job.planned.name.clone(),
        status: status_of_job(&job.life.state),
        started_at,
        finished_at,
        steps: job.steps.clone(),
        summary: job.summary(),
        runner: job.runner.as_deref().cloned(),
        gpus: job.gpus.clone(),
        isolation: result.map(|result| result.isolation),
        telemetry: samples.into_iter().flat_map(|samples| samples.record.samples).collect(),
    })
}

fn acceptance_view(acceptance: crate::store::records::Acceptance) -> web::Acceptance {
    let rules = acceptance.rules.into_iter().map(|rule| rule.metric).collect();
    web::Acceptance { by: acceptance.by.name, at: acceptance.at, reason: acceptance.reason, rules }
}

async fn concluded(app: &App, run: &Run) -> Result<Option<Box<GateReport>>, ApiError> {
    let commit = app.store.get::<HeadCommit>(&keys::commit(&run.repo, &run.head)).await?;
    Ok(commit.and_then(|commit| match commit.record.gate {
        Gate::Pending { .. } => None,
        Gate::Concluded(report) => Some(report),
    }))
}

async fn gate(app: &App, run: &Run) -> Result<(GateView, Option<Sha>), ApiError> {
    let Some(commit) = app.store.get::<HeadCommit>(&keys::commit(&run.repo, &run.head)).await? else {
        return Ok((GateView::None, None));
    };
    let report = match commit.record.gate {
        Gate::Pending { .. } => return Ok((GateView::Waiting, None)),
        Gate::Concluded(report) => report,
    };
    let Some(verdict) = report.verdict else { return Ok((GateView::None, None)) };
    let base_run = match &report.base {
        Some(base) => run_of_commit(app, &run.repo, base).await?,
        None => None,
    };
    let view = GateView::Judged { verdict: Box::new(verdict), base: report.base.clone(), base_run };
    Ok((view, report.base))
}

async fn runs_of_commit(app: &App, repo: &RepoName, sha: &Sha) -> Result<Vec<u64>, ApiError> {
    let commit = app.store.get::<HeadCommit>(&keys::commit(repo, sha)).await?;
    let files = commit.into_iter().flat_map(|commit| commit.record.plannings).flat_map(|planning| planning.files);
    let number = |file| match file {
        FileOutcome::Run { number, .. } => Some(number),
        FileOutcome::Invalid { .. } | FileOutcome::NotSubscribed { .. } | FileOutcome::Filtered { .. } => None,
    };
    Ok(files.filter_map(number).collect())
}

pub(super) async fn run_of_commit(app: &App, repo: &RepoName, sha: &Sha) -> Result<Option<u64>, ApiError> {
    Ok(runs_of_commit(app, repo, sha).await?.into_iter().max())
}

pub(super) async fn evaluations_of(app: &App, repo: &RepoName, sha: &Sha) -> Result<Vec<Evaluation>, ApiError> {
    let mut found = Vec::new();
    for number in runs_of_commit(app, repo, sha).await? {
        let run = history::run(app, repo, number).await?;
        for job in runs::jobs(app, &run).await? {
            found.extend(job.record.result.map(|result| result.evaluations).unwrap_or_default());
        }
    }
    Ok(found)
}

async fn diagnostics(app: &App, run: &Run) -> Result<Vec<DiagnosticView>, ApiError> {
    if run.problems.is_empty() {
        return Ok(Vec::new());
    }
    let text = app.store.get::<Text>(&keys::text(&run.workflow)).await?.map(|text| text.record.text);
    let lines: Vec<&str> = text.as_deref().unwrap_or_default().lines().collect();
    // It may be about a workflow that is called, or an action that is used, of which the text is not at hand.
    let line = |diagnostic: &workflows::syntax::Diagnostic| match diagnostic.file == run.workflow_file {
        true => lines.get(diagnostic.line.saturating_sub(1) as usize).map(|line| (*line).to_owned()),
        false => None,
    };
    let view = |diagnostic: &workflows::syntax::Diagnostic| DiagnosticView {
        source_line: line(diagnostic),
        diagnostic: diagnostic.clone(),
    };
    Ok(run.problems.iter().map(view).collect())
}

/// `/{owner}/{repo}/runs/{number}/jobs/{key}`
pub async fn job(app: &App, repo: &RepoName, number: u64, key: &JobKey, with_log: bool) -> Result<JobPage, ApiError> {
    let repo = history::repo(app, repo).await?;
    let run = history::run(app, &repo.name, number).await?;
    let jobs: Vec<Job> = runs::jobs(app, &run).await?.into_iter().map(|job| job.record).collect();
    let views = job_views(app, &run, &jobs).await?;
    let links =
        views.iter().map(|view| JobLink { key: view.key.clone(), name: view.name.clone(), status: view.status });
    let links = links.collect();
    let view = views.into_iter().find(|view| view.key == *key);
    let view = view.ok_or_else(|| ApiError::NotFound(format!("run {number} has no job {key}")))?;
    let log = match jobs.iter().find(|job| job.id.key == *key).filter(|_| with_log) {
        None => None,
        Some(job) => Some(tail(app, job).await?),
    };
    Ok(JobPage {
        now: app.clock.now(),
        run: header(&repo, &run),
        job: view,
        jobs: links,
        log,
        repo: repo.name,
        forge: repo.forge,
    })
}

/// The end of a log, as much of it as a page shows.
async fn tail(app: &App, job: &Job) -> Result<LogView, ApiError> {
    let complete = job.life.conclusion().is_some();
    let name = run_files::log_name(&job.id, job.life.token);
    let length = app.logs.length(&name).await.map_err(anyhow::Error::from)?;
    let start = length.saturating_sub(LogView::PAGE_BYTES);
    let limit = usize::try_from(LogView::PAGE_BYTES).unwrap_or(usize::MAX);
    let bytes = app.logs.read(&name, start, limit).await.map_err(anyhow::Error::from)?;
    Ok(LogView { start, bytes: bytes.to_vec(), complete })
}

/// A piece of a log: its bytes from the offset on, the log's length, and whether it is all there.
pub async fn log(
    app: &App,
    repo: &RepoName,
    number: u64,
    key: &JobKey,
    offset: u64,
) -> Result<(Bytes, u64, bool), ApiError> {
    const MOST: usize = 4 * 1024 * 1024;
    let run = history::run(app, repo, number).await?;
    let jobs = runs::jobs(app, &run).await?;
    let job = jobs.into_iter().map(|job| job.record).find(|job| job.id.key == *key);
    let job = job.ok_or_else(|| ApiError::NotFound(format!("run {number} has no job {key}")))?;
    // The state was read first: a log that grows afterwards is not yet complete.
    let complete = job.life.conclusion().is_some();
    let name = run_files::log_name(&job.id, job.life.token);
    let length = app.logs.length(&name).await.map_err(anyhow::Error::from)?;
    let bytes = app.logs.read(&name, offset, MOST).await.map_err(anyhow::Error::from)?;
    Ok((bytes, length, complete))
}
