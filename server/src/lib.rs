//! Receives events, keeps runs, offers jobs, judges gates, reports to the forge.

pub mod blobs;
mod disk;
pub mod forge;
pub mod github;
pub mod store;
