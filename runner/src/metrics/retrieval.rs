//! How good a ranked list is for one query: its documents' relevance, best score first.
//!
//! Documents of equal score take turns at being first: [`Ranked`] keeps where they begin and end, so that
//! [`Ranked::ndcg`] can average over them, as scikit-learn does.

/// The relevance of a query's documents, from the highest score down; documents of one score together.
/// Of equal scores the one that comes first in the data set is first.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    gains: Vec<f64>,
    /// Ends of runs of equal scores.
    ties: Vec<usize>,
}

impl Ranked {
    /// Scores must not be NaN; gains must not be negative.
    pub fn new(gains: &[f64], scores: &[f64]) -> Self {
        // Both zeros are one score.
        let scores: Vec<f64> = scores.iter().map(|score| score + 0.0).collect();
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let ties = (1..=order.len())
            .filter(|end| *end == order.len() || scores[order[*end]] != scores[order[*end - 1]])
            .collect();
        Self { gains: order.into_iter().map(|i| gains[i]).collect(), ties }
    }

    fn relevant(&self) -> impl Iterator<Item = bool> {
        self.gains.iter().map(|gain| *gain > 0.0)
    }

    /// Discounted cumulative gain over the ideal one, at `k`: linear gains, ties averaged (McSherry & Najork 2008),
    /// scikit-learn's `ndcg_score` of one query. 0 where nothing is relevant.
    pub fn ndcg(&self, k: usize) -> f64 {
        let discount = |rank: usize| if rank < k { 1.0 / (rank as f64 + 2.0).log2() } else { 0.0 };
        let (mut gain, mut start) = (Vec::new(), 0);
        for &end in &self.ties {
            let mean = super::sum(self.gains[start..end].iter().copied()) / (end - start) as f64;
            gain.push(mean * super::sum((start..end).map(discount)));
            start = end;
        }
        let mut ideal = self.gains.clone();
        ideal.sort_unstable_by(|a, b| b.total_cmp(a));
        let best = super::sum(ideal.iter().enumerate().map(|(rank, gain)| gain * discount(rank)));
        super::confusion::ratio(super::sum(gain), best)
    }

    /// The share of the relevant documents that are among the first `k`; none where nothing is relevant.
    pub fn recall(&self, k: usize) -> Option<f64> {
        let all = self.relevant().filter(|r| *r).count();
        let found = self.relevant().take(k).filter(|r| *r).count();
        (all > 0).then(|| found as f64 / all as f64)
    }

    /// One over the rank of the first relevant document; 0 where none is.
    pub fn reciprocal_rank(&self) -> f64 {
        self.relevant().position(|r| r).map_or(0.0, |rank| 1.0 / (rank as f64 + 1.0))
    }

    /// Whether a document is relevant among the first `k`.
    pub fn hit(&self, k: usize) -> bool {
        self.relevant().take(k).any(|r| r)
    }
}

/// Metrics of one query; `ndcg@10`, `recall@5`, `hit@1` for any number, `ndcg` for all documents, `mrr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    Ndcg(usize),
    Recall(usize),
    Hit(usize),
    ReciprocalRank,
}

impl Metric {
    /// None where it is no metric of ranked lists.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ndcg" => return Some(Self::Ndcg(usize::MAX)),
            "mrr" => return Some(Self::ReciprocalRank),
            _ => {}
        }
        let (family, k) = name.split_once('@')?;
        let k = k.parse().ok().filter(|k| *k > 0)?;
        match family {
            "ndcg" => Some(Self::Ndcg(k)),
            "recall" => Some(Self::Recall(k)),
            "hit" => Some(Self::Hit(k)),
            _ => None,
        }
    }

    /// Of one query; none where nothing is relevant to it, and the metric is a share of what is.
    pub fn of(self, ranked: &Ranked) -> Option<f64> {
        match self {
            Self::Ndcg(k) => Some(ranked.ndcg(k)),
            Self::Recall(k) => ranked.recall(k),
            Self::Hit(k) => Some(f64::from(u8::from(ranked.hit(k)))),
            Self::ReciprocalRank => Some(ranked.reciprocal_rank()),
        }
    }
}
