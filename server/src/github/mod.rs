//! GitHub, behind one struct over octocrab with a configurable address, so that GitHub.com, GitHub
//! Enterprise Server and a fake one over HTTP are all the same to the rest of the server.
//!
//! Nothing here waits, repeats or remembers across a restart: every method does its requests once
//! and says by [`GithubError`] whether (and when) repeating can help. The server's `reconcile` is
//! what repeats, and every method may be repeated after a crash at any point without doing harm.
//!
//! - [`webhook`] turns a delivery's bytes into a [`crate::forge::Fact`].
//! - [`GithubForge::workflow_files`], [`GithubForge::changed_paths`] and [`GithubForge::merge_base`] read.
//! - [`GithubForge::put_check_run`] writes.
//! - [`GithubForge::failed_deliveries`] and [`GithubForge::redeliver`] recover what we missed while we were away.
//!
//! The client never repeats by itself: octocrab's `retry` feature stays off in `Cargo.toml`, since it
//! would send a `POST` that was answered 502 four times within milliseconds, each a new check run.

mod checks;
mod client;
mod deliveries;
mod error;
mod limits;
mod manifest;
mod reading;
pub mod webhook;

use std::fmt;

pub use client::{GithubForge, web_url};
pub use deliveries::Delivery;
pub use error::{GithubError, Retry};
pub use manifest::{CreatedApp, exchange, manifest, new_app_url};
pub use reading::Permission;
pub use webhook::{ParseError, parse_webhook, verify_signature};

/// What an administrator knows of the GitHub App.
#[derive(Clone)]
pub struct GithubConfig {
    pub app_id: u64,
    /// RSA, PEM, PKCS#1 (as GitHub hands it out) or PKCS#8.
    pub private_key: String,
    pub webhook_secret: String,
    /// `https://api.github.com`, or `https://HOST/api/v3` for GitHub Enterprise Server; no `/` at its end.
    pub api_url: String,
}

impl fmt::Debug for GithubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GithubConfig")
            .field("app_id", &self.app_id)
            .field("api_url", &self.api_url)
            .finish_non_exhaustive()
    }
}
