//! How good a ranked list is for one query. `relevant[i]` speaks of the document at rank `i + 1`.

/// Discounted cumulative gain over the ideal one, at `k` (linear gains, scikit-learn's `ndcg_score`);
/// none where nothing is relevant.
pub fn ndcg(gains: &[f64], k: usize) -> Option<f64> {
    let dcg = |gains: &[f64]| -> f64 {
        super::sum(gains.iter().take(k).enumerate().map(|(rank, gain)| gain / (rank as f64 + 2.0).log2()))
    };
    let mut ideal = gains.to_vec();
    ideal.sort_unstable_by(|a, b| b.total_cmp(a));
    let best = dcg(&ideal);
    (best > 0.0).then(|| dcg(gains) / best)
}

/// The share of the relevant documents that are among the first `k`; none where nothing is relevant.
pub fn recall_at(relevant: &[bool], k: usize) -> Option<f64> {
    let all = relevant.iter().filter(|r| **r).count();
    let found = relevant.iter().take(k).filter(|r| **r).count();
    (all > 0).then(|| found as f64 / all as f64)
}

/// One over the rank of the first relevant document; 0 where none is.
pub fn reciprocal_rank(relevant: &[bool]) -> f64 {
    relevant.iter().position(|r| *r).map_or(0.0, |rank| 1.0 / (rank as f64 + 1.0))
}
