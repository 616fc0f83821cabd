//! `/{owner}/{repo}/runs/{number}/jobs/{key}`: one job, its steps and its log.

use askama::Template;
use jiff::Timestamp;
use workflows::{
    ids::{Forge, JobKey, RepoName},
    protocol::Isolation,
};

use crate::{JobView, LogView, RunHeader, Status, assets, format, log, urls};

/// One job of one attempt.
#[derive(Debug, Clone, Template)]
#[template(path = "job.html")]
pub struct JobPage {
    pub now: Timestamp,
    pub repo: RepoName,
    pub forge: Forge,
    pub run: RunHeader,
    pub job: JobView,
    /// All jobs of the run, for moving between them.
    pub jobs: Vec<JobLink>,
    /// None where it was not asked for (`?log=none`) or where there is none yet.
    pub log: Option<LogView>,
}

/// Another job of the run.
#[derive(Debug, Clone)]
pub struct JobLink {
    pub key: JobKey,
    pub name: String,
    pub status: Status,
}

impl JobPage {
    pub fn render(&self) -> String {
        crate::html::render(self)
    }

    fn is_live(&self) -> bool {
        self.job.status.is_live()
    }

    fn sections(&self) -> log::Sections {
        log::sections(&self.job.steps, self.log.as_ref(), self.job.status, self.now)
    }

    /// Up to where the page holds the log: the script goes on from there.
    fn log_end(&self) -> u64 {
        self.log.as_ref().map_or(0, LogView::end)
    }

    fn cut(&self) -> Option<String> {
        let start = self.log.as_ref()?.start;
        (start > 0).then(|| crate::number::bytes(start as f64))
    }

    fn isolation(&self) -> Option<Isolation> {
        self.job.isolation.or(self.job.runner.as_ref().map(|runner| runner.isolation))
    }
}
