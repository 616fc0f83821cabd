//! The life of a run: states as enums with data, transitions as pure functions.

mod conclusion;

pub use conclusion::Conclusion;
