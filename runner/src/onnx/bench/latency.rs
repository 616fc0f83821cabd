//! From latencies to numbers that may be claimed.
//!
//! A percentile needs enough queries: MLPerf's early stopping (`loadgen/early_stopping.cc` of
//! <https://github.com/mlcommons/inference>) accepts "the q-quantile is under x" at 99 % confidence from n
//! queries of which t took longer only where the binomial distribution makes more over-long ones likely. The
//! fewest queries, with none over: 44 for p90, 90 for p95, 459 for p99.

use std::collections::BTreeMap;

use workflows::gate::stats::quantile::needed;

/// MLPerf's confidence is 99 %.
const ALPHA: f64 = 0.01;

/// The percentiles that are told.
const PERCENTILES: [(&str, f64); 5] =
    [("latency_p50", 0.5), ("latency_p90", 0.9), ("latency_p95", 0.95), ("latency_p99", 0.99), ("latency_p999", 0.999)];

/// The fewest queries from which a quantile may be claimed.
pub fn fewest_queries(quantile: f64) -> u64 {
    needed(0, quantile, ALPHA)
}

/// The `q`-quantile of sorted values by nearest rank, as loadgen takes it: the smallest value that at least
/// a share `q` of all is not above.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Mean and percentiles of all latencies of a benchmark, in milliseconds; only percentiles that so many
/// queries allow.
pub(super) fn claims(latencies: &[f64]) -> BTreeMap<String, f64> {
    summary(latencies, fewest_queries)
}

/// The same of one block. Blocks are compared with each other, nothing is claimed of one alone: a percentile
/// is told where at least one query is beyond it.
pub(super) fn of_block(latencies: &[f64]) -> BTreeMap<String, f64> {
    summary(latencies, |q| (1.0 / (1.0 - q)).round() as u64)
}

fn summary(latencies: &[f64], fewest: impl Fn(f64) -> u64) -> BTreeMap<String, f64> {
    if latencies.is_empty() {
        return BTreeMap::new();
    }
    let mut sorted = latencies.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as u64;
    let percentiles = PERCENTILES
        .iter()
        .filter(|(_, q)| n >= fewest(*q))
        .map(|(name, q)| ((*name).to_owned(), quantile(&sorted, *q)));
    let mean = latencies.iter().sum::<f64>() / n as f64;
    percentiles.chain([("latency_mean".to_owned(), mean)]).collect()
}

/// At most `most` values, evenly chosen in the order of measurement, each with six significant digits: a
/// clock tells no more, and they travel as text.
pub(super) fn thinned(values: &[f64], most: usize) -> Vec<f64> {
    let step = values.len().div_ceil(most.max(1)).max(1);
    values.iter().step_by(step).map(|value| format!("{value:.5e}").parse().unwrap_or(*value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of practice: t = 0 and t = 1 queries over the bound at 99 % confidence.
    #[test]
    fn the_fewest_queries_are_mlperfs() {
        for (q, none, one) in [(0.90, 44, 64), (0.95, 90, 130), (0.97, 152, 219), (0.99, 459, 662)] {
            assert_eq!((fewest_queries(q), needed(1, q, ALPHA)), (none, one), "{q}");
        }
    }

    #[test]
    fn a_percentile_of_too_few_queries_is_not_claimed() {
        let latencies = |n: usize| (1..=n).map(|i| i as f64).collect::<Vec<_>>();
        assert!(!claims(&latencies(458)).contains_key("latency_p99"));
        assert_eq!(claims(&latencies(459))["latency_p99"], 455.0);
        let few = claims(&latencies(43));
        assert!(few.contains_key("latency_p50") && !few.contains_key("latency_p90"));
        assert_eq!(claims(&latencies(5)).keys().collect::<Vec<_>>(), ["latency_mean"]);
        assert!(claims(&[]).is_empty());
        assert!(of_block(&latencies(100)).contains_key("latency_p99"));
        assert!(!of_block(&latencies(99)).contains_key("latency_p99"));
    }

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let sorted: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([0.0, 0.5, 0.9, 0.99, 1.0].map(|q| quantile(&sorted, q)), [1.0, 50.0, 90.0, 99.0, 100.0]);
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
    }

    #[test]
    fn thinning_keeps_the_spread() {
        let values: Vec<f64> = (0..10_000).map(|i| f64::from(i) / 3.0).collect();
        let thin = thinned(&values, 1500);
        assert!(thin.len() <= 1500 && thin.len() > 700);
        assert_eq!((thin[0], thin[1]), (0.0, 2.33333));
        assert_eq!(thinned(&values[..3], 1500).len(), 3);
    }
}
