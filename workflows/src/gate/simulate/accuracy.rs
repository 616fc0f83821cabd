//! Families of rules over 0/1 outcomes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{
    Asked, Bar, Cell, Plan,
    draw::{Pairs, correlated_uniform},
    in_parallel,
    rivals::{ALERT, BENCHER, Bencher, FIXED, HISTORY},
};
use crate::gate::{
    Answer,
    comparison::Comparison,
    number::thousands,
    stats::{multiple::holm, random::Random, tango::PairedCounts, unconditional},
};

/// Bounds by design and counts.
type Tables = HashMap<(Key, u64, u64), (f64, f64)>;

/// The base's accuracy: what rules in percent of the value are percents of.
const BASE_ACCURACY: f64 = 0.9;
const CORRELATION: f64 = 0.5;

/// One combination of sizes and truth; every rule of the family has the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Study {
    number: u64,
    n: u64,
    discordance: f64,
    rules: usize,
    correlated: bool,
    /// The true change for the worse, and the allowed one.
    d: f64,
    margin: f64,
}

/// All combinations of the issue: no change and nothing allowed; as bad as allowed, and not a bit worse.
pub(super) fn studies() -> Vec<Study> {
    let mut studies = Vec::new();
    for (d, margin) in [(0.0, 0.0), (0.0, 0.005), (0.005, 0.005)] {
        for n in [100, 1_000, 10_000] {
            for discordance in [0.01, 0.05, 0.1, 0.2] {
                for (rules, correlated) in [(1, false), (10, false), (10, true), (72, false), (72, true)] {
                    let number = studies.len() as u64;
                    studies.push(Study { number, n, discordance, rules, correlated, d, margin });
                }
            }
        }
    }
    studies
}

/// P-values of tables that came up before, of all threads.
#[derive(Default)]
pub(super) struct Known {
    tables: Mutex<Tables>,
}

/// n, and the margin in millionths.
type Key = (u64, u64);

/// A p-value that is larger by the normal approximation, which is never off by a factor of two there, can
/// decide nothing: the exact one is not computed.
const CAN_DECIDE: f64 = 0.15;

/// One thread's view of it, which needs no lock for what it has seen.
struct Judged<'a> {
    known: &'a Known,
    margin: f64,
    n: u64,
    seen: HashMap<(u64, u64), (f64, f64)>,
}

impl<'a> Judged<'a> {
    fn new(known: &'a Known, n: u64, margin: f64) -> Self {
        Self { known, margin, n, seen: HashMap::new() }
    }

    fn p_values(&mut self, worse: u64, better: u64) -> (f64, f64) {
        let (n, margin, known) = (self.n, self.margin, self.known);
        *self.seen.entry((worse, better)).or_insert_with(|| {
            let key = ((n, (margin * 1e6) as u64), worse, better);
            let lock = || known.tables.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(p_values) = lock().get(&key) {
                return *p_values;
            }
            let p_values = Self::compute(PairedCounts { worse, better, n }, margin);
            lock().insert(key, p_values);
            p_values
        })
    }

    /// As [`Comparison::p_of_counts`], where it can decide something.
    fn compute(counts: PairedCounts, margin: f64) -> (f64, f64) {
        let (rough_worse, rough_fine) = counts.p_values(margin);
        let few = counts.worse + counts.better <= 60;
        if few || margin == 0.0 || !unconditional::applies(counts) {
            let (_, p_worse, p_fine) = Comparison::p_of_counts(counts, margin);
            return (p_worse, p_fine);
        }
        let worse = if rough_worse < CAN_DECIDE { unconditional::p_worse(counts, margin) } else { rough_worse };
        let fine = if rough_fine < CAN_DECIDE { unconditional::p_fine(counts, margin) } else { rough_fine };
        (worse, fine)
    }
}

impl Study {
    /// Counts: families with an alarm, first rules that pass, first rules that pass as identical, and of the
    /// first rule the alarms of the three others.
    fn stream(&self, plan: &Plan, known: &Known, seed: u64, comparisons: u64) -> [u64; 6] {
        let mut random = Random::new(seed);
        let mut pairs = Pairs::new(self.n, self.discordance, self.d);
        let mut unchanged = Pairs::new(self.n, self.discordance, 0.0);
        let mut judged = Judged::new(known, self.n, self.margin);
        let correlation = if self.correlated { CORRELATION } else { 0.0 };
        let bencher = Bencher::new();
        let mut counts = [0; 6];
        for _ in 0..comparisons {
            let (common, common_side) = if self.correlated { (random.normal(), random.normal()) } else { (0.0, 0.0) };
            let mut p_values = Vec::with_capacity(self.rules);
            for rule in 0..self.rules {
                let first = correlated_uniform(&mut random, common, correlation);
                let second = correlated_uniform(&mut random, common_side, correlation);
                let (worse, better) = pairs.at(first, second);
                let identical = worse + better == 0;
                let (p_worse, p_fine) = judged.p_values(worse, better);
                if !identical {
                    p_values.push(p_worse);
                }
                if rule > 0 {
                    continue;
                }
                counts[1] += u64::from(!identical && p_fine <= plan.alpha && p_worse > plan.alpha);
                counts[2] += u64::from(identical);
                let drop = (worse as f64 - better as f64) / self.n as f64;
                counts[3] += u64::from(drop > FIXED.1 * BASE_ACCURACY);
                counts[4] += u64::from(drop > ALERT.1 * BASE_ACCURACY);
                if self.rules == 1 {
                    let history: [f64; HISTORY] = std::array::from_fn(|_| {
                        let (worse, better) = unchanged.at(random.uniform(), random.uniform());
                        (worse as f64 - better as f64) / self.n as f64
                    });
                    counts[5] += u64::from(bencher.alarms(&history, drop));
                }
            }
            counts[0] += u64::from(holm(&p_values).iter().any(|p| *p <= plan.alpha));
        }
        counts
    }

