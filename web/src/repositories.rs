//! `/`: the repositories.

use askama::Template;
use jiff::Timestamp;
use workflows::{
    gate::Answer,
    ids::{Forge, RepoName},
};

use crate::{Status, assets, chart, format, html::Html, number, status, urls};

/// All repositories that have sent an event.
#[derive(Debug, Clone, Template)]
#[template(path = "repositories.html")]
pub struct RepositoriesPage {
    pub now: Timestamp,
    /// In the order shown.
    pub repositories: Vec<RepositoryRow>,
}

#[derive(Debug, Clone)]
pub struct RepositoryRow {
    pub repo: RepoName,
    pub forge: Forge,
    pub default_branch: String,
    /// Newest run of any branch.
    pub last_run: Option<LastRun>,
    /// The gate's answer to the default branch's newest judged commit.
    pub gate: Option<Answer>,
    /// The metric that matters most, over the default branch's commits.
    pub trend: Option<Trend>,
}

#[derive(Debug, Clone)]
pub struct LastRun {
    pub number: u64,
    pub title: String,
    pub branch: String,
    pub status: Status,
    pub at: Timestamp,
}

/// A metric's recent values, oldest first.
#[derive(Debug, Clone)]
pub struct Trend {
    pub metric: String,
    pub values: Vec<f64>,
}

impl RepositoriesPage {
    pub fn render(&self) -> String {
        crate::html::render(self)
    }

    fn is_live(&self) -> bool {
        self.repositories.iter().any(|row| row.last_run.as_ref().is_some_and(|run| run.status.is_live()))
    }
}

impl Trend {
    fn last(&self) -> String {
        number::optional(&self.metric, self.values.last().copied())
    }

    fn sparkline(&self) -> Html {
        chart::sparkline(&self.values, &format!("{} over the last {} commits", self.metric, self.values.len()))
    }
}
