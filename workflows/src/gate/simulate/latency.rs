//! Interleaved benchmarks on a machine that drifts and stutters.

use super::{
    Asked, Bar, Cell, Plan, in_parallel,
    rivals::{ALERT, BENCHER, Bencher, FIXED, HISTORY},
};
use crate::gate::{
    Answer,
    comparison::Comparison,
    stats::{hodges_lehmann::Shift, random::Random},
};

/// Interleaved blocks of a comparison.
const BLOCKS: usize = 30;

/// A machine: the logarithm of a latency is drift + noise, now and then with an outlier.
pub(super) struct Machine {
    pub(super) random: Random,
    drift: f64,
}

impl Machine {
    /// AR(1): how much of the drift stays from one measurement to the next, and its innovations.
    const STAYS: f64 = 0.9;
    const INNOVATION: f64 = 0.02;
    /// Lognormal noise of a measurement.
    const NOISE: f64 = 0.05;
    const OUTLIERS: f64 = 0.01;

    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), drift: 0.0 }
    }

    /// The logarithm of one latency.
    fn measure(&mut self) -> f64 {
        self.state() + Self::NOISE * self.random.normal()
    }

    /// Logarithms of several latencies of one time, whose noise they have half in common.
    pub(super) fn measure_all(&mut self, logs: &mut [f64]) {
        let part = Self::NOISE * 0.5_f64.sqrt();
        let common = self.state() + part * self.random.normal();
        logs.iter_mut().for_each(|log| *log = common + part * self.random.normal());
    }

    /// The drift at the next time of measuring, now and then with an outlier.
    fn state(&mut self) -> f64 {
        self.drift = Self::STAYS * self.drift + Self::INNOVATION * self.random.normal();
        match self.random.uniform() < Self::OUTLIERS {
            // Between twice and five times as long.
            true => self.drift + (2.0 + 3.0 * self.random.uniform()).ln(),
            false => self.drift,
        }
    }

    /// Another time, another state: the drift's own distribution.
    pub(super) fn later(&mut self) {
        self.drift = self.random.normal() * Self::INNOVATION / (1.0 - Self::STAYS * Self::STAYS).sqrt();
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Study {
    number: u64,
    /// The head takes this much longer, as a share of the base; and how much is allowed.
    shift: f64,
    margin: f64,
}

pub(super) fn studies() -> Vec<Study> {
    let cases = [(0.0, 0.0), (0.0, 0.05), (0.05, 0.05), (0.1, 0.0), (0.1, 0.05), (0.1, 0.1)];
    cases
        .into_iter()
        .enumerate()
        .map(|(i, (shift, margin))| Study { number: 3_000 + i as u64, shift, margin })
        .collect()
}

pub(super) fn describe() -> String {
    format!("latency, {BLOCKS} interleaved blocks, AR(1) drift, lognormal noise, 1 % outliers")
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    0.5 * (values[(values.len() - 1) / 2] + values[values.len() / 2])
}

impl Study {
    /// Counts: fails, passes, intervals that hold the truth, and the alarms of the three others.
    fn stream(&self, plan: &Plan, seed: u64, comparisons: u64) -> [u64; 6] {
        let mut machine = Machine::new(seed);
        let bencher = Bencher::new();
        let mut counts = [0; 6];
        let (shift, margin) = (self.shift.ln_1p(), self.margin.ln_1p());
        for _ in 0..comparisons {
            machine.later();
            let history: [f64; HISTORY] = std::array::from_fn(|_| {
                machine.later();
                let mut run: [f64; BLOCKS] = std::array::from_fn(|_| machine.measure().exp());
                median(&mut run)
            });
            machine.later();
            let (mut head, mut base) = ([0.0; BLOCKS], [0.0; BLOCKS]);
            let mut differences = [0.0; BLOCKS];
            for block in 0..BLOCKS {
                // Who goes first is drawn anew for every block.
                let head_first = machine.random.uniform() < 0.5;
                let (first, second) = (machine.measure().exp(), machine.measure().exp());
                let (of_head, of_base) = if head_first { (first, second) } else { (second, first) };
                head[block] = of_head * shift.exp();
                base[block] = of_base;
                differences[block] = (head[block] / base[block]).ln();
            }
            let Some(found) = Shift::new(&differences) else { continue };
            let (p_worse, p_fine) = found.p_values(margin);
            let answer = Comparison::decide(p_worse, p_fine, plan.alpha);
            let (low, high) = found.interval(0.025);
            let (head, base) = (median(&mut head), median(&mut base));
            counts[0] += u64::from(answer == Answer::Fail);
            counts[1] += u64::from(answer == Answer::Pass);
            counts[2] += u64::from(low <= shift && shift <= high);
            counts[3] += u64::from(head > base * (1.0 + FIXED.1));
            counts[4] += u64::from(head > base * (1.0 + ALERT.1));
            counts[5] += u64::from(bencher.alarms(&history, head));
        }
        counts
    }

    pub(super) fn truth(&self) -> String {
        format!("{} % slower, {} % allowed", self.shift * 100.0, self.margin * 100.0)
    }

    pub(super) fn run(&self, plan: &Plan) -> Vec<Cell> {
        let counts = in_parallel(plan, self.number, |seed, share| self.stream(plan, seed, share));
        let [fails, passes, holds, fixed, alert, bencher] = counts;
        let of = plan.comparisons;
        let (draws, truth) = (describe(), self.truth());
        let (asked, bar) = match self.shift > self.margin {
            true => (Asked::Power, Bar::AtLeast(0.8)),
            false => (Asked::FalseAlarm, Bar::AtMost(plan.alpha)),
        };
        let mut judged = Cell::new(asked, draws.clone(), truth.clone(), (fails, of), bar);
        let rate = |hits: u64| hits as f64 / of as f64;
        judged.others = vec![
            (FIXED.0.to_owned(), rate(fixed)),
            (BENCHER.to_owned(), rate(bencher)),
            (ALERT.0.to_owned(), rate(alert)),
        ];
        let mut cells = vec![judged];
        if self.shift == self.margin {
            cells.push(Cell::new(
                Asked::FalsePass,
                draws.clone(),
                truth.clone(),
                (passes, of),
                Bar::AtMost(plan.alpha),
            ));
        }
        cells.push(Cell::new(Asked::Coverage, draws, truth, (holds, of), Bar::Between(0.94, 0.96)));
        cells
    }
}
