//! Who we are to GitHub: the App itself, and one client per installation.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use octocrab::{
    Octocrab,
    models::{AppId, InstallationId},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::{GithubConfig, GithubError, Retry, error::from_octocrab};

/// No request of ours takes longer, or it is not going to be answered.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The GitHub App at one GitHub. Cheap to clone; must be made inside a tokio runtime that outlives it.
#[derive(Clone)]
pub struct GithubForge {
    inner: Arc<Inner>,
}

struct Inner {
    config: GithubConfig,
    app: Octocrab,
    quiet: Quiet,
    installations: Mutex<HashMap<u64, Arc<Installation>>>,
}

/// One account's installation of the App.
///
/// There is exactly one of these per installation, never a clone of its octocrab: a clone starts with a
/// token cache of its own, and eight tasks on eight clones fetch eight tokens.
pub(super) struct Installation {
    crab: Octocrab,
    /// Held while a token may be fetched, so that a cold or expired cache costs one request.
    token: tokio::sync::Mutex<()>,
    /// GitHub asks for writes one after the other; and nobody creates what another task is looking up.
    pub(super) writes: tokio::sync::Mutex<()>,
    quiet: Quiet,
}

/// GitHub said "not before": until then nothing is sent, since asking on is what gets an App banned.
#[derive(Default)]
struct Quiet(Mutex<Option<Instant>>);

/// One request; `route` begins with `/` and has its own query string.
pub(super) enum Request<'a, B: Serialize> {
    Get { route: String },
    Post { route: String, body: &'a B },
    Patch { route: String, body: &'a B },
}

impl Request<'_, ()> {
    pub(super) fn get(route: String) -> Self {
        Request::Get { route }
    }
}

/// Where people and git find repositories: `https://github.com`, or the Enterprise Server's host.
pub fn web_url(api_url: &str) -> &str {
    match api_url {
        "https://api.github.com" => "https://github.com",
        other => other.strip_suffix("/api/v3").unwrap_or(other),
    }
}

impl GithubForge {
    /// Checks the private key; sends nothing.
    pub fn new(config: GithubConfig) -> Result<Self, GithubError> {
        let doing = "set up the GitHub client";
        let app = Octocrab::builder()
            .base_uri(config.api_url.as_str())
            .and_then(|builder| builder.app_from_rsa_pem(AppId(config.app_id), &config.private_key))
            .and_then(|builder| builder.build())
            .map_err(|error| from_octocrab(doing, error))?;
        Ok(Self { inner: Arc::new(Inner { config, app, quiet: Quiet::default(), installations: Mutex::default() }) })
    }

    pub(super) fn app_id(&self) -> u64 {
        self.inner.config.app_id
    }

    /// The client of one installation, with a token that is good for this request.
    pub(super) async fn installation(&self, id: u64) -> Result<Arc<Installation>, GithubError> {
        let doing = "get an installation token";
        let installation = self.known_installation(id).map_err(|error| from_octocrab(doing, error))?;
        let fetching = installation.token.lock().await;
        installation.quiet.check(doing)?;
        installation.quiet.heed(within_timeout(doing, installation.crab.installation_token()).await)?;
        drop(fetching);
        Ok(installation)
    }

    fn known_installation(&self, id: u64) -> Result<Arc<Installation>, octocrab::Error> {
        // The map alone is behind this lock; a panic while it is held leaves nothing half done.
        let mut known = self.inner.installations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(installation) = known.get(&id) {
            return Ok(installation.clone());
        }
        let crab = self.inner.app.installation(InstallationId(id))?;
        let installation = Arc::new(Installation {
            crab,
            token: tokio::sync::Mutex::default(),
            writes: tokio::sync::Mutex::default(),
            quiet: Quiet::default(),
        });
        known.insert(id, installation.clone());
        Ok(installation)
    }

    /// Sends as the App itself, which may only see to its installations and deliveries.
    pub(super) async fn send_as_app<T: DeserializeOwned>(
        &self,
        doing: &str,
        request: Request<'_, impl Serialize>,
    ) -> Result<T, GithubError> {
        self.inner.quiet.check(doing)?;
        self.inner.quiet.heed(send(&self.inner.app, doing, request).await)
    }

