//! Corrections over a family of claims: p-values in, adjusted p-values out, in the same order.

/// Holm (1979), "A simple sequentially rejective multiple test procedure": the probability of any
/// false claim stays at alpha, under every dependence.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let family = p_values.len();
    let mut adjusted = vec![0.0; family];
    let mut highest: f64 = 0.0;
    for (rank, index) in ascending(p_values).into_iter().enumerate() {
        highest = highest.max((family - rank) as f64 * p_values[index]).min(1.0);
        adjusted[index] = highest;
    }
    adjusted
}

/// Benjamini & Hochberg (1995), "Controlling the false discovery rate".
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let family = p_values.len();
    let mut adjusted = vec![0.0; family];
    let mut lowest: f64 = 1.0;
    for (rank, index) in ascending(p_values).into_iter().enumerate().rev() {
        lowest = lowest.min(family as f64 / (rank + 1) as f64 * p_values[index]);
        adjusted[index] = lowest;
    }
    adjusted
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn textbook_families() {
        let close = |got: Vec<f64>, expected: &[f64]| {
            assert!(got.iter().zip(expected).all(|(g, e)| (g - e).abs() < 1e-12), "{got:?}");
        };
        close(holm(&[0.01, 0.04, 0.03, 0.005]), &[0.03, 0.06, 0.06, 0.02]);
        close(benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005]), &[0.02, 0.04, 0.04, 0.02]);
        assert!(holm(&[]).is_empty());
        close(holm(&[0.7, 0.9]), &[1.0, 1.0]);
    }
}
