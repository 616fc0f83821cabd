use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::evaluation::Evaluation;

/// An evaluation that was computed, to be reused. Its outcomes are a blob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptEvaluation {
    pub evaluation: Evaluation,
    /// The run that computed it.
    pub run: u64,
    pub at: Timestamp,
}
