//! The only place that names sled.

pub mod engine;
