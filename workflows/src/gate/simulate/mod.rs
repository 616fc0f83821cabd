//! The gate's own error rates, measured: draws from known truths, judged as [`judge`](super::judge()) judges.
//!
//! Every [`Cell`] is one question asked of many simulated comparisons: how often does the gate raise a
//! false alarm, pass what is worse, find what is there, or miss the truth with its interval? Rates come
//! with their own 95 % interval (Wilson), so that a reader can tell luck from fault. Beside them stands
//! what three rules in common use do with the same draws.
//!
//! Deterministic: a cell's draws follow from its place and the seed alone.

mod accuracy;
mod draw;
mod latency;
mod repetition;
mod rivals;

use serde::Serialize;

use super::stats::special::normal_quantile;

/// What to simulate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Comparisons a cell. The bars are stated for 20,000 and more.
    pub comparisons: u64,
    pub seed: u64,
    pub threads: usize,
    /// The bound that the gate declares.
    pub alpha: f64,
}

/// What is asked of a cell's draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Any rule of the family fails although none is worse than allowed. At most alpha.
    FalseAlarm,
    /// A rule passes although it is (just) worse than allowed. At most alpha.
    FalsePass,
    /// A change that is worse than allowed fails. At least 0.8 where the bar is stated.
    Power,
    /// The 95 % interval holds the truth.
    Coverage,
}

/// One measured rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    pub asked: Asked,
    /// The draws, in words: `accuracy, n 1,000, discordance 5 %, 10 rules, correlated`.
    pub draws: String,
    /// The true change for the worse and the allowed one, in words.
    pub truth: String,
    pub comparisons: u64,
    pub hits: u64,
    pub rate: f64,
    /// Wilson's 95 % interval of the rate.
    pub interval: (f64, f64),
    /// The bar, in words: `≤ 0.05`.
    pub bar: String,
    /// Whether the bar is met within the rate's interval; none where there is no bar.
    pub met: Option<bool>,
    /// What other rules do with the same draws: name → rate of alarms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<(String, f64)>,
}

/// What a cell should reach.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bar {
    AtMost(f64),
    AtLeast(f64),
    Between(f64, f64),
    None,
}

impl Cell {
    fn new(asked: Asked, draws: String, truth: String, (hits, comparisons): (u64, u64), bar: Bar) -> Self {
        let rate = hits as f64 / comparisons as f64;
        let interval = wilson(hits, comparisons);
        let (text, met) = match bar {
            Bar::AtMost(most) => (format!("≤ {most}"), Some(interval.0 <= most)),
            Bar::AtLeast(least) => (format!("≥ {least}"), Some(interval.1 >= least)),
            Bar::Between(low, high) => (format!("{low} … {high}"), Some(interval.1 >= low && interval.0 <= high)),
            Bar::None => (String::new(), None),
        };
        Self { asked, draws, truth, comparisons, hits, rate, interval, bar: text, met, others: Vec::new() }
    }
}

/// Wilson (1927), "Probable inference": a 95 % interval of a share.
fn wilson(hits: u64, of: u64) -> (f64, f64) {
    let z = normal_quantile(0.975);
    let (n, p) = (of as f64, hits as f64 / of as f64);
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let reach = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((centre - reach).max(0.0), (centre + reach).min(1.0))
}

/// Runs every cell whose draws and truth, in words, are `wanted`; `told` hears of each as soon as it is known.
pub fn run(plan: &Plan, wanted: impl Fn(&str, &str) -> bool, mut told: impl FnMut(&Cell)) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut keep = |more: Vec<Cell>| {
        more.iter().for_each(&mut told);
        cells.extend(more);
    };
    let known = accuracy::Known::default();
    for study in accuracy::studies().into_iter().filter(|study| wanted(&study.describe(), &study.truth())) {
        keep(study.run(plan, &known));
    }
    keep(accuracy::power(plan, &wanted));
    keep(accuracy::coverage(plan, &wanted));
    for study in latency::studies().into_iter().filter(|study| wanted(&latency::describe(), &study.truth())) {
        keep(study.run(plan));
    }
    let known = repetition::Known::default();
    for study in repetition::studies().into_iter().filter(|study| wanted(&study.describe(), &study.truth())) {
        keep(study.run(plan, &known));
    }
    cells
}

