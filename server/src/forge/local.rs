//! The local forge: bare repositories on this machine. A push to any branch but the default one
//! counts as a pull request into the default branch.

use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};
use serde::Deserialize;
use serde_json::Value;
use workflows::{
    event::{Event, EventKind},
    ids::{Forge, RepoName, Sha},
};

use super::{Fact, ForgeError, MAX_WORKFLOW_BYTES, WORKFLOW_DIRECTORY, WorkflowFile};

/// What the post-receive hook sends, once for each ref that moved.
#[derive(Debug, Deserialize)]
struct Push {
    repository: Repo,
    #[serde(rename = "ref")]
    git_ref: String,
    before: Sha,
    after: Sha,
    #[serde(default)]
    actor: String,
}

#[derive(Debug, Deserialize)]
struct Repo {
    full_name: RepoName,
    /// Absolute.
    path: String,
    default_branch: String,
}

/// What a delivery means. Reads the repository for what the hook does not say.
pub(super) fn read_event(body: &[u8]) -> Result<Fact, ForgeError> {
    let push: Push = serde_json::from_slice(body).map_err(|error| ForgeError::Unusable(error.to_string()))?;
    let payload: Value = serde_json::from_slice(body).map_err(|error| ForgeError::Unusable(error.to_string()))?;
    if push.after.is_zero() {
        return Ok(Fact::Ignored { reason: format!("{} was deleted", push.git_ref) });
    }
    if !Path::new(&push.repository.path).is_absolute() {
        return Err(ForgeError::Unusable(format!("the repository's path {:?} is not absolute", push.repository.path)));
    }
    let Some(name) = push.git_ref.strip_prefix("refs/heads/").or_else(|| push.git_ref.strip_prefix("refs/tags/"))
    else {
        return Ok(Fact::Ignored { reason: format!("{} is neither a branch nor a tag", push.git_ref) });
    };
    let repo = open(&push.repository.path)?;
    let head = commit_of(&repo, &push.after)?;
    let title = title(&repo, &head)?;
    let before = (!push.before.is_zero()).then_some(push.before);
    let is_branch = push.git_ref.starts_with("refs/heads/");
    let default_branch = push.repository.default_branch;
    let base = match is_branch && name != default_branch {
        false => None,
        true => tip(&repo, &default_branch)?,
    };
    let kind = match base {
        None => EventKind::Push { git_ref: push.git_ref, before, head, title },
        Some(base) => EventKind::PullRequest {
            action: if before.is_none() { "opened" } else { "synchronize" }.to_owned(),
            number: None,
            title,
            head_ref: name.to_owned(),
            base_ref: default_branch.clone(),
            head,
            base,
            from_fork: false,
        },
    };
    let actor = push.actor;
    let event = Event { forge: Forge::Local, repo: push.repository.full_name, default_branch, actor, kind, payload };
    Ok(Fact::Event { event: Box::new(event), clone: push.repository.path, installation: None })
}

