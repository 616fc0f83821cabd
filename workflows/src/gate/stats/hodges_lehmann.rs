//! The shift between head and base over interleaved blocks of a benchmark.
//!
//! One value for each block and side; block i of head ran beside block i of base, so that drift hits
//! both and drops out of the difference. The estimate is the median of the Walsh averages of the
//! differences, its bounds are those of Wilcoxon's signed-rank test: Hodges & Lehmann (1963), "Estimates
//! of location based on rank tests"; Hollander, Wolfe & Chicken (2014), "Nonparametric statistical
//! methods", sections 3.1–3.3. Needs no normal distribution; outliers hardly move it.

/// The Walsh averages of block differences, ascending, with Wilcoxon's null distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    walsh: Vec<f64>,
    /// `tail[k]` is P(W⁺ ≥ k) under symmetry about zero.
    tail: Vec<f64>,
    blocks: usize,
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
        Some(Self { walsh, tail: signed_rank_tail(blocks), blocks })
    }

    pub fn blocks(&self) -> usize {
        self.blocks
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
        let rejecting = self.tail.partition_point(|tail| *tail > alpha);
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
        (self.tail[above], self.tail[below])
    }
}

/// P(W⁺ ≥ k) for k = 0 … n(n+1)/2, by counting subsets of the ranks 1 … n. Shares stay exact to rounding;
/// beyond 1,000 blocks callers thin them out.
fn signed_rank_tail(n: usize) -> Vec<f64> {
    let most = n * (n + 1) / 2;
    let mut probability = vec![0.0; most + 1];
    probability[0] = 1.0;
    for rank in 1..=n {
        let reached = rank * (rank + 1) / 2;
        for k in (0..=reached).rev() {
            let with = if k >= rank { probability[k - rank] } else { 0.0 };
            probability[k] = 0.5 * (probability[k] + with);
        }
    }
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