    /// As [`Self::send_as_app`], with the query string of the next page, where there is one.
    pub(super) async fn page_as_app<T: DeserializeOwned>(
        &self,
        doing: &str,
        route: String,
    ) -> Result<(T, Option<String>), GithubError> {
        let ask = async {
            let response = octocrab::map_github_error(self.inner.app._get(&route).await?).await?;
            let link = response.headers().get("link").and_then(|v| v.to_str().ok()).and_then(next_query);
            let body = <T as octocrab::FromResponse>::from_response(response).await?;
            Ok((body, link))
        };
        self.inner.quiet.check(doing)?;
        self.inner.quiet.heed(within_timeout(doing, ask).await)
    }
}

impl Installation {
    /// Sends as the installation. An expired token is renewed and the request repeated once, by octocrab:
    /// a 401 was not acted on.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        doing: &str,
        request: Request<'_, impl Serialize>,
    ) -> Result<T, GithubError> {
        self.quiet.check(doing)?;
        self.quiet.heed(send(&self.crab, doing, request).await)
    }
}

impl Quiet {
    /// Keeps quiet from now on, where the answer asks for it.
    fn heed<T>(&self, answer: Result<T, GithubError>) -> Result<T, GithubError> {
        if let Err(GithubError::Transient { retry, .. }) = &answer
            && retry.limits_all()
        {
            let until = Instant::now() + retry.delay(1);
            let mut quiet = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *quiet = Some(quiet.map_or(until, |before| before.max(until)));
        }
        answer
    }

    fn check(&self, doing: &str) -> Result<(), GithubError> {
        let quiet = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match quiet.map(|until| until.saturating_duration_since(Instant::now())) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(left) => Err(GithubError::Transient {
                doing: doing.to_owned(),
                retry: Retry::After(left),
                cause: "GitHub's rate limit".to_owned(),
            }),
        }
    }
}

async fn send<T: DeserializeOwned>(
    crab: &Octocrab,
    doing: &str,
    request: Request<'_, impl Serialize>,
) -> Result<T, GithubError> {
    match request {
        Request::Get { route } => within_timeout(doing, crab.get(route, None::<&()>)).await,
        Request::Post { route, body } => within_timeout(doing, crab.post(route, Some(body))).await,
        Request::Patch { route, body } => within_timeout(doing, crab.patch(route, Some(body))).await,
    }
}

pub(super) async fn within_timeout<T>(
    doing: &str,
    ask: impl Future<Output = octocrab::Result<T>>,
) -> Result<T, GithubError> {
    match tokio::time::timeout(TIMEOUT, ask).await {
        Ok(answer) => answer.map_err(|error| from_octocrab(doing, error)),
        Err(_) => Err(GithubError::Transient {
            doing: doing.to_owned(),
            retry: Retry::Backoff,
            cause: format!("no answer in {} s", TIMEOUT.as_secs()),
        }),
    }
}

/// The query string of `rel="next"` in a `Link` header (RFC 8288, as GitHub writes it).
fn next_query(link: &str) -> Option<String> {
    link.split(',').find_map(|part| {
        let (target, parameters) = part.trim().strip_prefix('<')?.split_once('>')?;
        let next = parameters.split(';').any(|p| p.trim() == "rel=\"next\"");
        next.then(|| target.split_once('?').map(|(_, query)| query.to_owned())).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_the_links() {
        let link = "<https://api.example/app/hook/deliveries?per_page=2&cursor=v1_9>; rel=\"next\", \
                    <https://api.example/app/hook/deliveries?per_page=2>; rel=\"first\"";
        assert_eq!(next_query(link).as_deref(), Some("per_page=2&cursor=v1_9"));
        assert_eq!(next_query("<https://api.example/x?page=1>; rel=\"prev\""), None);
        assert_eq!(next_query("nonsense"), None);
    }

    #[test]
    fn a_key_that_is_none_is_said_at_once() {
        let config = GithubConfig {
            app_id: 1,
            private_key: "not a key".to_owned(),
            webhook_secret: String::new(),
            api_url: "https://api.github.com".to_owned(),
        };
        let error = GithubForge::new(config).map(|_| ()).unwrap_err();
        assert_eq!(error.retry(), None);
        assert!(error.to_string().starts_with("failed to set up the GitHub client: JWT Error"), "{error}");
    }
}
