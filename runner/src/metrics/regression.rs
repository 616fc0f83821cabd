//! How far numbers are from numbers.

use super::{
    mean,
    sum::{defined, sum},
};

/// Names that [`metric`] knows.
pub const METRICS: [&str; 8] = ["mse", "rmse", "mae", "r2", "mape", "max_error", "pearson", "spearman"];

/// One metric of [`METRICS`]; none where the examples leave it undefined. Correlations and the largest error know
/// no weights.
pub fn metric(name: &str, targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    match name {
        "mse" => mse(targets, predictions, weights),
        "rmse" => rmse(targets, predictions, weights),
        "mae" => mae(targets, predictions, weights),
        "r2" => r2(targets, predictions, weights),
        "mape" => mape(targets, predictions, weights),
        "max_error" => max_error(targets, predictions),
        "pearson" => pearson(targets, predictions),
        "spearman" => spearman(targets, predictions),
        _ => None,
    }
}

fn errors<'a>(targets: &'a [f64], predictions: &'a [f64], of: impl Fn(f64, f64) -> f64 + 'a) -> Vec<f64> {
    targets.iter().zip(predictions).map(|(t, p)| of(*t, *p)).collect()
}

/// `mean_squared_error`
pub fn mse(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    mean(&errors(targets, predictions, |t, p| (t - p) * (t - p)), weights)
}

/// `root_mean_squared_error`
pub fn rmse(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    mse(targets, predictions, weights).map(f64::sqrt)
}

/// `mean_absolute_error`
pub fn mae(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    mean(&errors(targets, predictions, |t, p| (t - p).abs()), weights)
}

/// `mean_absolute_percentage_error`, as a fraction; a target of 0 counts as machine epsilon.
pub fn mape(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    mean(&errors(targets, predictions, |t, p| (t - p).abs() / t.abs().max(f64::EPSILON)), weights)
}

/// `r2_score`; for constant targets 1 where all are met, else 0. None for fewer than two examples.
pub fn r2(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    if targets.len() < 2 {
        return None;
    }
    let center = mean(targets, weights)?;
    let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
    let residual = sum(targets.iter().zip(predictions).enumerate().map(|(i, (t, p))| weight(i) * (t - p) * (t - p)));
    let total = sum(targets.iter().enumerate().map(|(i, t)| weight(i) * (t - center) * (t - center)));
    if total == 0.0 {
        return Some(if residual == 0.0 { 1.0 } else { 0.0 });
    }
    defined(1.0 - residual / total)
}

/// `max_error`
pub fn max_error(targets: &[f64], predictions: &[f64]) -> Option<f64> {
    errors(targets, predictions, |t, p| (t - p).abs()).into_iter().reduce(f64::max)
}

/// `scipy.stats.pearsonr`; none where either side is constant.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let (center_a, center_b) = (mean(a, None)?, mean(b, None)?);
    if a.len() < 2 || a.iter().all(|x| *x == a[0]) || b.iter().all(|x| *x == b[0]) {
        return None;
    }
    let both = sum(a.iter().zip(b).map(|(x, y)| (x - center_a) * (y - center_b)));
    let norm_a = sum(a.iter().map(|x| (x - center_a) * (x - center_a))).sqrt();
    let norm_b = sum(b.iter().map(|y| (y - center_b) * (y - center_b))).sqrt();
    defined((both / norm_a / norm_b).clamp(-1.0, 1.0))
}

/// `scipy.stats.spearmanr`: Pearson's correlation of the ranks, ties sharing their mean rank.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&ranks(a), &ranks(b))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|i, j| values[*i].total_cmp(&values[*j]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        let rank = (start + end + 1) as f64 / 2.0;
        for i in &order[start..end] {
            ranks[*i] = rank;
        }
        start = end;
    }
    ranks
}
