//! `/{owner}/{repo}`: the history of runs, newest first.

use askama::Template;
use jiff::Timestamp;
use workflows::{
    gate::Answer,
    ids::{Forge, RepoName, Sha},
    run::Conclusion,
};

use crate::{Status, assets, format, number, status, urls};

/// One page of a repository's runs.
#[derive(Debug, Clone, Template)]
#[template(path = "runs.html")]
pub struct RunsPage {
    pub now: Timestamp,
    pub repo: RepoName,
    pub forge: Forge,
    pub default_branch: String,
    /// Newest first.
    pub runs: Vec<RunRow>,
    pub filter: RunFilter,
    /// Every branch that has runs, for the filter.
    pub branches: Vec<String>,
    /// Metrics that the default branch reports, each a link to its trend.
    pub metrics: Vec<String>,
    /// Not the first page: what `before` was.
    pub before: Option<u64>,
    /// `before` of the next (older) page, where there is one: the number of this page's last run.
    pub older: Option<u64>,
}

/// What the list was narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    pub branch: Option<String>,
    pub conclusion: Option<Conclusion>,
}

#[derive(Debug, Clone)]
pub struct RunRow {
    pub number: u64,
    /// From 1; shown from the second on.
    pub attempt: u32,
    pub title: String,
    pub workflow: String,
    pub branch: String,
    /// `push`, `pull_request`, …
    pub event: String,
    pub actor: String,
    pub sha: Sha,
    pub status: Status,
    /// None where the workflow has no gate or it has not been judged yet.
    pub gate: Option<Answer>,
    pub headline: Option<HeadlineMetric>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

/// The one number that a list has room for.
#[derive(Debug, Clone)]
pub struct HeadlineMetric {
    pub metric: String,
    /// None where there is no baseline.
    pub base: Option<f64>,
    pub head: f64,
}

impl RunsPage {
    pub fn render(&self) -> String {
        crate::html::render(self)
    }

    fn is_live(&self) -> bool {
        self.runs.iter().any(|run| run.status.is_live())
    }

    fn is_filtered(&self) -> bool {
        self.filter != RunFilter::default()
    }

    fn is_branch(&self, branch: &str) -> bool {
        self.filter.branch.as_deref() == Some(branch)
    }

    fn conclusions(&self) -> [(&'static str, &'static str, bool); 5] {
        let of = |conclusion: Conclusion| {
            let word = Status::Finished(conclusion).word();
            (conclusion.as_str(), word, self.filter.conclusion == Some(conclusion))
        };
        [
            of(Conclusion::Success),
            of(Conclusion::Failure),
            of(Conclusion::Neutral),
            of(Conclusion::Cancelled),
            of(Conclusion::Skipped),
        ]
    }

    fn newest_url(&self) -> String {
        self.page_url(None)
    }

    fn older_url(&self) -> Option<String> {
        self.older.map(|before| self.page_url(Some(before)))
    }

    fn page_url(&self, before: Option<u64>) -> String {
        urls::runs(&self.repo, self.filter.branch.as_deref(), self.filter.conclusion.map(Conclusion::as_str), before)
    }
}

impl RunRow {
    /// `Failed in 7.0 s`, `Running for 29 s`, `Queued`: the icon's word and how long it took.
    fn progress(&self, now: Timestamp) -> String {
        let took = format::elapsed(self.started_at, self.finished_at, now);
        let word = self.status.word();
        match self.status {
            _ if took.is_empty() => word.to_owned(),
            Status::Waiting | Status::Queued | Status::Running => format!("{word} for {took}"),
            Status::Finished(_) => format!("{word} in {took}"),
        }
    }

    /// The event, as a person would say it.
    fn cause(&self) -> &str {
        event_words(&self.event)
    }
}

/// `pull_request` → `pull request`; events that we do not know by name stay as they are.
pub(crate) fn event_words(event: &str) -> &str {
    match event {
        "pull_request" => "pull request",
        "merge_group" => "merge queue",
        "workflow_dispatch" => "started by hand",
        "repository_dispatch" => "repository dispatch",
        other => other,
    }
}

impl HeadlineMetric {
    fn head(&self) -> String {
        number::value(&self.metric, self.head)
    }

    fn change(&self) -> Option<String> {
        self.base.map(|base| number::change(&self.metric, self.head - base))
    }
}