/// Splits `comparisons` over threads: `work(stream, comparisons of it)` → counts, which are added up.
fn in_parallel<const N: usize>(plan: &Plan, salt: u64, work: impl Fn(u64, u64) -> [u64; N] + Sync) -> [u64; N] {
    const STREAMS: u64 = 8;
    let share = |stream: u64| plan.comparisons * (stream + 1) / STREAMS - plan.comparisons * stream / STREAMS;
    let seed = |stream: u64| plan.seed ^ (salt * STREAMS + stream).wrapping_mul(0x9e6c_63d0_876a_1f2b);
    let threads = (plan.threads.max(1) as u64).min(STREAMS);
    let work = &work;
    let sum = |counts: &mut [u64; N], more: [u64; N]| counts.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    std::thread::scope(|scope| {
        let of_thread = move |thread: u64| {
            let mut counts = [0; N];
            (thread..STREAMS)
                .step_by(threads as usize)
                .for_each(|stream| sum(&mut counts, work(seed(stream), share(stream))));
            counts
        };
        let handles: Vec<_> = (1..threads).map(|thread| scope.spawn(move || of_thread(thread))).collect();
        let mut counts = of_thread(0);
        for handle in handles {
            // A panic in a simulation is a bug; it goes on in this thread.
            sum(&mut counts, handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        counts
    })
}

/// The cells as Markdown, one table a question.
pub fn table(cells: &[Cell]) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    let questions = [
        (Asked::FalseAlarm, "False alarms (any rule of the family fails although nothing is worse than allowed)"),
        (Asked::FalsePass, "False passes (a rule passes although it is as bad as allowed)"),
        (Asked::Power, "Power (what is worse than allowed fails)"),
        (Asked::Coverage, "Coverage (the 95 % interval holds the truth)"),
    ];
    for (asked, title) in questions {
        let _ = writeln!(
            out,
            "## {title}\n\n| draws | truth | rate | 95 % interval | bar | met | others on the same draws |"
        );
        out.push_str("|---|---|---|---|---|---|---|\n");
        for cell in cells.iter().filter(|cell| cell.asked == asked) {
            let met = cell.met.map_or("", |met| if met { "yes" } else { "NO" });
            let others: Vec<String> =
                cell.others.iter().map(|(name, rate)| format!("{name} {:.1} %", rate * 100.0)).collect();
            let Cell { draws, truth, rate, interval: (low, high), bar, .. } = cell;
            let others = others.join("; ");
            let _ =
                writeln!(out, "| {draws} | {truth} | {rate:.4} | {low:.4} … {high:.4} | {bar} | {met} | {others} |");
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shorter run of the same study; the full one is `assay gate simulate`.
    #[test]
    fn the_declared_error_rates_hold() {
        let plan = Plan { comparisons: 120, seed: 20_261_124, threads: 2, alpha: 0.05 };
        let cells = run(&plan, |_, _| true, |_| {});
        assert!(cells.len() > 100);
        let missed: Vec<&Cell> = cells.iter().filter(|cell| cell.met == Some(false)).collect();
        // A 95 % interval misses by luck too, on one side in 2.5 % of the cells.
        assert!(missed.len() * 20 <= cells.len(), "{missed:#?}");
        assert!(missed.iter().all(|cell| cell.asked != Asked::FalseAlarm || cell.rate < 0.1), "{missed:#?}");
    }

    #[test]
    fn threads_do_not_change_the_rates() {
        let cells = |threads| {
            let plan = Plan { comparisons: 500, seed: 1, threads, alpha: 0.05 };
            run(&plan, |_, truth| truth == "drop 2 pp, 0 pp allowed", |_| {})
        };
        assert_eq!(cells(1).len(), 3);
        assert_eq!(cells(1), cells(3));
    }

    #[test]
    fn wilsons_interval_by_hand() {
        let (low, high) = wilson(0, 100);
        assert!(low == 0.0 && (high - 0.0370).abs() < 1e-4, "{high}");
    }
}
