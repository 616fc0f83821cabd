//! The runner on real processes, real git and real HTTP.

mod actions;
mod harness;
mod sandbox;
mod steps;
