//! Draws from a binomial distribution, by inversion of a table.

/// Hits of n trials with probability p.
#[derive(Debug, Clone)]
pub struct Binomial {
    cdf: Vec<f64>,
}

impl Binomial {
    /// 0 < p < 1. Takes time and memory that grow with n.
    pub fn new(n: u64, p: f64) -> Self {
        let ln_factorial = |k: u64| libm::lgamma(k as f64 + 1.0);
        let mut sum = 0.0;
        let cdf = (0..=n)
            .map(|k| {
                let ways = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
                let (hits, misses) = (k as f64, (n - k) as f64);
                let of_hits = if k == 0 { 0.0 } else { hits * p.ln() };
                let of_misses = if k == n { 0.0 } else { misses * (-p).ln_1p() };
                sum += (ways + of_hits + of_misses).exp();
                sum
            })
            .collect();
        Self { cdf }
    }

    /// The number of hits that a uniform draw from [0, 1) stands for.
    pub fn at(&self, uniform: f64) -> u64 {
        self.cdf.partition_point(|cdf| *cdf < uniform).min(self.cdf.len() - 1) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_of_hits_has_its_probability() {
        let two = Binomial::new(2, 0.25);
        let share = |hits: u64| (0..1_000).filter(|i| two.at((f64::from(*i) + 0.5) / 1_000.0) == hits).count();
        assert!([(0, 562), (1, 375), (2, 62)].into_iter().all(|(hits, of)| share(hits).abs_diff(of) <= 1));
        // At the very end rounding must not lead out of the table.
        assert_eq!(Binomial::new(1_000, 0.999).at(1.0 - 1e-16), 1_000);
    }
}
