//! The paired bootstrap: examples are drawn again, each with what both models said of it.
//!
//! Examples that look the same to both models are one *cell* (for a classifier: target, base's answer,
//! head's answer). A statistic is a function of how often each cell was drawn, so a resample costs its
//! draws and one evaluation over the cells, not over the examples. This is exactly the bootstrap over
//! examples. Efron & Tibshirani (1993), "An introduction to the bootstrap", chapters 13–14.

mod draw;

use self::draw::Urn;
use super::{
    random::Random,
    special::{normal_cdf, normal_quantile},
};

/// Cells drawn together: a class of the target, so that every resample has as many of each class.
#[derive(Debug, Clone, Default)]
pub struct Stratum {
    /// One entry an example: its cell. Or, with groups, one entry a group: see [`Plan::clusters`].
    pub cells: Vec<u32>,
}

/// What is drawn.
#[derive(Debug, Clone)]
pub struct Plan {
    pub cell_count: usize,
    pub strata: Vec<Stratum>,
    /// Where examples have groups: the cells of each group's examples; `strata` then hold indices of
    /// groups, and a drawn group brings all of its examples.
    pub clusters: Option<Vec<Vec<u32>>>,
    pub resamples: usize,
    pub threads: usize,
    pub seed: u64,
}

/// The distribution of a statistic over resamples, with what BCa needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// On the data themselves.
    pub estimate: f64,
    /// Ascending.
    pub resampled: Vec<f64>,
    /// z₀, the median bias.
    pub bias: f64,
    /// a, the acceleration.
    pub acceleration: f64,
}

/// How often each cell occurs in the data.
pub fn observed(plan: &Plan) -> Vec<u32> {
    let mut counts = vec![0; plan.cell_count];
    for unit in plan.strata.iter().flat_map(|stratum| &stratum.cells) {
        add_unit(plan, &mut counts, *unit);
    }
    counts
}

fn add_unit(plan: &Plan, counts: &mut [u32], unit: u32) {
    match &plan.clusters {
        None => counts[unit as usize] += 1,
        Some(clusters) => clusters[unit as usize].iter().for_each(|cell| counts[*cell as usize] += 1),
    }
}

