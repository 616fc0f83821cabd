//! Real repositories, made commit by commit.

use std::path::{Path, PathBuf};

use git2::{Repository, Signature, Time};
use workflows::ids::Sha;

/// A bare repository on disk. Commits are written straight into it, as a push would leave them.
pub struct BareRepo {
    repo: Repository,
    pub path: PathBuf,
}

impl BareRepo {
    pub fn init(path: &Path) -> Self {
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).initial_head("main").mkdir(true).mkpath(true);
        let repo = Repository::init_opts(path, &options).expect("a fresh directory takes a repository");
        Self { repo, path: path.canonicalize().expect("it was just made") }
    }

    /// Commits files on top of a branch (made from `from` where it is new) and moves the branch.
    /// Files of the parent stay, unless given again.
    pub fn commit(&self, branch: &str, from: Option<&Sha>, message: &str, files: &[(&str, &[u8])]) -> Sha {
        let git_ref = format!("refs/heads/{branch}");
        let tip = self.repo.refname_to_id(&git_ref).ok();
        let parent = tip.or_else(|| from.map(|sha| git2::Oid::from_str(sha.as_str()).expect("a Sha is an oid")));
        let parent = parent.map(|oid| self.repo.find_commit(oid).expect("the parent is there"));
        let mut index = git2::Index::new().expect("an index in memory");
        if let Some(parent) = &parent {
            index.read_tree(&parent.tree().expect("a commit has a tree")).expect("it can be read");
        }
        for (path, bytes) in files {
            self.add(&mut index, path, bytes).expect("added");
        }
        let tree = index.write_tree_to(&self.repo).expect("the tree is written");
        let tree = self.repo.find_tree(tree).expect("it was just written");
        let who = Signature::new("Ada Lovelace", "ada@example.com", &Time::new(1_700_000_000, 0)).expect("valid");
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let oid = self.repo.commit(Some(&git_ref), &who, &who, message, &tree, &parents).expect("committed");
        oid.to_string().parse().expect("git writes ids of 40 digits")
    }

    /// An index without a repository cannot write blobs: write the blob, then name it.
    fn add(&self, index: &mut git2::Index, path: &str, bytes: &[u8]) -> Result<(), git2::Error> {
        let mut entry = entry(path);
        entry.id = self.repo.blob(bytes)?;
        index.add(&entry)
    }

    /// Moves a branch to a commit that is there, as a fast-forward merge does.
    pub fn point(&self, branch: &str, sha: &Sha) {
        let oid = git2::Oid::from_str(sha.as_str()).expect("a Sha is an oid");
        self.repo.reference(&format!("refs/heads/{branch}"), oid, true, "moved").expect("the commit is there");
    }

    /// Takes a commit out of the repository, as a collection of garbage does with one that nothing leads to.
    pub fn forget(&self, sha: &Sha) {
        let (folder, file) = sha.as_str().split_at(2);
        std::fs::remove_file(self.path.join("objects").join(folder).join(file)).expect("commits of tests are loose");
    }

    pub fn tip(&self, branch: &str) -> Option<Sha> {
        let oid = self.repo.refname_to_id(&format!("refs/heads/{branch}")).ok()?;
        Some(oid.to_string().parse().expect("git writes ids of 40 digits"))
    }
}

fn entry(path: &str) -> git2::IndexEntry {
    let zero = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id: git2::Oid::ZERO_SHA1,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}
