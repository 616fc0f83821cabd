use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use workflows::syntax::{Diagnostic, forbid_untrusted_text};

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
    pub policy: PolicyConfig,
    /// The GitHub App; none: the one that `assay github-app` made, if it did; without any only the local forge is served.
    pub github: Option<GithubConfig>,
}

/// A GitHub App at GitHub.com or a GitHub Enterprise Server.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GithubConfig {
    /// Required.
    pub app_id: u64,
    /// RSA, in PEM.
    pub private_key_file: PathBuf,
    /// What signs deliveries, alone in a file.
    pub webhook_secret_file: PathBuf,
    /// `https://HOST/api/v3` for an Enterprise Server.
    pub api_url: String,
    /// How often deliveries that did not arrive are looked for, in seconds. They also are at each start.
    pub recovery_interval_s: u32,
}

impl Default for GithubConfig {
    fn default() -> Self {
        Self {
            app_id: 0,
            private_key_file: PathBuf::new(),
            webhook_secret_file: PathBuf::new(),
            api_url: "https://api.github.com".to_owned(),
            recovery_interval_s: 300,
        }
    }
}

impl GithubConfig {
    /// Where an App that was made by `assay github-app` is written down.
    pub fn path_in(data: &Path) -> PathBuf {
        data.join("github.toml")
    }

    /// The App that was made by `assay github-app`; none where none was.
    pub fn in_data_dir(data: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::path_in(data);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let mut config: Self = toml::from_str(&text).with_context(|| format!("{} is not valid", path.display()))?;
        // The data directory may have moved since.
        config.private_key_file = data.join(&config.private_key_file);
        config.webhook_secret_file = data.join(&config.webhook_secret_file);
        Ok(Some(config))
    }

    /// Writes it down for [`Self::in_data_dir`]; files in the data directory are named relative to it.
    pub(crate) fn write(mut self, data: &Path) -> anyhow::Result<()> {
        for path in [&mut self.private_key_file, &mut self.webhook_secret_file] {
            if let Ok(within) = path.strip_prefix(data) {
                *path = within.to_owned();
            }
        }
        let path = Self::path_in(data);
        let text = toml::to_string(&self).context("the App cannot be written down")?;
        let aside = path.with_extension("toml.new");
        std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, &path))?;
        Ok(())
    }

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

/// What workflow files may do at this server.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PolicyConfig {
    /// Text that strangers choose (a branch's name, a title), pasted into a `run:` script.
    pub untrusted_text: UntrustedText,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UntrustedText {
    /// The file runs.
    #[default]
    Warning,
    /// The file is invalid, and its commit's gate fails.
    Error,
}

impl PolicyConfig {
    /// Remarks on a file, as severe as they are at this server.
    pub fn applied_to(&self, diagnostics: &[Diagnostic]) -> Vec<Diagnostic> {
        let mut diagnostics = diagnostics.to_vec();
        match self.untrusted_text {
            UntrustedText::Warning => {}
            UntrustedText::Error => forbid_untrusted_text(&mut diagnostics),
        }
        diagnostics
    }
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
            policy: PolicyConfig::default(),
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
        if let Some(github) = &config.github {
            anyhow::ensure!(github.app_id != 0, "[github] needs app-id");
            anyhow::ensure!(github.recovery_interval_s >= 1, "[github] recovery-interval-s must be at least 1");
        }
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
        assert_eq!(config.policy.untrusted_text, UntrustedText::Warning);
        let strict = ServerConfig::from_toml("[policy]\nuntrusted-text = \"error\"", Path::new("/d")).unwrap();
        assert_eq!(strict.policy.untrusted_text, UntrustedText::Error);
        assert!(ServerConfig::from_toml("[policy]\nuntrusted-text = \"note\"", Path::new("/d")).is_err());
    }
}
