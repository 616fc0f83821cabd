//! What runners may do: take a job, keep it, say how it goes, end it.

mod claim;
mod expiry;
mod hopeless;
mod report;

pub use claim::claim;
pub use expiry::expire;
pub use report::{Held, heartbeat, held, report};

use workflows::protocol::Refusal;

/// Why a runner gets no.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("refused: {0:?}")]
    Refused(Refusal),
    #[error(transparent)]
    Ours(#[from] anyhow::Error),
}

impl From<crate::store::StoreError> for LeaseError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Ours(error.into())
    }
}
