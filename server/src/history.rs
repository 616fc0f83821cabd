//! What was: runs and metrics, as lists ask for them. Every list is one reverse range scan.

use std::ops::Bound;

use workflows::{ids::RepoName, run::Conclusion};

use crate::{
    app::App,
    error::ApiError,
    store::{
        Result,
        engine::Direction,
        keys,
        records::{MetricPoint, Repo, Run},
    },
};

/// What a list of runs is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub branch: Option<String>,
    pub conclusion: Option<Conclusion>,
}

/// Some runs, newest first.
#[derive(Debug)]
pub struct RunPage {
    pub runs: Vec<Run>,
    /// Number of the page's last run, where there are older ones.
    pub older: Option<u64>,
}

/// The newest runs with numbers below `before`.
pub async fn runs(app: &App, repo: &RepoName, filter: &Filter, before: Option<u64>, limit: usize) -> Result<RunPage> {
    let prefix = match filter {
        Filter { branch: None, conclusion: None } => keys::runs(repo),
        Filter { branch, conclusion } => keys::runs_of(repo, branch.as_deref(), *conclusion),
    };
    let end = match before {
        None => prefix.after_prefix(),
        Some(before) => [prefix.as_bytes(), &before.to_be_bytes()].concat(),
    };
    let range = (Bound::Included(prefix.as_bytes().to_vec()), Bound::Excluded(end));
    // One more than is shown tells whether there are older ones.
    let mut runs = if filter == &Filter::default() {
        let stored = app.store.scan_range::<Run>(range, Direction::Reverse, limit + 1).await?;
        stored.into_iter().map(|run| run.record).collect()
    } else {
        let keys = app.store.scan_range_keys(range, Direction::Reverse, limit + 1).await?;
        let mut runs = Vec::with_capacity(keys.len());
        for number in keys.iter().filter_map(|key| keys::last_number(key)) {
            runs.extend(app.store.get::<Run>(&keys::run(repo, number)).await?.map(|run| run.record));
        }
        runs
    };
    let more = runs.len() > limit;
    runs.truncate(limit);
    let older = runs.last().filter(|_| more).map(|run| run.number);
    Ok(RunPage { runs, older })
}

pub async fn run(app: &App, repo: &RepoName, number: u64) -> std::result::Result<Run, ApiError> {
    let run = app.store.get::<Run>(&keys::run(repo, number)).await?;
    Ok(run.ok_or_else(|| ApiError::NotFound(format!("{repo} has no run {number}")))?.record)
}

pub async fn repo(app: &App, repo: &RepoName) -> std::result::Result<Repo, ApiError> {
    let found = app.store.get::<Repo>(&keys::repo(repo)).await?;
    Ok(found.ok_or_else(|| ApiError::NotFound(format!("{repo} has sent no event")))?.record)
}

/// The newest values of a metric on a branch, oldest first.
pub async fn trend(app: &App, repo: &RepoName, branch: &str, metric: &str, limit: usize) -> Result<Vec<MetricPoint>> {
    let prefix = keys::metric(repo, branch, metric);
    let newest = app.store.scan::<MetricPoint>(&prefix, Direction::Reverse, limit).await?;
    Ok(newest.into_iter().rev().map(|point| point.record).collect())
}

/// Names of the branches that have runs.
pub async fn branches(app: &App, repo: &RepoName, limit: usize) -> Result<Vec<String>> {
    // Runs of every branch are listed under the empty name.
    let first = keys::branch(repo, "").after_prefix();
    distinct(app, first, keys::branches(repo), limit, |name| keys::branch(repo, name)).await
}

/// Names of the metrics of a branch.
pub async fn metrics(app: &App, repo: &RepoName, branch: &str, limit: usize) -> Result<Vec<String>> {
    let prefix = keys::metrics(repo, branch);
    let first = prefix.as_bytes().to_vec();
    distinct(app, first, prefix, limit, |name| keys::metric(repo, branch, name)).await
}

/// The texts that follow a prefix, each once: one short scan for each.
async fn distinct(
    app: &App,
    mut from: Vec<u8>,
    prefix: keys::Key,
    limit: usize,
    key_of: impl Fn(&str) -> keys::Key,
) -> Result<Vec<String>> {
    let mut names = Vec::new();
    while names.len() < limit {
        let range = (Bound::Included(from), Bound::Excluded(prefix.after_prefix()));
        let keys = app.store.scan_range_keys(range, Direction::Forward, 1).await?;
        let Some(name) = keys.first().and_then(|key| keys::text_after(key, &prefix)) else { break };
        from = key_of(&name).after_prefix();
        names.push(name);
    }
    Ok(names)
}
