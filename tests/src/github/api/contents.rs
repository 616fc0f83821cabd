//! Files, commits and comparisons, from a real repository.

use base64::{Engine, prelude::BASE64_STANDARD};
use git2::{ObjectType, Oid};
use serde_json::{Value, json};

use super::{Reply, Request, open};
use crate::github::{contract::contract, state::Repo};

/// Files that a comparison lists at most.
const LISTED_FILES: usize = 300;

pub(super) fn contents(repo: &Repo, url: &str, path: &str, request: &Request) -> Reply {
    let git = open(repo);
    let wanted = request.query("ref").unwrap_or("HEAD");
    let Ok(commit) = git.revparse_single(wanted).and_then(|object| object.peel_to_commit()) else {
        return Reply::error(404, &format!("No commit found for the ref {wanted}"));
    };
    let tree = commit.tree().expect("a commit has a tree");
    let Ok(entry) = tree.get_path(path.as_ref()) else { return Reply::error(404, "Not Found") };
    let api = |path: &str| format!("{url}/repos/{}/contents/{}", repo.name, path.replace(' ', "%20"));
    let links = |path: &str| json!({ "git": null, "html": null, "self": api(path) });
    let object = entry.to_object(&git).expect("the tree names it");
    match (object.as_blob(), object.as_tree()) {
        (Some(blob), _) => {
            // GitHub breaks the lines of its base64.
            let encoded = BASE64_STANDARD.encode(blob.content());
            let content: String =
                encoded.as_bytes().chunks(60).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
            let large = blob.size() > 1024 * 1024;
            let name = path.rsplit('/').next().unwrap_or(path);
            Reply::new(
                200,
                json!({
                    "type": "file", "name": name, "path": path, "sha": blob.id().to_string(), "size": blob.size(),
                    "encoding": if large { "none" } else { "base64" }, "content": if large { "" } else { &content },
                    "url": api(path), "git_url": null, "html_url": null, "download_url": null, "_links": links(path),
                }),
            )
        }
        (None, Some(directory)) => {
            let entries = directory.iter().map(|entry| {
                let name = entry.name().expect("tests name files in UTF-8").to_owned();
                let path = format!("{path}/{name}");
                let size = git.find_blob(entry.id()).map_or(0, |blob| blob.size());
                let kind = if entry.kind() == Some(ObjectType::Tree) { "dir" } else { "file" };
                json!({
                    "type": kind, "name": name, "path": path, "sha": entry.id().to_string(), "size": size,
                    "url": api(&path), "git_url": null, "html_url": null, "download_url": null, "_links": links(&path),
                })
            });
            Reply::new(200, entries.collect())
        }
        (None, None) => Reply::error(404, "Not Found"),
    }
}

pub(super) fn commit(repo: &Repo, sha: &str) -> Reply {
    let git = open(repo);
    let parents = Oid::from_str(sha).and_then(|oid| {
        let place = |id: Oid| format!("https://example.com/commits/{id}");
        let parent = |id: Oid| json!({ "sha": id.to_string(), "url": place(id), "html_url": place(id) });
        Ok(git.find_commit(oid)?.parent_ids().map(parent).collect::<Vec<_>>())
    });
    match parents {
        Ok(parents) => Reply::new(200, contract().sample("git-commit", &json!({ "sha": sha, "parents": parents }))),
        Err(_) => Reply::error(404, "Not Found"),
    }
}

/// `heads/main`, `tags/v1`.
pub(super) fn tip(repo: &Repo, name: &str) -> Reply {
    let git = open(repo);
    match git.revparse_single(&format!("refs/{name}")).and_then(|object| object.peel_to_commit()) {
        Ok(commit) => Reply::new(200, contract().sample("commit", &json!({ "sha": commit.id().to_string() }))),
        Err(_) => Reply::error(422, &format!("No commit found for SHA: {name}")),
    }
}

pub(super) fn compare(repo: &Repo, basehead: &str) -> Reply {
    let git = open(repo);
    let sides = basehead.split_once("...").and_then(|(base, head)| {
        let base = git.find_commit(Oid::from_str(base).ok()?).ok()?;
        let head = git.find_commit(Oid::from_str(head).ok()?).ok()?;
        let merge_base = git.merge_base(base.id(), head.id()).ok()?;
        Some((base, head, git.find_commit(merge_base).ok()?))
    });
    let Some((base, head, merge_base)) = sides else { return Reply::error(404, "Not Found") };
    let (old, new) = (merge_base.tree().expect("has a tree"), head.tree().expect("has a tree"));
    let mut diff = git.diff_tree_to_tree(Some(&old), Some(&new), None).expect("both are there");
    diff.find_similar(None).expect("renames are found");
    let files: Vec<Value> = diff
        .deltas()
        .take(LISTED_FILES)
        .map(|delta| {
            let name = |file: git2::DiffFile<'_>| file.path().map(|path| path.to_string_lossy().into_owned());
            let status = match delta.status() {
                git2::Delta::Added => "added",
                git2::Delta::Deleted => "removed",
                git2::Delta::Renamed => "renamed",
                _ => "modified",
            };
            let mut file = json!({ "filename": name(delta.new_file()), "status": status, "sha": delta.new_file().id().to_string() });
            if status == "renamed" {
                file["previous_filename"] = json!(name(delta.old_file()));
            }
            contract().sample("diff-entry", &file)
        })
        .collect();
    let (ahead, behind) = git.graph_ahead_behind(head.id(), base.id()).expect("both are there");
    let shown = |commit: &git2::Commit<'_>| contract().sample("commit", &json!({ "sha": commit.id().to_string() }));
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        (_, _) => "diverged",
    };
    let known = json!({
        "status": status, "ahead_by": ahead, "behind_by": behind, "total_commits": ahead,
        "base_commit": shown(&base), "merge_base_commit": shown(&merge_base), "files": files,
    });
    Reply::new(200, contract().sample("commit-comparison", &known))
}
