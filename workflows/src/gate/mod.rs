//! The gate: head and base on the same examples → one verdict with its error rates declared.
//!
//! Imports nothing else of the crate. `docs/gate.md` states each rule's hypotheses. Reading order:
//! [`Policy`] and [`Side`] are what goes in, [`Verdict`] is what comes out; [`judge()`] takes each bound
//! of each rule to the evaluations that it is about, pairs their examples, chooses a test
//! and corrects failing claims over the family; [`stats`] holds the tests.

mod amount;
mod blocks;
mod choose;
mod classification;
mod comparison;
mod contributions;
mod draft;
mod evaluated;
mod false_alarms;
mod flips;
mod judge;
pub mod metric;
pub mod number;
mod pairing;
mod policy;
mod repeat;
mod rule;
mod scored;
mod self_check;
pub mod simulate;

pub mod stats;
#[cfg(test)]
mod tests;
mod verdict;
mod wording;

pub use amount::InvalidAmount;
pub use classification::recomputed_metrics;
pub use false_alarms::{FalseAlarms, Standing};
pub use judge::judge;
pub use policy::*;
pub use repeat::{Repeat, repeat};
pub use rule::FieldError;
pub use self_check::{SelfCheck, is_chosen, self_check};
pub use verdict::*;
