//! The only place that names sled.

pub mod backup;
pub mod engine;