/// Draws `plan.resamples` resamples; the result does not depend on the number of threads.
pub fn run(plan: &Plan, statistic: impl Fn(&[u32]) -> f64 + Sync) -> Distribution {
    let counts = observed(plan);
    let estimate = statistic(&counts);
    let acceleration = acceleration(plan, &counts, &statistic);
    // A fixed number of streams, whatever the number of threads, keeps the draws the same everywhere.
    const STREAMS: usize = 16;
    let upto = |streams: usize| plan.resamples * streams / STREAMS;
    let sizes: Vec<usize> = (0..STREAMS).map(|s| upto(s + 1) - upto(s)).collect();
    let threads = plan.threads.clamp(1, STREAMS);
    let statistic = &statistic;
    let sizes = &sizes;
    let urns: Vec<Urn<'_>> = plan.strata.iter().map(|stratum| Urn::new(plan, stratum)).collect();
    let urns = &urns;
    let mut resampled: Vec<f64> = std::thread::scope(|scope| {
        let work = |thread: usize| {
            let streams = (thread..STREAMS).step_by(threads);
            streams.flat_map(|s| stream(plan, urns, s as u64, sizes[s], statistic)).collect::<Vec<f64>>()
        };
        let handles: Vec<_> = (1..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        let mut all = work(0);
        for handle in handles {
            // A panic in a statistic is a bug; it goes on in this thread.
            all.extend(handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    });
    resampled.sort_by(f64::total_cmp);
    let below = resampled.iter().filter(|value| **value < estimate).count() as f64;
    let ties = resampled.iter().filter(|value| **value == estimate).count() as f64;
    let bias = normal_quantile(share(below + 0.5 * ties, resampled.len()));
    Distribution { estimate, resampled, bias, acceleration }
}

/// A share kept off 0 and 1, which have no normal quantile.
fn share(count: f64, of: usize) -> f64 {
    (count / of as f64).clamp(0.5 / of as f64, 1.0 - 0.5 / of as f64)
}

fn stream(
    plan: &Plan,
    urns: &[Urn<'_>],
    number: u64,
    resamples: usize,
    statistic: &(impl Fn(&[u32]) -> f64 + Sync),
) -> Vec<f64> {
    let mut random = Random::new(plan.seed ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03));
    let mut counts = vec![0u32; plan.cell_count];
    (0..resamples)
        .map(|_| {
            counts.fill(0);
            urns.iter().for_each(|urn| urn.draw(plan, &mut random, &mut counts));
            statistic(&counts)
        })
        .collect()
}

/// a of BCa: a sixth of the skewness of the jackknife's influences (Efron & Tibshirani, 14.15). Units
/// of one cell leave the same data behind, so each cell is left out once and weighted.
fn acceleration(plan: &Plan, counts: &[u32], statistic: &impl Fn(&[u32]) -> f64) -> f64 {
    // Leaving out each of very many cells is quadratic, and a tends to zero with their number.
    if counts.len() > 5_000 {
        return 0.0;
    }
    let mut scratch = counts.to_vec();
    let left_out: Vec<(f64, f64)> = match &plan.clusters {
        None => (0..counts.len())
            .filter(|cell| counts[*cell] > 0)
            .map(|cell| {
                scratch[cell] -= 1;
                let value = statistic(&scratch);
                scratch[cell] += 1;
                (value, f64::from(counts[cell]))
            })
            .collect(),
        Some(clusters) => clusters
            .iter()
            .map(|cells| {
                cells.iter().for_each(|cell| scratch[*cell as usize] -= 1);
                let value = statistic(&scratch);
                cells.iter().for_each(|cell| scratch[*cell as usize] += 1);
                (value, 1.0)
            })
            .collect(),
    };
    let weight: f64 = left_out.iter().map(|(_, w)| w).sum();
    let mean = left_out.iter().map(|(value, w)| value * w).sum::<f64>() / weight;
    let moment = |power: i32| left_out.iter().map(|(value, w)| w * (mean - value).powi(power)).sum::<f64>();
    let second = moment(2);
    if second > 0.0 { moment(3) / (6.0 * second.powf(1.5)) } else { 0.0 }
}

impl Distribution {
    /// Standard error: the standard deviation of the resampled values.
    pub fn standard_error(&self) -> f64 {
        let n = self.resampled.len() as f64;
        let mean = self.resampled.iter().sum::<f64>() / n;
        (self.resampled.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0)).sqrt()
    }

    /// BCa bounds, each one-sided at `alpha`.
    pub fn interval(&self, alpha: f64) -> (f64, f64) {
        (self.quantile(self.adjusted(alpha)), self.quantile(self.adjusted(1.0 - alpha)))
    }

    /// Plain percentile bounds, each one-sided at `alpha`: what BCa corrects.
    pub fn percentile_interval(&self, alpha: f64) -> (f64, f64) {
        (self.quantile(alpha), self.quantile(1.0 - alpha))
    }

    /// The level whose plain percentile is the BCa bound (Efron & Tibshirani, 14.10).
    fn adjusted(&self, level: f64) -> f64 {
        let shifted = self.bias + normal_quantile(level);
        normal_cdf(self.bias + shifted / (1.0 - self.acceleration * shifted))
    }

    /// Linear interpolation between order statistics, as numpy's default.
    fn quantile(&self, level: f64) -> f64 {
        let last = self.resampled.len() - 1;
        let position = level.clamp(0.0, 1.0) * last as f64;
        let below = position.floor() as usize;
        let above = (below + 1).min(last);
        let (low, high) = (self.resampled[below], self.resampled[above]);
        low + (high - low) * (position - below as f64)
    }

    /// P-values of (H₀: d ≤ m, H₀: d ≥ m): the levels at which the BCa bounds meet the margin.
    pub fn p_values(&self, margin: f64) -> (f64, f64) {
        let below = self.resampled.partition_point(|value| *value < margin);
        let not_above = self.resampled.partition_point(|value| *value <= margin);
        let mass = share(0.5 * (below + not_above) as f64, self.resampled.len());
        let shifted = normal_quantile(mass) - self.bias;
        let z = shifted / (1.0 + self.acceleration * shifted) - self.bias;
        let worse = normal_cdf(z);
        (worse, 1.0 - worse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(examples: &[u32], threads: usize) -> Plan {
        Plan {
            cell_count: 3,
            strata: vec![Stratum { cells: examples.to_vec() }],
            clusters: None,
            resamples: 4000,
            threads,
            seed: 1,
        }
    }

    /// Mean of a difference that is −1, 0 or 1 by the cell.
    fn mean(counts: &[u32]) -> f64 {
        (f64::from(counts[2]) - f64::from(counts[0])) / f64::from(counts.iter().sum::<u32>())
    }

    fn examples() -> Vec<u32> {
        (0..400)
            .map(|i| {
                if i % 10 == 0 {
                    0
                } else if i % 8 == 1 {
                    2
                } else {
                    1
                }
            })
            .collect()
    }

    #[test]
    fn of_a_mean_it_agrees_with_the_t_interval() {
        let distribution = run(&plan(&examples(), 1), mean);
        let differences: Vec<f64> = examples().iter().map(|cell| f64::from(*cell) - 1.0).collect();
        let t = super::super::paired_t::independent(&differences).unwrap();
        let ((bl, bu), (tl, tu)) = (distribution.interval(0.05), t.interval(0.05));
        assert!((distribution.estimate - t.mean).abs() < 1e-12);
        assert!((bl - tl).abs() < 0.004 && (bu - tu).abs() < 0.004, "{bl} {bu} {tl} {tu}");
        assert!((distribution.standard_error() - t.standard_error).abs() < 0.002);
    }

    #[test]
    fn threads_do_not_change_the_draws() {
        assert_eq!(run(&plan(&examples(), 1), mean), run(&plan(&examples(), 3), mean));
    }

    #[test]
    fn p_values_and_bounds_agree() {
        let distribution = run(&plan(&examples(), 2), mean);
        for alpha in [0.01, 0.05, 0.2] {
            let (lower, upper) = distribution.interval(alpha);
            assert!((distribution.p_values(lower).0 - alpha).abs() < 0.02);
            assert!((distribution.p_values(upper).1 - alpha).abs() < 0.02);
        }
    }

    #[test]
    fn a_cell_that_most_examples_are_of_is_drawn_as_often_as_it_occurs() {
        // 82 % are of cell 1: how often it is drawn, and how much that varies, are the binomial's.
        let share = |counts: &[u32]| f64::from(counts[1]) / f64::from(counts.iter().sum::<u32>());
        let distribution = run(&Plan { resamples: 20_000, ..plan(&examples(), 2) }, share);
        let (n, p) = (400.0, distribution.estimate);
        assert!((0.7..0.9).contains(&p), "{p}");
        let mean = distribution.resampled.iter().sum::<f64>() / 20_000.0;
        assert!((mean - p).abs() < 0.0006, "{mean} {p}");
        assert!((distribution.standard_error() / (p * (1.0 - p) / n).sqrt() - 1.0).abs() < 0.03);
        // What else is drawn keeps its proportions.
        let others = run(&plan(&examples(), 2), |counts| f64::from(counts[0]) / f64::from(counts[0] + counts[2]));
        let mean = others.resampled.iter().sum::<f64>() / 4_000.0;
        assert!((mean - others.estimate).abs() < 0.005, "{mean} {}", others.estimate);
    }

    #[test]
    fn groups_are_drawn_whole() {
        // Ten groups of forty equal examples: as uncertain as ten examples, not four hundred.
        let clusters: Vec<Vec<u32>> = (0..10).map(|g| vec![if g % 2 == 0 { 2 } else { 0 }; 40]).collect();
        let grouped =
            Plan { strata: vec![Stratum { cells: (0..10).collect() }], clusters: Some(clusters), ..plan(&[], 1) };
        let error = run(&grouped, mean).standard_error();
        assert!((error - 1.0 / 10f64.sqrt()).abs() < 0.02, "{error}");
    }
}
