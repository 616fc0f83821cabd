//! Draws of discordant pairs and of correlated normals.

use crate::gate::stats::{binomial::Binomial, random::Random, special::normal_cdf};

/// Discordant pairs of `n` examples: how many, and how many of them are worse.
pub(super) struct Pairs {
    discordant: Binomial,
    worse_share: f64,
    /// For each number of discordant pairs, made when it first comes up.
    worse: Vec<Option<Binomial>>,
}

impl Pairs {
    /// `d` is P(worse) − P(better), `discordance` their sum.
    pub(super) fn new(n: u64, discordance: f64, d: f64) -> Self {
        let worse = (0..=n).map(|_| None).collect();
        Self { discordant: Binomial::new(n, discordance), worse_share: 0.5 * (1.0 + d / discordance), worse }
    }

    /// (worse, better) from two uniforms.
    pub(super) fn at(&mut self, first: f64, second: f64) -> (u64, u64) {
        let discordant = self.discordant.at(first);
        let share = self.worse_share;
        let table = self.worse[discordant as usize].get_or_insert_with(|| Binomial::new(discordant, share));
        let worse = table.at(second);
        (worse, discordant - worse)
    }
}

/// A uniform that shares the part `correlation` of its normal score with others of the same `common`.
pub(super) fn correlated_uniform(random: &mut Random, common: f64, correlation: f64) -> f64 {
    if correlation == 0.0 {
        return random.uniform();
    }
    normal_cdf(correlation.sqrt() * common + (1.0 - correlation).sqrt() * random.normal())
}
