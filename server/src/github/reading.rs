//! What the server reads from GitHub: workflow files, changes, permissions; and the right to clone.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use workflows::{
    ids::{RepoName, Sha},
    protocol::CheckoutSpec,
};

use super::{
    GithubError, GithubForge,
    checks::encode,
    client::{Installation, Request},
};

/// Where workflows live in a repository.
const WORKFLOWS: &str = ".assay/workflows";

/// GitHub lists at most this many changed files of a comparison, and does not say whether there are more.
const LISTED_FILES: usize = 300;

/// What a person may do in a repository; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    None,
    Read,
    Triage,
    Write,
    Maintain,
    Admin,
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    encoding: String,
    #[serde(default)]
    content: String,
}

#[derive(Debug, Deserialize)]
struct Comparison {
    merge_base_commit: Commit,
    #[serde(default)]
    files: Vec<Changed>,
}

#[derive(Debug, Deserialize)]
struct Commit {
    sha: Sha,
}

#[derive(Debug, Deserialize)]
struct Parents {
    parents: Vec<Commit>,
}

#[derive(Debug, Deserialize)]
struct Changed {
    filename: String,
    #[serde(default)]
    previous_filename: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Collaborator {
    /// `admin`, `write`, `read` or `none`: the coarse word, always there.
    permission: String,
    /// The fine one, or the name of an organisation's own role.
    #[serde(default)]
    role_name: String,
}

#[derive(Debug, Serialize)]
struct TokenRequest<'a> {
    repositories: [&'a str; 1],
    permissions: TokenPermissions,
}

#[derive(Debug, Serialize)]
struct TokenPermissions {
    contents: &'static str,
}

#[derive(Debug, Deserialize)]
struct Token {
    token: String,
}

#[derive(Debug, Deserialize)]
struct CommitId {
    sha: Sha,
}

#[derive(Debug, Deserialize)]
struct InstallationId {
    id: u64,
}

impl GithubForge {
    /// The installation through which we may act on a repository, for events that do not name it.
    pub async fn installation_of(&self, repo: &RepoName) -> Result<u64, GithubError> {
        let doing = format!("find our installation at {repo}");
        let found: InstallationId =
            self.send_as_app(&doing, Request::get(format!("/repos/{repo}/installation"))).await?;
        Ok(found.id)
    }

