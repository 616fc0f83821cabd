//! Benchmarks that cannot tell and are measured again, with as many blocks as would: every look is judged by its own
//! blocks, at its part of alpha.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Asked, Bar, Cell, Plan, in_parallel, latency::Machine};
use crate::gate::{
    Answer, Defaults,
    comparison::Comparison,
    repeat::{self, Repeat},
    stats::{
        hodges_lehmann::{Shift, SignedRanks},
        multiple::holm,
    },
};

/// Blocks of the first look: what a benchmark has unless the workflow says otherwise.
const FIRST: usize = 24;

#[derive(Debug, Clone, Copy)]
pub(super) struct Study {
    number: u64,
    /// Latencies of one benchmark that rules are about.
    rules: usize,
    /// The head takes this much longer, as a share of the base; and how much is allowed.
    shift: f64,
    margin: f64,
    repetitions: u32,
    /// More blocks than these are not asked for.
    most: u64,
}

/// No change, and one as large as allowed, with as many blocks as the gate ever asks for; and what is found within 30.
pub(super) fn studies() -> Vec<Study> {
    let mut studies = Vec::new();
    let mut add = |rules, (shift, margin), repetitions, most| {
        let number = 4_000 + studies.len() as u64;
        studies.push(Study { number, rules, shift, margin, repetitions, most });
    };
    for (repetitions, rules) in [(1, 1), (1, 10), (3, 1)] {
        for truth in [(0.0, 0.0), (0.0, 0.05), (0.05, 0.05)] {
            add(rules, truth, repetitions, repeat::MOST_BLOCKS);
        }
    }
    for truth in [(0.1, 0.0), (0.1, 0.05)] {
        add(1, truth, 1, 30);
    }
    studies
}

/// Wilcoxon's distributions that were needed before, by blocks; of all threads.
#[derive(Default)]
pub(super) struct Known {
    ranks: Mutex<HashMap<usize, Arc<SignedRanks>>>,
}

impl Known {
    fn of(&self, blocks: usize) -> Arc<SignedRanks> {
        let mut ranks = self.ranks.lock().unwrap_or_else(PoisonError::into_inner);
        ranks.entry(blocks).or_insert_with(|| Arc::new(SignedRanks::new(blocks))).clone()
    }
}

/// What one look says of the family.
struct Look {
    answer: Answer,
    /// Blocks that the next one should have, where more would tell and may be asked for.
    next: Option<usize>,
}

impl Study {
    fn defaults(&self, plan: &Plan) -> Defaults {
        Defaults { alpha: plan.alpha, repetitions: self.repetitions, ..Defaults::default() }
    }

    /// Measures the family in that many blocks of head and base in turns: differences of logarithms, by rule.
    fn measure(&self, machine: &mut Machine, blocks: usize) -> Vec<Vec<f64>> {
        machine.later();
        let shift = self.shift.ln_1p();
        let mut differences = vec![Vec::with_capacity(blocks); self.rules];
        let (mut first, mut second) = (vec![0.0; self.rules], vec![0.0; self.rules]);
        for _ in 0..blocks {
            // Who goes first is drawn anew for every block.
            let sign = if machine.random.uniform() < 0.5 { 1.0 } else { -1.0 };
            machine.measure_all(&mut first);
            machine.measure_all(&mut second);
            for (of_rule, (first, second)) in differences.iter_mut().zip(first.iter().zip(&second)) {
                of_rule.push(shift + sign * (first - second));
            }
        }
        differences
    }

    /// Judges the family as the gate does; `more` says whether another look is allowed.
    fn look(&self, defaults: &Defaults, known: &Known, mut measured: Vec<Vec<f64>>, more: bool) -> Look {
        let margin = self.margin.ln_1p();
        let had = measured[0].len();
        let mut p_values = Vec::with_capacity(self.rules);
        let ranks = known.of(had);
        for differences in &mut measured {
            p_values.push(defaults.over_looks(ranks.p_values(differences, margin)));
        }
        let adjusted = holm(&p_values.iter().map(|(p_worse, _)| *p_worse).collect::<Vec<_>>());
        let decide = |rule: usize| Comparison::decide(adjusted[rule], p_values[rule].1, defaults.alpha);
        let answers: Vec<Answer> = (0..self.rules).map(decide).collect();
        let answer = match answers.contains(&Answer::Fail) {
            true => Answer::Fail,
            false if answers.iter().all(|answer| *answer == Answer::Pass) => Answer::Pass,
            false => Answer::Inconclusive,
        };
        let mut next = None;
        if answer == Answer::Inconclusive && more && (had as u64) < self.most {
            let open = answers.iter().zip(&measured).filter(|(answer, _)| **answer == Answer::Inconclusive);
            let needs = open.filter_map(|(_, differences)| {
                let shift = Shift::new(differences)?;
                // Of a base that takes one unit of time.
                let found = Comparison::of_blocks(&shift, margin, defaults, |d| d.exp() - 1.0);
                Some((found.needed(self.margin, defaults.power)?, found.n))
            });
            next = match repeat::more(needs, self.most) {
                Some(Repeat::Blocks { needed, .. }) => Some(needed as usize),
                Some(Repeat::Disturbed) | None => None,
            };
        }
        Look { answer, next }
    }

    /// Counts: fails, passes, and comparisons that were looked at more than once.
    fn stream(&self, plan: &Plan, known: &Known, seed: u64, comparisons: u64) -> [u64; 3] {
        let defaults = self.defaults(plan);
        let mut machine = Machine::new(seed);
        let mut counts = [0; 3];
        for _ in 0..comparisons {
            let (mut blocks, mut left) = (FIRST, self.repetitions);
            let answer = loop {
                let measured = self.measure(&mut machine, blocks);
                let look = self.look(&defaults, known, measured, left > 0);
                let Some(next) = look.next else { break look.answer };
                (blocks, left) = (next, left - 1);
            };
            counts[0] += u64::from(answer == Answer::Fail);
            counts[1] += u64::from(answer == Answer::Pass);
            counts[2] += u64::from(left < self.repetitions);
        }
        counts
    }

    pub(super) fn describe(&self) -> String {
        let family = match self.rules {
            1 => "1 rule".to_owned(),
            rules => format!("{rules} correlated rules"),
        };
        let times = if self.repetitions == 1 { "once".to_owned() } else { format!("{} times", self.repetitions) };
        format!("latency, {FIRST} blocks, repeated up to {times} with up to {} blocks, {family}", self.most)
    }

    pub(super) fn truth(&self) -> String {
        format!("{} % slower, {} % allowed", self.shift * 100.0, self.margin * 100.0)
    }

    pub(super) fn run(&self, plan: &Plan, known: &Known) -> Vec<Cell> {
        let counts = in_parallel(plan, self.number, |seed, share| self.stream(plan, known, seed, share));
        let [fails, passes, again] = counts;
        let of = plan.comparisons;
        let share = 100.0 * again as f64 / of as f64;
        let draws = format!("{} ({share:.1} % were)", self.describe());
        let (asked, bar) = match self.shift > self.margin {
            true => (Asked::Power, Bar::AtLeast(0.8)),
            false => (Asked::FalseAlarm, Bar::AtMost(plan.alpha)),
        };
        let mut cells = vec![Cell::new(asked, draws.clone(), self.truth(), (fails, of), bar)];
        // One rule is the worst case: more of them only have to pass too.
        if self.shift == self.margin && self.rules == 1 {
            cells.push(Cell::new(Asked::FalsePass, draws, self.truth(), (passes, of), Bar::AtMost(plan.alpha)));
        }
        cells
    }
}
