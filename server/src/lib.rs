//! Receives events, keeps runs, offers jobs, judges gates, reports to the forge.
//!
//! The heart beats like this: webhooks, runners' reports and clicks only record a fact, in one durable
//! commit, and nudge. [`reconcile`] then re-reads the truth and brings the world to it, so that a crash
//! anywhere repeats harmlessly.
//!
//! Reading order: [`serve()`] puts the parts together ([`app::App`]); [`http`] are the doors; [`intake`]
//! accepts a delivery, [`deliveries`] and [`planning`] make runs of it; [`runs`] and [`draft`] bring a
//! run forward; [`leases`] is what runners may do; [`gate`] judges; [`checks`] tells the forge. All of it
//! is kept by [`store`].

pub mod acceptance;
pub mod app;
pub mod blobs;
pub mod checks;
mod clock;
pub mod concurrency;
mod config;
pub mod deliveries;
mod digest;
mod disk;
pub mod dispatch;
pub mod draft;
pub mod error;
pub mod evaluations;
pub mod facts;
pub mod forge;
pub mod gate;
pub mod github;
pub mod github_app;
pub mod history;
pub mod http;
pub mod intake;
pub mod leases;
pub mod pages;
pub mod planning;
pub mod reconcile;
pub mod recovery;
pub mod rerun;
pub mod run_files;
pub mod runs;
pub mod schedule;
pub mod secrets;
mod serve;
pub mod settings;
pub mod store;
pub mod timetable;
pub mod turns;
pub mod workflow_cache;

pub use clock::{Clock, ManualClock};
pub use config::{GithubConfig, LocalConfig, PolicyConfig, ServerConfig, UntrustedText};
pub use serve::serve;
