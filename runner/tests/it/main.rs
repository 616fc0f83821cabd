//! The runner on real processes, real git and real HTTP.

#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod actions;
mod agent;
mod containers;
mod evaluations;
mod harness;
mod measurements;
mod metrics;
mod pictures;
mod python;
mod refusals;
mod sandbox;
mod semantics;
mod steps;
