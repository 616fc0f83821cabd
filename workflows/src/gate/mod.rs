//! The gate: head and base on the same examples → one verdict with its error rates declared.
//!
//! Imports nothing else of the crate.

mod policy;
mod verdict;

pub use policy::*;
pub use verdict::*;

/// Judges head against base by a policy. `base` is none where no baseline exists.
pub fn judge(policy: &Policy, head: &[Side], base: Option<&[Side]>) -> Verdict {
    let _ = (policy, head, base);
    unimplemented!("arrives with the gate room")
}
