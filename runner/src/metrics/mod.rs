//! Metrics by scikit-learn's names and definitions, as pure functions of predictions.
//!
//! Every one is meant to equal scikit-learn's value to 1e-12 relative on the same predictions; the
//! tests that compute the references with scikit-learn itself are still to be written. Where the metric is undefined (no examples, one
//! class only), the answer is `None`: NaN is absent, never a number.

pub mod confusion;
pub mod probability;
pub mod ranking;
pub mod regression;
pub mod retrieval;
mod sum;

pub use confusion::{Average, Confusion};
pub use sum::{mean, sum};
