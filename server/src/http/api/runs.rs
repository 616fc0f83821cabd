use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::{
    evaluation::Evaluation,
    ids::{JobKey, RepoName, Sha},
    protocol::StepReport,
    run::{CallLife, Conclusion, Group, JobState, call_lives},
    syntax::Diagnostic,
};

use super::{Writer, repo_name};
use crate::{
    app::SharedApp,
    error::ApiError,
    history::{self, Filter},
    rerun, runs,
    store::records::{Job, Run, RunState},
};

/// Most runs of one page.
const MOST: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    branch: Option<String>,
    conclusion: Option<Conclusion>,
    /// Only runs with a smaller number.
    before: Option<u64>,
    limit: Option<usize>,
}

/// One run, as a list shows it.
#[derive(Debug, Serialize)]
struct RunView<'a> {
    repo: &'a RepoName,
    number: u64,
    attempt: u32,
    title: &'a str,
    workflow: &'a str,
    file: &'a str,
    event: &'static str,
    actor: &'a str,
    branch: &'a str,
    sha: &'a Sha,
    status: &'static str,
    conclusion: Option<Conclusion>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
    url: String,
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    runs: Vec<RunView<'a>>,
    /// `before` of the next page, where there is one.
    next: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    run: RunView<'a>,
    cancelled: Option<&'a str>,
    problems: &'a [Diagnostic],
    jobs: Vec<JobView<'a>>,
    /// Jobs that did not come to be.
    skipped: Vec<&'a str>,
    /// Calls of workflows that take part in concurrency groups.
    calls: Vec<CallView<'a>>,
}

#[derive(Debug, Serialize)]
struct CallView<'a> {
    key: &'a JobKey,
    /// What it waits for, or why it was ended.
    summary: Option<String>,
}

#[derive(Debug, Serialize)]
struct JobView<'a> {
    key: &'a JobKey,
    name: &'a str,
    #[serde(flatten)]
    state: &'a JobState,
    summary: Option<String>,
    steps: &'a [StepReport],
    evaluations: &'a [Evaluation],
}

fn view<'a>(app: &SharedApp, run: &'a Run) -> RunView<'a> {
    let (status, finished_at) = match run.state {
        RunState::Pending { .. } => ("pending", None),
        RunState::InProgress { .. } => ("in_progress", None),
        RunState::Completed { finished_at, .. } => ("completed", Some(finished_at)),
    };
    RunView {
        repo: &run.repo,
        number: run.number,
        attempt: run.attempt,
        title: &run.title,
        workflow: &run.workflow_name,
        file: &run.workflow_file,
        event: run.event.kind.name(),
        actor: &run.event.actor,
        branch: &run.branch,
        sha: &run.head,
        status,
        conclusion: run.conclusion(),
        created_at: run.created_at,
        finished_at,
        url: app.run_url(&run.repo, run.number),
    }
}

pub(super) async fn list(
    app: web::Data<SharedApp>,
    path: web::Path<(String, String)>,
    query: web::Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let repo = repo_name(&path.0, &path.1)?;
    let ListQuery { branch, conclusion, before, limit } = query.into_inner();
    let filter = Filter { branch, conclusion };
    let limit = limit.unwrap_or(50).clamp(1, MOST);
    let page = history::runs(&app, &repo, &filter, before, limit).await?;
    let next = page.older;
    Ok(HttpResponse::Ok().json(Page { runs: page.runs.iter().map(|run| view(&app, run)).collect(), next }))
}

pub(super) async fn one(
    app: web::Data<SharedApp>,
    path: web::Path<(String, String, u64)>,
) -> Result<HttpResponse, ApiError> {
    let run = history::run(&app, &repo_name(&path.0, &path.1)?, path.2).await?;
    let jobs: Vec<Job> = runs::jobs(&app, &run).await?.into_iter().map(|job| job.record).collect();
    let skipped = |group: &'_ Group| match group {
        Group::Skipped { .. } | Group::Cancelled { .. } => true,
        Group::Waiting | Group::Invalid { .. } | Group::Expanded { .. } | Group::Called { .. } => false,
    };
    let detail = Detail {
        run: view(&app, &run),
        cancelled: run.cancel.as_ref().map(|cancel| cancel.reason.as_str()),
        problems: &run.problems,
        jobs: jobs.iter().map(job_view).collect(),
        skipped: run.groups.iter().filter(|(_, group)| skipped(group)).map(|(id, _)| id.as_str()).collect(),
        calls: call_lives(&run.groups).map(|life| CallView { key: &life.key, summary: summary_of(life) }).collect(),
    };
    Ok(HttpResponse::Ok().json(detail))
}

fn summary_of(call: &CallLife) -> Option<String> {
    let waits = call.asks().map(|(wanted, _)| format!("waits for its place in the concurrency group {}", wanted.group));
    call.cancel.clone().or(waits)
}

fn job_view(job: &Job) -> JobView<'_> {
    let result = job.result.as_deref();
    JobView {
        key: &job.id.key,
        name: &job.planned.name,
        state: &job.life.state,
        summary: job.summary(),
        steps: &job.steps,
        evaluations: result.map_or(&[], |result| &result.evaluations),
    }
}

pub(super) async fn cancel(
    _: Writer,
    app: web::Data<SharedApp>,
    path: web::Path<(String, String, u64)>,
) -> Result<HttpResponse, ApiError> {
    rerun::cancel(&app, &repo_name(&path.0, &path.1)?, path.2, "cancelled by hand").await?;
    Ok(HttpResponse::Accepted().json(serde_json::json!({ "status": "cancelling" })))
}

pub(super) async fn rerun(
    _: Writer,
    app: web::Data<SharedApp>,
    path: web::Path<(String, String, u64)>,
) -> Result<HttpResponse, ApiError> {
    let attempt = rerun::rerun(&app, &repo_name(&path.0, &path.1)?, path.2).await?;
    Ok(HttpResponse::Accepted().json(serde_json::json!({ "status": "started", "attempt": attempt })))
}
