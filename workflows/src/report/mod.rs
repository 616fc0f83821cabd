//! Verdict → what a reviewer reads: a check run within GitHub's limits in bytes, Markdown, a
//! terminal's table.
//!
//! [`check_run`], [`markdown`] and [`terminal()`] tell a [`Verdict`](crate::gate::Verdict);
//! [`nothing_judged`] says why there is none. [`conclusion()`] is how GitHub's check run then concludes.

mod check;
mod conclusion;
mod context;
mod escape;
mod limits;
mod nothing;
mod terminal;
mod text;

pub use check::{CheckOutput, check_run, markdown};
pub use conclusion::conclusion;
pub use context::{Acceptance, CommitRef, Context, Ran, Setting};
pub use limits::{MAX_ANNOTATIONS, MAX_BYTES, MAX_TITLE};
pub use nothing::{NothingJudged, nothing_judged};
pub use terminal::terminal;
