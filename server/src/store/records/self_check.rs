use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::{
    gate::SelfCheck,
    ids::{RepoName, Sha},
};

/// A base that was judged against itself while a head commit was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelfChecked {
    pub repo: RepoName,
    pub head: Sha,
    pub base: Sha,
    /// The run of the head that measured the base twice.
    pub run: u64,
    pub at: Timestamp,
    pub check: SelfCheck,
}
