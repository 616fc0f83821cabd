//! The repository that we stand in: its working tree, its commits, its workflows.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use git2::{Oid, Repository, Tree};
use workflows::{
    event::{Event, EventKind},
    ids::{Forge, RepoName, Sha},
};

const WORKFLOWS: &str = ".assay/workflows";

pub(super) struct WorkTree {
    repo: Repository,
    pub(super) root: PathBuf,
    pub(super) head: Sha,
    /// Name of the branch; a detached head has none.
    pub(super) branch: Option<String>,
    pub(super) default_branch: String,
    /// There are changes that no commit holds yet.
    pub(super) dirty: bool,
}

impl WorkTree {
    pub(super) fn discover(from: &Path) -> anyhow::Result<Self> {
        let repo = Repository::discover(from)
            .map_err(|_| anyhow!("{} is not in a git repository; `git init` makes one", from.display()))?;
        let root = repo.workdir().context("this is a bare repository: there is no working tree to run")?.to_owned();
        let head = repo.head().and_then(|head| head.peel_to_commit()).map(|commit| commit.id());
        let head = head.map_err(|_| anyhow!("this repository has no commit yet; commit once, then run"))?;
        let branch = repo.head()?.shorthand().ok().map(str::to_owned).filter(|name| name != "HEAD");
        let mut options = git2::StatusOptions::new();
        options.include_untracked(true).exclude_submodules(true);
        let dirty = !repo.statuses(Some(&mut options))?.is_empty();
        let default_branch = default_branch(&repo);
        let head = sha(head)?;
        Ok(Self { repo, root, head, branch, default_branch, dirty })
    }

    /// The commit that a push would be compared with: where the branch left the default one; on the
    /// default branch itself the commit before, or the last one if there are uncommitted changes.
    pub(super) fn base(&self, asked: Option<&str>) -> anyhow::Result<Option<Sha>> {
        if let Some(revision) = asked {
            let object =
                self.repo.revparse_single(revision).with_context(|| format!("no commit is called {revision}"))?;
            return Ok(Some(sha(object.peel_to_commit()?.id())?));
        }
        let head = Oid::from_str(self.head.as_str())?;
        let default = ["refs/remotes/origin/", "refs/heads/"]
            .iter()
            .find_map(|place| self.repo.refname_to_id(&format!("{place}{}", self.default_branch)).ok());
        let fork = default.and_then(|default| self.repo.merge_base(head, default).ok());
        match fork {
            Some(fork) if fork != head => Ok(Some(sha(fork)?)),
            Some(_) | None if self.dirty => Ok(Some(self.head.clone())),
            Some(_) | None => self.repo.find_commit(head)?.parent_ids().next().map(sha).transpose(),
        }
    }

    /// The workflow files of the working tree: path in the repository → text.
    pub(super) fn workflow_files(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut files = Vec::new();
        let directory = self.root.join(WORKFLOWS);
        let Ok(entries) = std::fs::read_dir(&directory) else { return Ok(files) };
        for entry in entries {
            let path = entry?.path();
            if is_yaml(&path) {
                let name =
                    path.strip_prefix(&self.root)?.to_str().context("a workflow's name is not UTF-8")?.to_owned();
                let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                files.push((name, text));
            }
        }
        files.sort();
        Ok(files)
    }

    /// One file as a commit has it.
    pub(super) fn file_at(&self, commit: &Sha, path: &str) -> anyhow::Result<Option<String>> {
        let tree: Tree<'_> = self.repo.find_commit(Oid::from_str(commit.as_str())?)?.tree()?;
        let Ok(entry) = tree.get_path(Path::new(path)) else { return Ok(None) };
        let blob = entry.to_object(&self.repo)?.peel_to_blob()?;
        Ok(Some(String::from_utf8_lossy(blob.content()).into_owned()))
    }

    /// The event that a push of this tree would be.
    pub(super) fn event(&self, name: &str, base: Option<&Sha>) -> anyhow::Result<Event> {
        let branch = self.branch.clone().unwrap_or_else(|| "HEAD".to_owned());
        let title = self.repo.find_commit(Oid::from_str(self.head.as_str())?)?;
        let title = title.summary().ok().flatten().unwrap_or_default().to_owned();
        let head = self.head.clone();
        let kind = match name {
            "push" => EventKind::Push { git_ref: format!("refs/heads/{branch}"), before: base.cloned(), head, title },
            "pull_request" => EventKind::PullRequest {
                action: "synchronize".to_owned(),
                number: None,
                title,
                head_ref: branch,
                base_ref: self.default_branch.clone(),
                base: base.cloned().unwrap_or_else(|| head.clone()),
                head,
                from_fork: false,
            },
            "workflow_dispatch" => EventKind::WorkflowDispatch {
                workflow: None,
                git_ref: format!("refs/heads/{branch}"),
                head,
                inputs: serde_json::Map::new(),
            },
            other => anyhow::bail!(
                "--event {other}: not an event that can be made up here (push, pull_request, workflow_dispatch), nor a file"
            ),
        };
        Ok(Event {
            forge: Forge::Local,
            repo: self.name(),
            default_branch: self.default_branch.clone(),
            actor: self.repo.config()?.get_string("user.name").unwrap_or_else(|_| "local".to_owned()),
            kind,
            payload: serde_json::Value::Null,
        })
    }

    /// `local/<folder>`, with what a repository's name may not hold left out.
    pub(super) fn name(&self) -> RepoName {
        let folder = self.root.file_name().and_then(|n| n.to_str()).unwrap_or("here");
        let folder: String =
            folder.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).take(100).collect();
        format!("local/{folder}").parse().unwrap_or_else(|_| "local/here".parse().expect("a valid name"))
    }
}

fn sha(oid: Oid) -> anyhow::Result<Sha> {
    Ok(oid.to_string().parse()?)
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yml" || e == "yaml")
}

/// What `origin` calls its default branch; else `main`, else `master`, whichever is there.
fn default_branch(repo: &Repository) -> String {
    let origin = repo.find_reference("refs/remotes/origin/HEAD").ok();
    let named = origin.and_then(|head| head.symbolic_target().ok().flatten().map(str::to_owned));
    if let Some(name) = named.as_deref().and_then(|name| name.strip_prefix("refs/remotes/origin/")) {
        return name.to_owned();
    }
    let exists = |name: &str| repo.refname_to_id(&format!("refs/heads/{name}")).is_ok();
    if !exists("main") && exists("master") { "master".to_owned() } else { "main".to_owned() }
}
