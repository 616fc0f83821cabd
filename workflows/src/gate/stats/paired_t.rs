//! The mean of per-example differences, with Student's t; cluster-robust where examples have groups.

use super::special::{t_upper, t_upper_quantile};

/// A mean with its standard error and the degrees of freedom of the latter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanEstimate {
    pub mean: f64,
    pub standard_error: f64,
    pub df: f64,
    /// Sample skewness, g₁; 0 where the differences do not vary.
    pub skewness: f64,
    pub n: usize,
}

/// Of independent differences. None for fewer than two, which have no standard error.
pub fn independent(differences: &[f64]) -> Option<MeanEstimate> {
    let count = differences.len();
    if count < 2 {
        return None;
    }
    let n = count as f64;
    let mean = differences.iter().sum::<f64>() / n;
    // Two passes: deviations from the mean do not cancel.
    let (mut second, mut third) = (0.0, 0.0);
    for difference in differences {
        let deviation = difference - mean;
        second += deviation * deviation;
        third += deviation * deviation * deviation;
    }
    let standard_error = (second / (n - 1.0) / n).sqrt();
    let skewness = if second > 0.0 { (third / n) / (second / n).powf(1.5) } else { 0.0 };
    Some(MeanEstimate { mean, standard_error, df: n - 1.0, skewness, n: count })
}

/// Of differences in groups (`groups[i]` < `group_count` is the group of difference i): the sandwich
/// variance of the mean over clusters with the small-sample factor G/(G−1), and G−1 degrees of
/// freedom. Miller (2024), "Adding error bars to evals", section 2.2, and Cameron & Miller (2015), "A
/// practitioner's guide to cluster-robust inference", section II. None for fewer than two groups.
pub fn clustered(differences: &[f64], groups: &[u32], group_count: usize) -> Option<MeanEstimate> {
    if group_count < 2 || differences.is_empty() {
        return None;
    }
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let mut sums = vec![0.0; group_count];
    for (difference, group) in differences.iter().zip(groups) {
        sums[*group as usize] += difference - mean;
    }
    let clusters = group_count as f64;
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let standard_error = (squares * clusters / (clusters - 1.0)).sqrt() / n;
    Some(MeanEstimate { mean, standard_error, df: clusters - 1.0, skewness: 0.0, n: differences.len() })
}

impl MeanEstimate {
    /// Bounds, each one-sided at `alpha`.
    pub fn interval(&self, alpha: f64) -> (f64, f64) {
        let reach =
            if self.standard_error > 0.0 { self.standard_error * t_upper_quantile(alpha, self.df) } else { 0.0 };
        (self.mean - reach, self.mean + reach)
    }

    /// P-values of (H₀: mean ≤ m, H₀: mean ≥ m). Without variance the mean is what it is.
    pub fn p_values(&self, margin: f64) -> (f64, f64) {
        let distance = self.mean - margin;
        if self.standard_error > 0.0 {
            let t = distance / self.standard_error;
            (t_upper(t, self.df), t_upper(-t, self.df))
        } else if distance > 0.0 {
            (0.0, 1.0)
        } else {
            (1.0, 0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gossets_sleep_data() {
        // Student (1908): extra sleep of ten patients under two drugs; the paired t is 4.0621 with 9 df.
        let differences = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4];
        let estimate = independent(&differences).unwrap();
        assert!((estimate.mean / estimate.standard_error - 4.062127683382037).abs() < 1e-12);
        assert!((2.0 * estimate.p_values(0.0).0 - 0.00283289019738427).abs() < 1e-12);
    }

    #[test]
    fn groups_of_one_are_no_groups() {
        let differences = [0.3, -0.2, 0.5, 0.1, 0.0, -0.4];
        let plain = independent(&differences).unwrap();
        let grouped = clustered(&differences, &[0, 1, 2, 3, 4, 5], 6).unwrap();
        assert!((plain.standard_error - grouped.standard_error).abs() < 1e-15);
        // Copies of the same example in a group add no information.
        let doubled: Vec<f64> = differences.iter().flat_map(|d| [*d, *d]).collect();
        let groups: Vec<u32> = (0..6).flat_map(|g| [g, g]).collect();
        let copies = clustered(&doubled, &groups, 6).unwrap();
        assert!((copies.standard_error - grouped.standard_error).abs() < 1e-15);
    }

    #[test]
    fn no_variance_is_no_division_by_zero() {
        let constant = independent(&[0.5; 10]).unwrap();
        assert_eq!(constant.interval(0.05), (0.5, 0.5));
        assert_eq!(constant.p_values(0.2), (0.0, 1.0));
        assert_eq!(constant.p_values(0.5), (1.0, 0.0));
        assert!(independent(&[1.0]).is_none() && independent(&[]).is_none());
    }
}
