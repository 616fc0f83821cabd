//! Where things are: the addresses that the pages link to, for the server to mount.
//!
//! | address | page |
//! |---|---|
//! | `/` | [`crate::RepositoriesPage`] |
//! | `/{owner}/{repo}?branch=&conclusion=&before=` | [`crate::RunsPage`] |
//! | `/{owner}/{repo}/runs/{number}` | [`crate::RunPage`], latest attempt |
//! | `/{owner}/{repo}/runs/{number}/attempts/{attempt}` | [`crate::RunPage`] of an earlier attempt |
//! | `POST /{owner}/{repo}/runs/{number}/cancel`, `…/rerun`, `…/rerun-failed`, `…/accept` | buttons; answer 303 to the run |
//! | `/{owner}/{repo}/runs/{number}/jobs/{key…}?log=none` | [`crate::JobPage`]; with `log=none` its log may be left out |
//! | `/{owner}/{repo}/runs/{number}/logs/{key…}?offset=N` | the log's raw bytes from `N`, headers [`LOG_LENGTH`], [`LOG_COMPLETE`] |
//! | `/{owner}/{repo}/runs/{number}/artifacts/{name}` | the artifact, `tar.zst` |
//! | `/{owner}/{repo}/runs/{number}/outcomes/{key…}?evaluation=NAME&side=head` | the outcomes of an evaluation (or of the `base` beside it), JSON Lines, `.zst` |
//! | `/{owner}/{repo}/metrics?name=&branch=` | [`crate::MetricPage`] |
//! | `/{owner}/{repo}/self-checks` | [`crate::SelfChecksPage`] |
//! | `/{owner}/{repo}/compare/{base}...{head}` | [`crate::ComparePage`] |
//! | `/sign-in?back=`, `POST /sign-in`, `POST /sign-out` | [`crate::SignInPage`] |
//! | `/assets/{name}` | [`crate::asset`] |
//!
//! A job's key may hold `/` (jobs of a called workflow), hence the tail matches.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use workflows::ids::{ArtifactName, JobKey, RepoName, Sha};

/// Response header of the log's address: bytes that the log has by now.
pub const LOG_LENGTH: &str = "x-log-length";
/// Response header of the log's address: `true` once nothing more will come.
pub const LOG_COMPLETE: &str = "x-log-complete";

pub fn repo(repo: &RepoName) -> String {
    format!("/{repo}")
}

pub fn run(repo: &RepoName, number: u64) -> String {
    format!("/{repo}/runs/{number}")
}

pub fn attempt(repo: &RepoName, number: u64, attempt: u32) -> String {
    format!("/{repo}/runs/{number}/attempts/{attempt}")
}

pub fn cancel(repo: &RepoName, number: u64) -> String {
    format!("/{repo}/runs/{number}/cancel")
}

pub fn rerun(repo: &RepoName, number: u64) -> String {
    format!("/{repo}/runs/{number}/rerun")
}

pub fn rerun_failed(repo: &RepoName, number: u64) -> String {
    format!("/{repo}/runs/{number}/rerun-failed")
}

pub fn accept(repo: &RepoName, number: u64) -> String {
    format!("/{repo}/runs/{number}/accept")
}

pub fn job(repo: &RepoName, number: u64, key: &JobKey) -> String {
    format!("/{repo}/runs/{number}/jobs/{key}")
}

/// The log's raw bytes; add `?offset=N` for a part.
pub fn log(repo: &RepoName, number: u64, key: &JobKey) -> String {
    format!("/{repo}/runs/{number}/logs/{key}")
}

pub fn artifact(repo: &RepoName, number: u64, name: &ArtifactName) -> String {
    format!("/{repo}/runs/{number}/artifacts/{}", encode(name.as_str()))
}

/// `side`: `head`, or `base` for the base's model where it was evaluated beside the head's.
pub fn outcomes(repo: &RepoName, number: u64, key: &JobKey, evaluation: &str, side: &str) -> String {
    format!("/{repo}/runs/{number}/outcomes/{key}?evaluation={}&side={side}", encode(evaluation))
}

pub fn metric(repo: &RepoName, name: &str, branch: &str) -> String {
    format!("/{repo}/metrics?name={}&branch={}", encode(name), encode(branch))
}

pub fn self_checks(repo: &RepoName) -> String {
    format!("/{repo}/self-checks")
}

pub fn compare(repo: &RepoName, base: &Sha, head: &Sha) -> String {
    format!("/{repo}/compare/{base}...{head}")
}

/// The run list under a filter; `before` is the cursor of an older page.
pub fn runs(repo: &RepoName, branch: Option<&str>, conclusion: Option<&str>, before: Option<u64>) -> String {
    let before = before.map(|number| number.to_string());
    let query: Vec<String> = [("branch", branch), ("conclusion", conclusion), ("before", before.as_deref())]
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| format!("{key}={}", encode(value))))
        .collect();
    if query.is_empty() { format!("/{repo}") } else { format!("/{repo}?{}", query.join("&")) }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_name_freely_is_encoded() {
        let repo: RepoName = "acme/digits".parse().unwrap();
        assert_eq!(
            metric(&repo, "accuracy[slice=night & day]", "feature/ä"),
            "/acme/digits/metrics?name=accuracy%5Bslice%3Dnight%20%26%20day%5D&branch=feature%2F%C3%A4"
        );
        assert_eq!(artifact(&repo, 7, &"a model#1".parse().unwrap()), "/acme/digits/runs/7/artifacts/a%20model%231");
        assert_eq!(runs(&repo, None, None, None), "/acme/digits");
        assert_eq!(runs(&repo, Some("x&y"), None, Some(51)), "/acme/digits?branch=x%26y&before=51");
    }
}
