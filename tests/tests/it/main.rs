//! Everything end to end, in one binary. Each module is one story.

mod house;
