//! The life of a run: states as enums with data, transitions as pure functions.
//!
//! A run is one workflow for one event. Each `jobs.<id>` is a [`Group`]: it waits for its needs, and
//! then becomes nothing (skipped), a mistake (invalid), one job per row of its matrix, or one call of another
//! workflow per row, whose jobs are groups again. Each of those
//! jobs has a [`JobLife`], and each call that takes part in concurrency groups a [`CallLife`]. [`advance()`] looks at all of it and says what is to be done next; whoever
//! keeps the records does that and asks again, until there is nothing left to do.

mod advance;
mod call;
mod conclusion;
mod job;
mod places;
mod results;
mod roll_up;
mod scope;

pub use advance::{Decision, Group, JobContext, JobView, MAX_GROUPS, MAX_NAMES, Snapshot, advance, job_context};
pub use call::{CallEvent, CallLife, CallState, IllegalCall, call_life, call_lives, lives_around, tell_call};
pub use conclusion::Conclusion;
pub use job::{Illegal, JobEvent, JobLife, JobState, MAX_LOST_RUNNERS, Place};
pub use places::{Answer, Places, Refusal, Seat, TOP_LEVEL, deadlock, full};
pub use roll_up::{merge_outputs, roll_up};
