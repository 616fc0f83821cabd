use web::{
    HeadlineMetric, LastRun, MetricPage, MetricPoint, RepositoriesPage, RepositoryRow, RunFilter, RunRow, RunsPage,
    Trend,
};
use workflows::{
    gate::Answer,
    ids::{RepoName, Sha},
    run::Conclusion,
};

use super::status_of_run;
use crate::{
    app::App,
    error::ApiError,
    history::{self, Filter},
    store::{
        engine::Direction,
        keys,
        records::{Gate, HeadCommit, Repo, Run, RunState},
    },
};

/// Runs on one page, repositories on the first one, points of a trend, choices of a picker.
const RUNS: usize = 50;
const REPOSITORIES: usize = 200;
const POINTS: usize = 200;
const SPARK: usize = 30;
const CHOICES: usize = 100;

/// `/`
pub async fn repositories(app: &App) -> Result<RepositoriesPage, ApiError> {
    let mut repos = app.store.scan::<Repo>(&keys::repos(), Direction::Forward, REPOSITORIES).await?;
    repos.sort_by_key(|repo| std::cmp::Reverse(repo.record.active_at));
    let mut rows = Vec::with_capacity(repos.len());
    for repo in repos {
        rows.push(repository(app, repo.record).await?);
    }
    Ok(RepositoriesPage { now: app.clock.now(), repositories: rows })
}

async fn repository(app: &App, repo: Repo) -> Result<RepositoryRow, ApiError> {
    let newest = history::runs(app, &repo.name, &Filter::default(), None, 1).await?.runs.pop();
    let on_default = Filter { branch: Some(repo.default_branch.clone()), conclusion: None };
    let gate = match history::runs(app, &repo.name, &on_default, None, 1).await?.runs.first() {
        Some(run) => verdict(app, &repo.name, &run.head).await?.map(|(answer, _)| answer),
        None => None,
    };
    let metrics = history::metrics(app, &repo.name, &repo.default_branch, CHOICES).await?;
    let trend = match headline(&metrics) {
        None => None,
        Some(metric) => {
            let points = history::trend(app, &repo.name, &repo.default_branch, metric, SPARK).await?;
            Some(Trend { metric: metric.to_owned(), values: points.into_iter().map(|point| point.value).collect() })
        }
    };
    let last_run = newest.map(|run| LastRun {
        number: run.number,
        status: status_of_run(&run),
        title: run.title,
        branch: run.branch,
        at: run.created_at,
    });
    Ok(RepositoryRow { repo: repo.name, forge: repo.forge, default_branch: repo.default_branch, last_run, gate, trend })
}

/// The metric that a list has room for: accuracy where there is one.
fn headline(metrics: &[String]) -> Option<&str> {
    metrics.iter().find(|metric| *metric == "accuracy").or(metrics.first()).map(String::as_str)
}

/// `/{owner}/{repo}`
pub async fn runs(app: &App, repo: &RepoName, filter: Filter, before: Option<u64>) -> Result<RunsPage, ApiError> {
    let repo = history::repo(app, repo).await?;
    let page = history::runs(app, &repo.name, &filter, before, RUNS).await?;
    let mut rows = Vec::with_capacity(page.runs.len());
    for run in page.runs {
        rows.push(row(app, run).await?);
    }
    Ok(RunsPage {
        now: app.clock.now(),
        runs: rows,
        filter: RunFilter { branch: filter.branch, conclusion: filter.conclusion },
        branches: history::branches(app, &repo.name, CHOICES).await?,
        metrics: history::metrics(app, &repo.name, &repo.default_branch, CHOICES).await?,
        before,
        older: page.older,
        repo: repo.name,
        forge: repo.forge,
        default_branch: repo.default_branch,
    })
}

async fn row(app: &App, run: Run) -> Result<RunRow, ApiError> {
    let (started_at, finished_at) = match run.state {
        RunState::Pending { .. } => (None, None),
        RunState::InProgress { started_at } => (Some(started_at), None),
        RunState::Completed { started_at, finished_at, .. } => (Some(started_at), Some(finished_at)),
    };
    let judged = verdict(app, &run.repo, &run.head).await?;
    let (gate, headline) = judged.map_or((None, None), |(answer, headline)| (Some(answer), headline));
    Ok(RunRow {
        number: run.number,
        attempt: run.attempt,
        status: status_of_run(&run),
        title: run.title,
        workflow: run.workflow_name,
        branch: run.branch,
        event: run.event.kind.name().to_owned(),
        actor: run.event.actor,
        sha: run.head,
        gate,
        headline,
        created_at: run.created_at,
        started_at,
        finished_at,
    })
}

/// The gate's answer to a commit, and the number of its first rule.
async fn verdict(app: &App, repo: &RepoName, sha: &Sha) -> Result<Option<(Answer, Option<HeadlineMetric>)>, ApiError> {
    let commit = app.store.get::<HeadCommit>(&keys::commit(repo, sha)).await?;
    let Some(HeadCommit { gate: Gate::Concluded(report), .. }) = commit.map(|commit| commit.record) else {
        return Ok(None);
    };
    let Some(verdict) = report.verdict else { return Ok(None) };
    let headline = verdict
        .rules
        .iter()
        .find_map(|rule| Some(HeadlineMetric { metric: rule.metric.clone(), base: rule.base, head: rule.head? }));
    Ok(Some((verdict.verdict, headline)))
}

/// `/{owner}/{repo}/metrics?name=`
pub async fn metric(
    app: &App,
    repo: &RepoName,
    name: Option<String>,
    branch: Option<String>,
) -> Result<MetricPage, ApiError> {
    let repo = history::repo(app, repo).await?;
    let branch = branch.filter(|branch| !branch.is_empty()).unwrap_or_else(|| repo.default_branch.clone());
    let metrics = history::metrics(app, &repo.name, &branch, CHOICES).await?;
    let metric = name.or_else(|| headline(&metrics).map(str::to_owned)).unwrap_or_default();
    let mut points = Vec::new();
    for point in history::trend(app, &repo.name, &branch, &metric, POINTS).await? {
        let run = app.store.get::<Run>(&keys::run(&repo.name, point.run)).await?.map(|run| run.record);
        points.push(MetricPoint {
            sha: point.sha,
            title: run.as_ref().map(|run| run.title.clone()).unwrap_or_default(),
            run: point.run,
            at: point.at,
            value: point.value,
            conclusion: run.and_then(|run| run.conclusion()).unwrap_or(Conclusion::Neutral),
        });
    }
    let branches = history::branches(app, &repo.name, CHOICES).await?;
    Ok(MetricPage { now: app.clock.now(), repo: repo.name, metric, branch, metrics, branches, points })
}
