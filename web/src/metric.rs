//! `/{owner}/{repo}/metrics?name=…`: one metric over the commits of a branch.

use askama::Template;
use jiff::Timestamp;
use workflows::{
    ids::{RepoName, Sha},
    run::Conclusion,
};

use crate::{Status, assets, chart, format, html::Html, number, urls};

/// One metric over the commits of one branch.
#[derive(Debug, Clone, Template)]
#[template(path = "metric.html")]
pub struct MetricPage {
    pub now: Timestamp,
    pub repo: RepoName,
    pub metric: String,
    pub branch: String,
    /// For the pickers.
    pub metrics: Vec<String>,
    pub branches: Vec<String>,
    /// Oldest first.
    pub points: Vec<MetricPoint>,
}

/// The metric at one commit.
#[derive(Debug, Clone)]
pub struct MetricPoint {
    pub sha: Sha,
    pub title: String,
    pub run: u64,
    pub at: Timestamp,
    pub value: f64,
    /// Of the run.
    pub conclusion: Conclusion,
}

/// A row of the table: the point, and its change since the one before.
struct Row<'a> {
    point: &'a MetricPoint,
    value: String,
    change: Option<String>,
    status: Status,
}

impl MetricPage {
    pub fn render(&self) -> String {
        crate::html::render(self)
    }

    /// Newest first.
    fn rows(&self) -> Vec<Row<'_>> {
        let before = std::iter::once(None).chain(self.points.iter().map(Some));
        let row = |(point, before): (&'_ MetricPoint, Option<&MetricPoint>)| (point.value, before.map(|b| b.value));
        let mut rows: Vec<Row<'_>> = self
            .points
            .iter()
            .zip(before)
            .map(|(point, before)| {
                let (value, before) = row((point, before));
                Row {
                    point,
                    value: number::value(&self.metric, value),
                    change: before.map(|before| number::change(&self.metric, value - before)),
                    status: Status::Finished(point.conclusion),
                }
            })
            .collect();
        rows.reverse();
        rows
    }

    fn chart(&self) -> Html {
        let point = |p: &MetricPoint| chart::Point {
            value: p.value,
            href: urls::run(&self.repo, p.run),
            tone: Status::Finished(p.conclusion).tone(),
            title: format!(
                "{} · {} · run {} · {} · {}",
                number::value(&self.metric, p.value),
                p.sha.short(),
                p.run,
                p.title,
                p.at.strftime("%-d %b %Y, %H:%M UTC"),
            ),
            date: p.at.strftime("%-d %b").to_string(),
        };
        let points: Vec<chart::Point> = self.points.iter().map(point).collect();
        chart::line(&points, &|value| number::value(&self.metric, value), &self.summary())
    }

    /// The chart in one sentence.
    fn summary(&self) -> String {
        let finite = || self.points.iter().map(|p| p.value).filter(|v| v.is_finite());
        let Some(last) = finite().next_back() else { return format!("No values of {} yet", self.metric) };
        let least = finite().fold(f64::INFINITY, f64::min);
        let most = finite().fold(f64::NEG_INFINITY, f64::max);
        let show = |v: f64| number::value(&self.metric, v);
        let commits = format::count(finite().count(), "commit", "commits");
        format!("{} over {commits}: now {}, between {} and {}", self.metric, show(last), show(least), show(most))
    }
}
