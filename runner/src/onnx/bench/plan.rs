//! What is measured when, decided before anything runs: scenarios, blocks and their order, arrivals.

use std::{fmt, str::FromStr, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// MLPerf Inference's scenarios
/// (<https://github.com/mlcommons/inference_policies/blob/master/inference_rules.adoc#3-scenarios>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// One sample a query; the next query is sent when the last one is answered. Measured: latency.
    SingleStream,
    /// All samples are there from the beginning. Measured: throughput.
    Offline,
    /// One sample a query; queries arrive at random (Poisson) at `rate` a second, whether or not the last one
    /// is answered. Measured: latency from arrival, waiting included.
    Server,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scenario::SingleStream => "single-stream",
            Scenario::Offline => "offline",
            Scenario::Server => "server",
        })
    }
}

impl FromStr for Scenario {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Scenario::SingleStream, Scenario::Offline, Scenario::Server];
        all.into_iter().find(|scenario| scenario.to_string() == text).ok_or_else(|| {
            format!("`{text}` is not a scenario of MLPerf's that Assay runs (single-stream, offline, server)")
        })
    }
}

/// Which model a block measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Head,
    Base,
}

/// The order within one pair of blocks, drawn anew for each: with a fixed one whoever goes second always
/// finds the device warmer.
pub(super) fn order(random: &mut StdRng, with_base: bool) -> Vec<Subject> {
    match (with_base, with_base && random.random::<bool>()) {
        (false, _) => vec![Subject::Head],
        (true, false) => vec![Subject::Head, Subject::Base],
        (true, true) => vec![Subject::Base, Subject::Head],
    }
}

/// Queries of each block, so that all of them together are `queries`.
pub(super) fn split(queries: u64, blocks: u32) -> Vec<u64> {
    let blocks = u64::from(blocks);
    (0..blocks).map(|block| queries * (block + 1) / blocks - queries * block / blocks).collect()
}

/// When queries arrive, from the block's beginning: a Poisson process of `rate` a second, whose gaps are
/// exponential, −ln(1 − u) / rate.
pub(super) fn arrivals(random: &mut StdRng, rate: f64, count: u64) -> Vec<Duration> {
    let mut at = 0.0;
    (0..count)
        .map(|_| {
            let u: f64 = random.random();
            at += -(-u).ln_1p() / rate;
            Duration::from_secs_f64(at)
        })
        .collect()
}

pub(super) fn generator(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_is_in_one_block() {
        for (queries, blocks) in [(1024, 20), (7, 3), (3, 7), (20, 20)] {
            let split = split(queries, blocks);
            assert_eq!((split.len(), split.iter().sum::<u64>()), (blocks as usize, queries));
            assert!(split.iter().max().unwrap() - split.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn both_orders_are_drawn_and_a_seed_repeats_them() {
        let draw =
            |seed| (0..200).map(|_| 0).scan(generator(seed), |random, _| Some(order(random, true))).collect::<Vec<_>>();
        let orders = draw(1);
        assert_eq!(orders, draw(1));
        let first_base = orders.iter().filter(|order| order[0] == Subject::Base).count();
        assert!((60..140).contains(&first_base), "{first_base} of 200");
        assert_eq!(order(&mut generator(1), false), [Subject::Head]);
    }

    /// Mean and variance of exponential gaps are 1/λ and 1/λ².
    #[test]
    fn arrivals_are_a_poisson_process() {
        let (rate, count) = (250.0, 100_000);
        let arrivals = arrivals(&mut generator(7), rate, count);
        let gaps: Vec<f64> = std::iter::once(arrivals[0].as_secs_f64())
            .chain(arrivals.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()))
            .collect();
        let mean = gaps.iter().sum::<f64>() / count as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count as f64;
        assert!((mean * rate - 1.0).abs() < 0.02, "{mean}");
        assert!((variance * rate * rate - 1.0).abs() < 0.05, "{variance}");
    }
}
