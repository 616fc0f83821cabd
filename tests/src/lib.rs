//! The harness of the end-to-end tests: real processes, real git, real HTTP. Fakes exist only for
//! what lies outside, and are built as state.

pub mod binary;
pub mod browser;
pub mod delivery;
pub mod digits;
pub mod github;
pub mod npm;
pub mod process;
pub mod proxy;
pub mod repo;
pub mod site;
pub mod stack;
pub mod wait;
