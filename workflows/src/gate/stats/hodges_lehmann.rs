//! The shift between head and base over interleaved blocks of a benchmark.
//!
//! One value for each block and side; block i of head ran beside block i of base, so that drift hits
//! both and drops out of the difference. The estimate is the median of the Walsh averages of the
//! differences, its bounds are those of Wilcoxon's signed-rank test: Hodges & Lehmann (1963), "Estimates
//! of location based on rank tests"; Hollander, Wolfe & Chicken (2014), "Nonparametric statistical
//! methods", sections 3.1–3.3. Needs no normal distribution; outliers hardly move it.

/// Wilcoxon's null distribution for so many blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedRanks {
    /// `tail[k]` is P(W⁺ ≥ k) under symmetry about zero.
    tail: Vec<f64>,
    blocks: usize,
}

impl SignedRanks {
    /// Takes time and space that grow with the cube and the square of the blocks.
    pub fn new(blocks: usize) -> Self {
        Self { tail: signed_rank_tail(blocks), blocks }
    }

    /// As [`Shift::p_values`] of as many differences, without their Walsh averages; sorts them.
    pub fn p_values(&self, differences: &mut [f64], margin: f64) -> (f64, f64) {
        assert_eq!(differences.len(), self.blocks, "the distribution is of another number of blocks");
        differences.sort_by(f64::total_cmp);
        // Pairs i ≤ j whose average lies beyond the margin: the larger i, the fewer of the small j fall short.
        let (mut above, mut below) = (0, 0);
        let (mut first_above, mut first_not_below) = (self.blocks, self.blocks);
        let average = |i: usize, j: usize| 0.5 * (differences[i] + differences[j]);
        for i in 0..self.blocks {
            while first_above > 0 && average(i, first_above - 1) > margin {
                first_above -= 1;
            }
            while first_not_below > 0 && average(i, first_not_below - 1) >= margin {
                first_not_below -= 1;
            }
            above += self.blocks - first_above.max(i);
            below += first_not_below.saturating_sub(i);
        }
        (self.tail[above], self.tail[below])
    }
}

/// The Walsh averages of block differences, ascending, with Wilcoxon's null distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    walsh: Vec<f64>,
    ranks: SignedRanks,
}

impl Shift {
    /// Of at least one difference.
    pub fn new(differences: &[f64]) -> Option<Self> {
        let blocks = differences.len();
        if blocks == 0 {
            return None;
        }
        let mut walsh: Vec<f64> =
            (0..blocks).flat_map(|i| (i..blocks).map(move |j| 0.5 * (differences[i] + differences[j]))).collect();
        walsh.sort_by(f64::total_cmp);
        Some(Self { walsh, ranks: SignedRanks::new(blocks) })
    }

    pub fn blocks(&self) -> usize {
        self.ranks.blocks
    }

    /// Hodges and Lehmann's estimate.
    pub fn estimate(&self) -> f64 {
        let count = self.walsh.len();
        0.5 * (self.walsh[(count - 1) / 2] + self.walsh[count / 2])
    }

    /// Bounds, each one-sided at `alpha`; infinite where so few blocks can bound nothing.
    pub fn interval(&self, alpha: f64) -> (f64, f64) {
        // The largest k with P(W⁺ ≥ M − k + 1) ≤ alpha leaves k Walsh averages out on either side.
        let count = self.walsh.len();
        let rejecting = self.ranks.tail.partition_point(|tail| *tail > alpha);
        let left_out = (count + 1).saturating_sub(rejecting);
        if left_out == 0 {
            return (f64::NEG_INFINITY, f64::INFINITY);
        }
        (self.walsh[left_out - 1], self.walsh[count - left_out])
    }

    /// P-values of (H₀: shift ≤ m, H₀: shift ≥ m), exact. W⁺ is the number of Walsh averages above the
    /// margin; one that is equal to it counts against the claim in question.
    pub fn p_values(&self, margin: f64) -> (f64, f64) {
        let above = self.walsh.len() - self.walsh.partition_point(|average| *average <= margin);
        let below = self.walsh.partition_point(|average| *average < margin);
        (self.ranks.tail[above], self.ranks.tail[below])
    }
}

/// P(W⁺ ≥ k) for k = 0 … n(n+1)/2, by counting subsets of the ranks 1 … n. Shares stay exact to rounding;
/// beyond 1,000 blocks, where callers thin them out, there are more subsets than a number holds.
fn signed_rank_tail(n: usize) -> Vec<f64> {
    let most = n * (n + 1) / 2;
    let mut probability = vec![0.0; most + 1];
    probability[0] = 1.0;
    let mut without = probability.clone();
    for rank in 1..=n {
        let reached = rank * (rank - 1) / 2;
        without[..=reached].copy_from_slice(&probability[..=reached]);
        let with = &mut probability[rank..=rank + reached];
        with.iter_mut().zip(&without[..=reached]).for_each(|(ways, without)| *ways += without);
    }
    let subsets = 0.5_f64.powi(n as i32);
    probability.iter_mut().for_each(|ways| *ways *= subsets);
    let mut sum = 0.0;
    for k in (0..=most).rev() {
        sum += probability[k];
        probability[k] = f64::min(sum, 1.0);
    }
    probability
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_distribution_by_hand() {
        // Three ranks: W⁺ of 0 … 6 in 1, 1, 1, 2, 1, 1, 1 of eight ways.
        let expected = [8.0, 7.0, 6.0, 5.0, 3.0, 2.0, 1.0].map(|ways| ways / 8.0);
        assert_eq!(signed_rank_tail(3), expected);
    }

    #[test]
    fn bounds_meet_the_test() {
        let differences: Vec<f64> = (0..20).map(|i| f64::from(i * i % 17) - 6.3).collect();
        let shift = Shift::new(&differences).unwrap();
        let (lower, upper) = shift.interval(0.05);
        assert!(lower < shift.estimate() && shift.estimate() < upper);
        assert!(shift.p_values(lower - 1e-9).0 <= 0.05 && shift.p_values(lower + 1e-9).0 > 0.05);
        assert!(shift.p_values(upper + 1e-9).1 <= 0.05 && shift.p_values(upper - 1e-9).1 > 0.05);
    }

    #[test]
    fn p_values_need_no_walsh_averages() {
        // Whole numbers, so that ties and averages at the margin occur.
        let mut random = crate::gate::stats::random::Random::new(3);
        for blocks in [1, 2, 7, 24, 61] {
            for margin in [-2.0, 0.0, 0.5, 3.0] {
                let mut differences: Vec<f64> = (0..blocks).map(|_| (4.0 * random.normal()).round()).collect();
                let expected = Shift::new(&differences).unwrap().p_values(margin);
                let found = SignedRanks::new(blocks).p_values(&mut differences, margin);
                assert_eq!(found, expected, "{differences:?} {margin}");
            }
        }
    }

    #[test]
    fn few_blocks_bound_nothing() {
        // Four blocks cannot reach 5 %: the smallest p is 1/16.
        let shift = Shift::new(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(shift.interval(0.05), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!(shift.p_values(0.0), (1.0 / 16.0, 1.0));
        assert!(Shift::new(&[]).is_none());
    }

    #[test]
    fn one_wild_block_does_not_carry_it_away() {
        let mut differences = vec![0.1; 29];
        differences.push(1e9);
        assert!((Shift::new(&differences).unwrap().estimate() - 0.1).abs() < 1e-12);
    }
}