    /// Path and text of each `.yml` and `.yaml` file directly in `.assay/workflows` at a commit, sorted by path.
    /// Empty where the directory does not exist; a permanent error with status 404 where the commit does not.
    pub async fn workflow_files(
        &self,
        installation: u64,
        repo: &RepoName,
        sha: &Sha,
    ) -> Result<Vec<(String, String)>, GithubError> {
        let client = self.installation(installation).await?;
        let doing = format!("list {WORKFLOWS} of {repo} at {}", sha.short());
        let route = format!("/repos/{repo}/contents/{WORKFLOWS}?ref={sha}");
        let mut entries: Vec<Entry> = match client.send(&doing, Request::get(route)).await {
            Ok(entries) => entries,
            // No directory, or no commit: the same answer. Ask for the commit to tell them apart.
            Err(error) if error.is_status(404) => {
                let doing = format!("read commit {} of {repo}", sha.short());
                let route = format!("/repos/{repo}/git/commits/{sha}");
                client.send::<serde_json::Value>(&doing, Request::get(route)).await?;
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        entries.retain(|entry| entry.kind == "file" && is_yaml(&entry.name));
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let mut files = Vec::with_capacity(entries.len());
        for entry in entries {
            let text = file_text(&client, repo, sha, &entry.path).await?;
            files.push((entry.path, text));
        }
        Ok(files)
    }

    /// The text of a file at a commit; none where there is none.
    pub async fn file(
        &self,
        installation: u64,
        repo: &RepoName,
        sha: &Sha,
        path: &str,
    ) -> Result<Option<String>, GithubError> {
        let client = self.installation(installation).await?;
        match file_text(&client, repo, sha, path).await {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.is_status(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The commit's first parent; none where it has none.
    pub async fn first_parent(
        &self,
        installation: u64,
        repo: &RepoName,
        sha: &Sha,
    ) -> Result<Option<Sha>, GithubError> {
        let client = self.installation(installation).await?;
        let doing = format!("read commit {} of {repo}", sha.short());
        let commit: Parents = client.send(&doing, Request::get(format!("/repos/{repo}/git/commits/{sha}"))).await?;
        Ok(commit.parents.into_iter().next().map(|parent| parent.sha))
    }

    /// The commit of a branch or tag, by its full name; none where there is none.
    pub async fn tip(&self, installation: u64, repo: &RepoName, git_ref: &str) -> Result<Option<Sha>, GithubError> {
        let client = self.installation(installation).await?;
        let doing = format!("find {git_ref} of {repo}");
        // Slashes too: it is one part of the path.
        let name = encode(git_ref.trim_start_matches("refs/"));
        match client.send::<CommitId>(&doing, Request::get(format!("/repos/{repo}/commits/{name}"))).await {
            Ok(commit) => Ok(Some(commit.sha)),
            // 422: it is no name of anything.
            Err(error) if error.is_status(404) || error.is_status(422) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Files that differ between `head` and its merge base with `base`: all of a pull request's changes,
    /// or all of a fast-forward push's. A renamed file counts under both names.
    /// None where GitHub does not know or does not list them all: then every path filter matches.
    pub async fn changed_paths(
        &self,
        installation: u64,
        repo: &RepoName,
        base: &Sha,
        head: &Sha,
    ) -> Result<Option<Vec<String>>, GithubError> {
        let Some(comparison) = self.compare(installation, repo, base, head).await? else { return Ok(None) };
        if comparison.files.len() >= LISTED_FILES {
            return Ok(None);
        }
        let mut paths: Vec<String> = comparison
            .files
            .into_iter()
            .flat_map(|file| [Some(file.filename), file.previous_filename])
            .flatten()
            .collect();
        paths.sort();
        paths.dedup();
        Ok(Some(paths))
    }

    /// The newest commit that both contain; none where there is none, or one of them is gone.
    pub async fn merge_base(
        &self,
        installation: u64,
        repo: &RepoName,
        base: &Sha,
        head: &Sha,
    ) -> Result<Option<Sha>, GithubError> {
        Ok(self.compare(installation, repo, base, head).await?.map(|comparison| comparison.merge_base_commit.sha))
    }

    async fn compare(
        &self,
        installation: u64,
        repo: &RepoName,
        base: &Sha,
        head: &Sha,
    ) -> Result<Option<Comparison>, GithubError> {
        let client = self.installation(installation).await?;
        let doing = format!("compare {} with {} of {repo}", head.short(), base.short());
        // All listed files are on the first page; the commits, which fill pages, do not interest us.
        let route = format!("/repos/{repo}/compare/{base}...{head}?per_page=1&page=1");
        match client.send(&doing, Request::get(route)).await {
            Ok(comparison) => Ok(Some(comparison)),
            // 422: a difference too large to compute.
            Err(error) if error.is_status(404) || error.is_status(422) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How a runner gets a commit: `clone` is the event's, the token reads this repository and nothing else, for an hour.
    pub async fn checkout_spec(
        &self,
        installation: u64,
        repo: &RepoName,
        clone: &str,
        sha: &Sha,
        pull: Option<u64>,
    ) -> Result<CheckoutSpec, GithubError> {
        let doing = format!("get a token to clone {repo}");
        let body = TokenRequest { repositories: [repo.name()], permissions: TokenPermissions { contents: "read" } };
        let route = format!("/app/installations/{installation}/access_tokens");
        let token: Token = self.send_as_app(&doing, Request::Post { route, body: &body }).await?;
        Ok(CheckoutSpec {
            url: clone.to_owned(),
            sha: sha.clone(),
            git_ref: pull.map(|number| format!("refs/pull/{number}/head")),
            token: Some(token.token),
        })
    }

    /// What someone may do in a repository.
    pub async fn permission(&self, installation: u64, repo: &RepoName, user: &str) -> Result<Permission, GithubError> {
        let client = self.installation(installation).await?;
        let doing = format!("read what {user} may do in {repo}");
        let route = format!("/repos/{repo}/collaborators/{}/permission", encode(user));
        match client.send::<Collaborator>(&doing, Request::get(route)).await {
            Ok(collaborator) => Ok(permission(&collaborator)),
            // No such user.
            Err(error) if error.is_status(404) => Ok(Permission::None),
            Err(error) => Err(error),
        }
    }
}

async fn file_text(client: &Installation, repo: &RepoName, sha: &Sha, path: &str) -> Result<String, GithubError> {
    let doing = format!("read {path} of {repo} at {}", sha.short());
    let encoded = path.split('/').map(encode).collect::<Vec<_>>().join("/");
    let file: File = client.send(&doing, Request::get(format!("/repos/{repo}/contents/{encoded}?ref={sha}"))).await?;
    let refused = |cause: &str| GithubError::Permanent { doing: doing.clone(), status: None, cause: cause.to_owned() };
    if file.encoding != "base64" {
        // GitHub leaves the content out above 1 MB and says `none`.
        return Err(refused("a workflow file may not be larger than 1 MB"));
    }
    let packed: String = file.content.split_ascii_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(packed).map_err(|_| refused("the content is not base64"))?;
    // What is not UTF-8 becomes U+FFFD, which the parser then points at, with line and column.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yml") || name.ends_with(".yaml")
}

fn permission(collaborator: &Collaborator) -> Permission {
    match (collaborator.role_name.as_str(), collaborator.permission.as_str()) {
        ("admin", _) | (_, "admin") => Permission::Admin,
        ("maintain", _) => Permission::Maintain,
        ("write", _) | (_, "write") => Permission::Write,
        ("triage", _) => Permission::Triage,
        ("read", _) | (_, "read") => Permission::Read,
        _ => Permission::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_of_ones_own_counts_as_the_coarse_word_beside_it() {
        let may = |permission: &str, role_name: &str| {
            super::permission(&Collaborator { permission: permission.to_owned(), role_name: role_name.to_owned() })
        };
        assert_eq!(may("write", "maintain"), Permission::Maintain);
        assert_eq!(may("read", "triage"), Permission::Triage);
        assert_eq!(may("write", "release-crew"), Permission::Write);
        assert_eq!(may("none", ""), Permission::None);
        assert!(Permission::Admin > Permission::Write && Permission::Read > Permission::None);
    }
}
