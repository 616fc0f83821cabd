use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

/// Everything that an administrator can choose (`assay.toml`). Each value has a default.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ServerConfig {
    /// Where the store, the blobs and the secrets are kept. Not read from the file.
    #[serde(skip)]
    pub data: PathBuf,
    /// Address under which people reach the server, for links; empty: where it listens.
    pub public_url: String,
    /// What runners present; none: made once, in `DATA/secrets/runner-token`.
    pub runner_token: Option<String>,
    /// What people present to cancel or re-run; none: made once, in `DATA/secrets/api-token`.
    pub api_token: Option<String>,
    /// How long a lease lasts without a heartbeat, in seconds.
    pub lease_ttl_s: u32,
    /// Threads that answer HTTP.
    pub http_workers: usize,
    pub local: LocalConfig,
    /// The GitHub App; without it only the local forge is served.
    pub github: Option<GithubConfig>,
}

/// A GitHub App at GitHub.com or a GitHub Enterprise Server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GithubConfig {
    pub app_id: u64,
    /// RSA, in PEM.
    pub private_key_file: PathBuf,
    /// What signs deliveries, alone in a file.
    pub webhook_secret_file: PathBuf,
    /// `https://HOST/api/v3` for an Enterprise Server.
    #[serde(default = "github_com")]
    pub api_url: String,
}

fn github_com() -> String {
    "https://api.github.com".to_owned()
}

impl GithubConfig {
    /// Reads the files that it names.
    pub(crate) fn load(&self) -> anyhow::Result<crate::github::GithubConfig> {
        let read =
            |path: &Path| std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
        let webhook_secret = read(&self.webhook_secret_file)?.trim().to_owned();
        anyhow::ensure!(!webhook_secret.is_empty(), "{} is empty", self.webhook_secret_file.display());
        Ok(crate::github::GithubConfig {
            app_id: self.app_id,
            private_key: read(&self.private_key_file)?,
            webhook_secret,
            api_url: self.api_url.trim_end_matches('/').to_owned(),
        })
    }
}

/// Bare repositories on the server's machine.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LocalConfig {
    /// What signs deliveries; none: made once, in `DATA/secrets/local-webhook`.
    pub webhook_secret: Option<String>,
    /// The default branch moves only to commits whose gate was concluded, not also to unknown ones.
    pub require_gate: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            public_url: String::new(),
            runner_token: None,
            api_token: None,
            lease_ttl_s: 60,
            http_workers: 2,
            local: LocalConfig::default(),
            github: None,
        }
    }
}

impl ServerConfig {
    pub fn for_data_dir(data: &Path) -> Self {
        Self { data: data.to_owned(), ..Self::default() }
    }

    /// Reads `assay.toml`. Unknown keys are errors: a misspelt one would silently do nothing.
    pub fn from_toml(text: &str, data: &Path) -> anyhow::Result<Self> {
        let mut config: Self = toml::from_str(text).context("the configuration is not valid")?;
        config.data = data.to_owned();
        anyhow::ensure!(config.lease_ttl_s >= 3, "lease-ttl-s is {}; it must be at least 3", config.lease_ttl_s);
        anyhow::ensure!(config.http_workers >= 1, "http-workers must be at least 1");
        if !config.public_url.is_empty() {
            let web = config.public_url.starts_with("http://") || config.public_url.starts_with("https://");
            anyhow::ensure!(web, "public-url must start with http:// or https://");
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_refused_and_named() {
        let error = ServerConfig::from_toml("lease-tll-s = 30", Path::new("/d")).unwrap_err();
        assert!(format!("{error:#}").contains("lease-tll-s"), "{error:#}");
        let config = ServerConfig::from_toml("[local]\nrequire-gate = true", Path::new("/d")).unwrap();
        assert!(config.local.require_gate);
        assert_eq!(config.data, Path::new("/d"));
    }
}
