//! Drawing a stratum's units again, with replacement.

use super::{Plan, Stratum, add_unit};
use crate::gate::stats::{binomial::Binomial, random::Random};

/// A stratum, made ready for many draws.
pub(super) enum Urn<'a> {
    /// Each draw is made by itself.
    Even(&'a [u32]),
    /// Most units are of one cell. How many of the draws hit it is one binomial number, the others are spread
    /// evenly over the rest: the same distribution as draws one by one, for the price of the few that differ.
    Lopsided { cell: usize, size: u64, hits: Binomial, rest: Vec<u32> },
}

impl<'a> Urn<'a> {
    pub(super) fn new(plan: &Plan, stratum: &'a Stratum) -> Self {
        let units = stratum.cells.as_slice();
        if plan.clusters.is_some() {
            return Self::Even(units);
        }
        let Some(cell) = majority(units) else { return Self::Even(units) };
        let rest: Vec<u32> = units.iter().copied().filter(|unit| *unit != cell).collect();
        // Where all are of one cell there is nothing to draw.
        if rest.is_empty() || 2 * rest.len() >= units.len() {
            return Self::Even(units);
        }
        let size = units.len() as u64;
        let share = 1.0 - rest.len() as f64 / size as f64;
        Self::Lopsided { cell: cell as usize, size, hits: Binomial::new(size, share), rest }
    }

    /// As many draws as the stratum has units, added to `counts`.
    pub(super) fn draw(&self, plan: &Plan, random: &mut Random, counts: &mut [u32]) {
        match self {
            Self::Even(units) => draw_each(units, units.len(), random, |unit| add_unit(plan, counts, unit)),
            Self::Lopsided { cell, size, hits, rest } => {
                let hits = hits.at(random.uniform());
                counts[*cell] += hits as u32;
                draw_each(rest, (size - hits) as usize, random, |unit| counts[unit as usize] += 1);
            }
        }
    }
}

fn draw_each(units: &[u32], times: usize, random: &mut Random, mut drawn: impl FnMut(u32)) {
    let size = units.len() as u32;
    for _ in 0..times / 2 {
        let (first, second) = random.two_below(size);
        drawn(units[first]);
        drawn(units[second]);
    }
    if times % 2 == 1 {
        drawn(units[random.two_below(size).0]);
    }
}

/// The only unit that can be more than half of them (Boyer & Moore's vote).
fn majority(units: &[u32]) -> Option<u32> {
    let mut leader = (*units.first()?, 0usize);
    for unit in units {
        leader = match leader {
            (_, 0) => (*unit, 1),
            (cell, votes) if cell == *unit => (cell, votes + 1),
            (cell, votes) => (cell, votes - 1),
        };
    }
    Some(leader.0)
}
