//! Signed deliveries, as a forge sends them.

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use workflows::ids::Sha;

use crate::repo::BareRepo;

/// A push on the local forge, ready to be sent any number of times.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub guid: String,
    pub event: String,
    pub body: Vec<u8>,
}

impl Delivery {
    /// Of a branch that moved from `before` (none: it is new) to `after`.
    pub fn local_push(repo: &BareRepo, name: &str, branch: &str, before: Option<&Sha>, after: &Sha) -> Self {
        let zero = "0".repeat(40);
        let body: Value = json!({
            "ref": format!("refs/heads/{branch}"),
            "before": before.map_or(zero.as_str(), Sha::as_str),
            "after": after,
            "actor": "ada",
            "repository": { "full_name": name, "path": repo.path, "default_branch": "main" },
        });
        Self { guid: format!("guid-{branch}-{after}"), event: "push".to_owned(), body: body.to_string().into_bytes() }
    }

    pub fn signature(&self, secret: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(&self.body);
        format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
    }

    /// The whole request as bytes, for a load that must cost its sender little.
    pub fn request(&self, forge: &str, secret: &str) -> Vec<u8> {
        let head = format!(
            "POST /webhooks/{forge} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             x-github-event: {}\r\nx-github-delivery: {}\r\nx-hub-signature-256: {}\r\n\r\n",
            self.body.len(),
            self.event,
            self.guid,
            self.signature(secret)
        );
        [head.as_bytes(), &self.body].concat()
    }

    /// Sends it to a forge's endpoint; the status that came back, or why nothing did.
    pub async fn send(&self, client: &reqwest::Client, url: &str, forge: &str, secret: &str) -> reqwest::Result<u16> {
        let reply = client
            .post(format!("{url}/webhooks/{forge}"))
            .header("content-type", "application/json")
            .header("x-github-event", &self.event)
            .header("x-github-delivery", &self.guid)
            .header("x-hub-signature-256", self.signature(secret))
            .body(self.body.clone())
            .send()
            .await?;
        Ok(reply.status().as_u16())
    }
}