    pub(super) fn run(&self, plan: &Plan, known: &Known) -> Vec<Cell> {
        let counts = in_parallel(plan, self.number, |seed, share| self.stream(plan, known, seed, share));
        let [alarms, passes, identical, fixed, alert, bencher] = counts;
        let draws = self.describe();
        let truth = self.truth();
        let of = plan.comparisons;
        let mut alarm =
            Cell::new(Asked::FalseAlarm, draws.clone(), truth.clone(), (alarms, of), Bar::AtMost(plan.alpha));
        if self.rules == 1 {
            let rate = |hits: u64| hits as f64 / of as f64;
            alarm.others = vec![
                (FIXED.0.to_owned(), rate(fixed)),
                (BENCHER.to_owned(), rate(bencher)),
                (ALERT.0.to_owned(), rate(alert)),
            ];
        }
        let mut cells = vec![alarm];
        // With d at the margin, passing is false. One rule is the worst case: more of them only have to pass too.
        if self.rules == 1 && self.d == self.margin {
            cells.push(Cell::new(
                Asked::FalsePass,
                draws.clone(),
                truth.clone(),
                (passes, of),
                Bar::AtMost(plan.alpha),
            ));
            if identical > 0 && self.d > 0.0 {
                let draws = format!("{draws}, no example differs (“identical”)");
                cells.push(Cell::new(Asked::FalsePass, draws, truth, (identical, of), Bar::None));
            }
        }
        cells
    }

    pub(super) fn truth(&self) -> String {
        format!("drop {} pp, {} pp allowed", self.d * 100.0, self.margin * 100.0)
    }

    pub(super) fn describe(&self) -> String {
        let family = match (self.rules, self.correlated) {
            (1, _) => "1 rule".to_owned(),
            (rules, false) => format!("{rules} rules"),
            (rules, true) => format!("{rules} correlated rules"),
        };
        format!("accuracy, n {}, discordance {} %, {family}", thousands(self.n), self.discordance * 100.0)
    }
}

/// A true drop of 2 pp with nothing allowed, at 10 % discordance and the n of the formula.
pub(super) fn power(plan: &Plan, wanted: &impl Fn(&str, &str) -> bool) -> Vec<Cell> {
    let known = &Known::default();
    let bar = |n: u64| if n == 1_544 { Bar::AtLeast(0.8) } else { Bar::None };
    let truth = "drop 2 pp, 0 pp allowed";
    [771, 1_544, 3_090]
        .into_iter()
        .map(|n| (n, format!("accuracy, n {}, discordance 10 %, 1 rule", thousands(n))))
        .filter(|(_, draws)| wanted(draws, truth))
        .map(|(n, draws)| {
            let hits = in_parallel(plan, 1_000 + n, |seed, comparisons| {
                let mut random = Random::new(seed);
                let mut pairs = Pairs::new(n, 0.1, 0.02);
                let mut judged = Judged::new(known, n, 0.0);
                let found = (0..comparisons).filter(|_| {
                    let (worse, better) = pairs.at(random.uniform(), random.uniform());
                    let (p_worse, p_fine) = judged.p_values(worse, better);
                    Comparison::decide(p_worse, p_fine, plan.alpha) == Answer::Fail
                });
                [found.count() as u64]
            })[0];
            Cell::new(Asked::Power, draws, truth.to_owned(), (hits, plan.comparisons), bar(n))
        })
        .collect()
}

/// Whether the interval, 2.5 % on each side, holds the truth.
pub(super) fn coverage(plan: &Plan, wanted: &impl Fn(&str, &str) -> bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (index, (n, discordance, d)) in
        [(100, 0.1, 0.0), (100, 0.2, 0.05), (1_000, 0.05, 0.01), (1_000, 0.1, 0.0), (10_000, 0.1, 0.02)]
            .into_iter()
            .enumerate()
    {
        let draws = format!("accuracy, n {}, discordance {} %, 1 rule", thousands(n), discordance * 100.0);
        let truth = format!("drop {} pp", d * 100.0);
        if !wanted(&draws, &truth) {
            continue;
        }
        let hits = in_parallel(plan, 2_000 + index as u64, |seed, comparisons| {
            let mut random = Random::new(seed);
            let mut pairs = Pairs::new(n, discordance, d);
            let mut seen: HashMap<(u64, u64), bool> = HashMap::new();
            let holds = (0..comparisons).filter(|_| {
                let (worse, better) = pairs.at(random.uniform(), random.uniform());
                *seen.entry((worse, better)).or_insert_with(|| {
                    // The bounds are where the p-values meet the level.
                    let (p_worse, p_fine) = unconditional::p_values(PairedCounts { worse, better, n }, d);
                    p_worse > 0.025 && p_fine > 0.025
                })
            });
            [holds.count() as u64]
        })[0];
        cells.push(Cell::new(Asked::Coverage, draws, truth, (hits, plan.comparisons), Bar::Between(0.94, 0.96)));
    }
    cells
}
