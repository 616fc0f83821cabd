//! `/{owner}/{repo}/compare/{base}...{head}`: two commits side by side.

use askama::Template;
use jiff::Timestamp;
use workflows::{
    evaluation::Evaluation,
    gate::Verdict,
    ids::{RepoName, Sha},
};

use crate::{assets, html::Html, number, run, urls, verdict};

/// Two commits and all that both were measured by.
#[derive(Debug, Clone, Template)]
#[template(path = "compare.html")]
pub struct ComparePage {
    pub now: Timestamp,
    pub repo: RepoName,
    pub base: Compared,
    pub head: Compared,
    /// The head judged against this base, where a policy is known.
    pub verdict: Option<Verdict>,
}

/// One of the two.
#[derive(Debug, Clone)]
pub struct Compared {
    pub sha: Sha,
    pub title: String,
    pub run: Option<u64>,
    pub evaluations: Vec<Evaluation>,
}

impl ComparePage {
    pub fn render(&self) -> String {
        crate::html::render(self)
    }

    fn pairs(&self) -> Vec<(&Evaluation, Option<&Evaluation>)> {
        let base = |name: &str| self.base.evaluations.iter().find(|base| base.name == name);
        self.head.evaluations.iter().map(|head| (head, base(&head.name))).collect()
    }

    fn verdict_section(&self) -> Html {
        let Some(verdict) = &self.verdict else { return Html::default() };
        verdict::section(verdict, &self.repo, &self.head.sha, Some(&self.base.sha), self.base.run)
    }
}
