//! The server's public API, as the hooks, the demo and the other commands call it.

use anyhow::{Context, bail};
use serde::Deserialize;
use workflows::{
    gate::Verdict,
    ids::{RepoName, Sha},
    run::Conclusion,
};

/// Which server, and whose.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// Address of the server.
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// The repository.
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: RepoName,
}

pub struct Api {
    base: String,
    client: reqwest::Client,
}

/// Answer of `GET /api/v1/repos/{owner}/{repo}/commits/{sha}/gate`.
#[derive(Debug, Clone, Deserialize)]
pub struct GateAnswer {
    pub state: GateState,
    #[serde(default)]
    pub conclusion: Option<Conclusion>,
    #[serde(default)]
    pub title: String,
    /// Whether the default branch may move here.
    pub allowed: bool,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub summary: Option<String>,
    #[serde(default)]
    pub url: Option<String>,
    /// Absent where there was nothing to judge.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    #[serde(default)]
    pub base: Option<Sha>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// Nothing is known of the commit.
    None,
    Pending,
    Concluded,
}

impl Api {
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), client: reqwest::Client::new() }
    }

    /// Address of a repository's page.
    pub fn page(&self, repo: &RepoName) -> String {
        format!("{}/{repo}", self.base)
    }

    pub async fn gate(&self, repo: &RepoName, sha: &Sha) -> anyhow::Result<GateAnswer> {
        self.get(&format!("/api/v1/repos/{repo}/commits/{sha}/gate")).await
    }

    pub async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("{}{path}", self.base);
        let reply = self.client.get(&url).send().await.with_context(|| format!("no answer from {}", self.base))?;
        let status = reply.status();
        let body = reply.text().await?;
        if !status.is_success() {
            bail!("{url} answered {status}: {}", body.chars().take(300).collect::<String>());
        }
        serde_json::from_str(&body).with_context(|| format!("{url} answered something unexpected"))
    }

    /// Posts as the holder of a token; the status and the JSON of the answer, whatever it is.
    pub async fn post(
        &self,
        path: &str,
        token: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<(u16, serde_json::Value)> {
        self.send(reqwest::Method::POST, path, token, Some(body)).await
    }

    /// As [`Self::post`], with any method.
    pub async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        token: &str,
        body: Option<&serde_json::Value>,
    ) -> anyhow::Result<(u16, serde_json::Value)> {
        let url = format!("{}{path}", self.base);
        let mut request = self.client.request(method, &url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await.with_context(|| format!("no answer from {}", self.base))?;
        let (status, body) = (reply.status().as_u16(), reply.text().await?);
        Ok((status, serde_json::from_str(&body).unwrap_or_else(|_| body.into())))
    }

    /// Sends a signed delivery, as a forge does.
    pub async fn deliver(&self, forge: &str, event: &str, guid: &str, sig: &str, body: Vec<u8>) -> anyhow::Result<()> {
        let reply = self
            .client
            .post(format!("{}/webhooks/{forge}", self.base))
            .header("content-type", "application/json")
            .header("x-github-event", event)
            .header("x-github-delivery", guid)
            .header("x-hub-signature-256", sig)
            .body(body)
            .send()
            .await
            .with_context(|| format!("no answer from {}", self.base))?;
        if reply.status().is_success() {
            return Ok(());
        }
        let status = reply.status();
        bail!("the server answered {status}: {}", reply.text().await.unwrap_or_default())
    }
}

/// A member of an answer, fit for a terminal: what others wrote may hold control characters.
pub fn text(value: &serde_json::Value, key: &str) -> String {
    let text = value[key].as_str().unwrap_or_default();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

pub fn token(file: Option<&std::path::Path>) -> anyhow::Result<String> {
    let token = match file {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
        None => std::env::var("ASSAY_API_TOKEN")
            .context("who may do this? Give --token-file, or set ASSAY_API_TOKEN (`assay token api` prints it)")?,
    };
    Ok(token.trim().to_owned())
}
