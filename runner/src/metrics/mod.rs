//! Metrics by scikit-learn's names and definitions, as pure functions of predictions.
//!
//! Every one equals scikit-learn's value (SciPy's for correlations) to 1e-12 relative on the same predictions:
//! `tests/it/metrics.rs` computes the references with those packages when it runs. Where a metric is undefined
//! (no examples, one class only), the answer is `None`: NaN is absent, never a number.

pub mod classification;
pub mod confusion;
pub mod multilabel;
pub mod probability;
pub mod ranking;
pub mod regression;
pub mod retrieval;
mod sum;

pub use confusion::{Average, Confusion};
pub use sum::{Mean, mean, sum};