pub(super) fn workflow_files(path: &str, sha: &Sha) -> Result<Vec<WorkflowFile>, ForgeError> {
    let repo = open(path)?;
    let tree = repo.find_commit(oid(sha)).and_then(|commit| commit.tree()).map_err(|error| gone(&error, sha))?;
    let Ok(entry) = tree.get_path(Path::new(WORKFLOW_DIRECTORY)) else { return Ok(Vec::new()) };
    let Ok(directory) = repo.find_tree(entry.id()) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in directory.iter() {
        let Ok(name) = entry.name() else { continue };
        let regular = entry.kind() == Some(ObjectType::Blob) && entry.filemode() != LINK;
        if !regular || !(name.ends_with(".yml") || name.ends_with(".yaml")) {
            continue;
        }
        let text = text(&repo, entry.id(), name)?;
        files.push(WorkflowFile { path: format!("{WORKFLOW_DIRECTORY}/{name}"), text });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The text of a regular file; none where there is none.
pub(super) fn file(path: &str, sha: &Sha, name: &str) -> Result<Option<String>, ForgeError> {
    let repo = open(path)?;
    let tree = repo.find_commit(oid(sha)).and_then(|commit| commit.tree()).map_err(|error| gone(&error, sha))?;
    match tree.get_path(Path::new(name)) {
        Ok(entry) if entry.kind() == Some(ObjectType::Blob) && entry.filemode() != LINK => {
            text(&repo, entry.id(), name).map(Some)
        }
        Ok(_) | Err(_) => Ok(None),
    }
}

/// A symbolic link is a blob too, but no regular file.
const LINK: i32 = 0o120_000;

fn text(repo: &Repository, id: Oid, name: &str) -> Result<String, ForgeError> {
    let blob = repo.find_blob(id).map_err(internal)?;
    match blob.size() <= MAX_WORKFLOW_BYTES {
        true => Ok(String::from_utf8_lossy(blob.content()).into_owned()),
        false => Err(ForgeError::Unusable(format!("{name} is larger than {MAX_WORKFLOW_BYTES} bytes"))),
    }
}

/// Paths that differ between two commits; of a commit without a base: all its paths.
pub(super) fn changed_paths(path: &str, base: Option<&Sha>, head: &Sha) -> Result<Vec<String>, ForgeError> {
    let repo = open(path)?;
    let tree = |sha: &Sha| repo.find_commit(oid(sha)).and_then(|commit| commit.tree()).map_err(|e| gone(&e, sha));
    let head = tree(head)?;
    let Some(base) = base else {
        let mut paths = Vec::new();
        let walked = head.walk(TreeWalkMode::PreOrder, |directory, entry| {
            if let (Some(ObjectType::Blob), Ok(name)) = (entry.kind(), entry.name()) {
                paths.push(format!("{directory}{name}"));
            }
            TreeWalkResult::Ok
        });
        walked.map_err(internal)?;
        return Ok(paths);
    };
    let diff = repo.diff_tree_to_tree(Some(&tree(base)?), Some(&head), None).map_err(internal)?;
    let mut paths: Vec<String> = diff
        .deltas()
        .flat_map(|delta| [delta.old_file().path().map(Path::to_owned), delta.new_file().path().map(Path::to_owned)])
        .flatten()
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

pub(super) fn merge_base(path: &str, a: &Sha, b: &Sha) -> Result<Option<Sha>, ForgeError> {
    let repo = open(path)?;
    match repo.merge_base(oid(a), oid(b)) {
        Ok(base) => Ok(Some(sha(base))),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(internal(error)),
    }
}

pub(super) fn first_parent(path: &str, head: &Sha) -> Result<Option<Sha>, ForgeError> {
    let repo = open(path)?;
    let commit = repo.find_commit(oid(head)).map_err(|error| gone(&error, head))?;
    Ok(commit.parent_id(0).ok().map(sha))
}

pub(super) fn tip_of(path: &str, git_ref: &str) -> Result<Option<Sha>, ForgeError> {
    let repo = open(path)?;
    match repo.refname_to_id(git_ref) {
        Ok(id) => commit_of(&repo, &sha(id)).map(Some),
        Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => Ok(None),
        Err(error) => Err(internal(error)),
    }
}

fn open(path: &str) -> Result<Repository, ForgeError> {
    Repository::open_bare(path)
        .map_err(|error| ForgeError::Gone(format!("the repository {path} cannot be opened: {}", error.message())))
}

/// Follows an annotated tag to its commit.
fn commit_of(repo: &Repository, id: &Sha) -> Result<Sha, ForgeError> {
    let object = repo.find_object(oid(id), None).map_err(|error| gone(&error, id))?;
    let commit = object.peel_to_commit().map_err(|error| gone(&error, id))?;
    Ok(sha(commit.id()))
}

fn title(repo: &Repository, head: &Sha) -> Result<String, ForgeError> {
    let commit = repo.find_commit(oid(head)).map_err(|error| gone(&error, head))?;
    let summary = commit.summary_bytes().map(String::from_utf8_lossy).unwrap_or_default();
    Ok(summary.chars().take(200).collect())
}

fn tip(repo: &Repository, branch: &str) -> Result<Option<Sha>, ForgeError> {
    match repo.refname_to_id(&format!("refs/heads/{branch}")) {
        Ok(id) => Ok(Some(sha(id))),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(internal(error)),
    }
}

fn oid(sha: &Sha) -> Oid {
    Oid::from_str(sha.as_str()).expect("a Sha is 40 hexadecimal digits")
}

fn sha(oid: Oid) -> Sha {
    oid.to_string().parse().expect("git's ids are 40 hexadecimal digits")
}

fn gone(error: &git2::Error, sha: &Sha) -> ForgeError {
    match error.code() {
        ErrorCode::NotFound => ForgeError::Gone(format!("commit {sha} is not in the repository")),
        _ => internal_ref(error),
    }
}

fn internal_ref(error: &git2::Error) -> ForgeError {
    ForgeError::Transient { reason: error.message().to_owned(), after: None }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn internal(error: git2::Error) -> ForgeError {
    internal_ref(&error)
}
