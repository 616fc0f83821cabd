//! Earlier values of the base's branch, for rules that judge a single number by them (`test: history`).

use workflows::{
    gate::{Policy, Side, TestChoice},
    ids::Sha,
};

use super::Failure;
use crate::{
    app::App,
    history,
    store::records::{HeadCommit, MetricPoint, Planning},
};

/// Newest points of a metric that are looked at, and how many of them tell how much a value varies.
const MOST_POINTS: usize = 500;
const MOST_VALUES: usize = 50;

/// Adds to the base's sides what their branch reported before, on like hardware and like data.
pub(super) async fn add(
    app: &App,
    commit: &HeadCommit,
    planning: &Planning,
    policy: &Policy,
    base: &mut [Side],
) -> Result<(), Failure> {
    let Some(branch) = &planning.branch else { return Ok(()) };
    let by_history = policy.rules.iter().filter(|rule| rule.test == TestChoice::History);
    for rule in by_history {
        // `job/metric` is reported as `metric`.
        let metric = rule.metric.rsplit('/').next().unwrap_or_default();
        let points = history::trend(app, &commit.repo, branch, metric, MOST_POINTS).await?;
        for side in base.iter_mut() {
            side.history.insert(metric.to_owned(), values(&points, side, &commit.sha));
        }
    }
    Ok(())
}

/// Of the points (oldest first) the newest of each commit that is like the side, without the head itself.
fn values(points: &[MetricPoint], side: &Side, head: &Sha) -> Vec<f64> {
    let mut newest: Vec<&MetricPoint> = Vec::new();
    for point in points.iter().rev() {
        let counts = point.sha != *head && point.evaluation == side.name && point.like == side.like;
        if counts && !newest.iter().any(|newer| newer.sha == point.sha) {
            newest.push(point);
        }
    }
    newest.iter().take(MOST_VALUES).rev().map(|point| point.value).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_like_values_of_other_commits_count_and_each_commit_once() {
        let sha = |n: u8| -> Sha { format!("{n:040x}").parse().unwrap() };
        let like = |device: &str| BTreeMap::from([("the device".to_owned(), device.to_owned())]);
        let point = |commit: u8, evaluation: &str, device: &str, value: f64| MetricPoint {
            at: jiff::Timestamp::UNIX_EPOCH,
            run: 1,
            sha: sha(commit),
            evaluation: evaluation.to_owned(),
            value,
            n: 1,
            like: like(device),
        };
        let points = [
            point(1, "eval", "a CPU", 1.0),
            point(2, "eval", "a CPU", 2.0),
            point(2, "eval", "a CPU", 2.5),
            point(3, "eval", "a GPU", 3.0),
            point(4, "other", "a CPU", 4.0),
            point(5, "eval", "a CPU", 5.0),
            point(9, "eval", "a CPU", 9.0),
        ];
        let side = Side { name: "eval".to_owned(), like: like("a CPU"), ..Side::default() };
        assert_eq!(values(&points, &side, &sha(9)), [1.0, 2.5, 5.0]);
    }
}
