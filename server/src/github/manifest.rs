//! A GitHub App made from a manifest: the administrator presses one button, and GitHub hands us key and secret
//! in exchange for a code (docs, "Registering a GitHub App from a manifest").

use octocrab::Octocrab;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{GithubError, checks::encode, client::within_timeout, error::from_octocrab};

/// What GitHub says of an App that was just made. It says key and secret this once.
#[derive(Deserialize)]
pub struct CreatedApp {
    pub id: u64,
    pub slug: String,
    /// The App's page; `/installations/new` beneath it is where repositories are chosen.
    pub html_url: String,
    /// RSA, PEM, PKCS#1.
    pub pem: String,
    pub webhook_secret: String,
}

/// What the App is asked to be. Each permission is used; `docs/github.md` says for what.
/// `check_run` and `check_suite` come to every App that may write checks.
pub fn manifest(name: &str, public_url: &str, redirect_url: &str) -> Value {
    json!({
        "name": name,
        "url": public_url,
        "description": "CI for models",
        "hook_attributes": { "url": format!("{public_url}/webhooks/github"), "active": true },
        "redirect_url": redirect_url,
        "public": false,
        "default_permissions": {
            "checks": "write",
            "contents": "read",
            "metadata": "read",
            "pull_requests": "read",
            "merge_queues": "read",
        },
        "default_events": ["push", "pull_request", "merge_group"],
    })
}

/// Where the manifest is posted to by the administrator's browser; `web_url` is GitHub's.
pub fn new_app_url(web_url: &str, organization: Option<&str>, state: &str) -> String {
    match organization {
        Some(organization) => {
            format!("{web_url}/organizations/{}/settings/apps/new?state={state}", encode(organization))
        }
        None => format!("{web_url}/settings/apps/new?state={state}"),
    }
}

/// Exchanges the code with which GitHub sent the browser back; it is good for an hour, and once.
///
/// # Errors
/// Permanent with status 404 where the code is used or too old.
pub async fn exchange(api_url: &str, code: &str) -> Result<CreatedApp, GithubError> {
    let doing = "exchange the code for the App";
    let github = Octocrab::builder().base_uri(api_url).and_then(|builder| builder.build());
    let github = github.map_err(|error| from_octocrab(doing, error))?;
    let route = format!("/app-manifests/{}/conversions", encode(code));
    within_timeout(doing, github.post(route, None::<&()>)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_has_its_own_page_for_new_apps() {
        assert_eq!(new_app_url("https://github.com", None, "7"), "https://github.com/settings/apps/new?state=7");
        assert_eq!(
            new_app_url("https://ghe.example", Some("a/b"), "7"),
            "https://ghe.example/organizations/a%2Fb/settings/apps/new?state=7"
        );
    }
}
