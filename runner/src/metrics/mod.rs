//! Metrics by scikit-learn's names and definitions, as pure functions of predictions.
//!
//! Every one equals scikit-learn's value to 1e-12 relative on the same predictions; the tests
//! compute the references with scikit-learn itself. Where the metric is undefined (no examples, one
//! class only), the answer is `None`: NaN is absent, never a number.

pub mod confusion;
pub mod probability;
pub mod ranking;
pub mod regression;
pub mod retrieval;
mod sum;

pub use confusion::{Average, Confusion};
pub use sum::{mean, sum};
