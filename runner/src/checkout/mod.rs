//! From a commit id to files: a bare mirror per repository in the cache, and `checkout_tree` from it
//! into the job's directory. What a step sees has no `.git`, no hooks and no token.

pub mod lfs;
mod mirror;
mod options;
pub mod working_tree;

use std::path::Path;

use anyhow::{Context, bail};
use git2::{Oid, Repository, build::CheckoutBuilder};
use workflows::protocol::CheckoutSpec;

/// Puts the files of a commit into the directory `into`. Blocks: git2 knows no async.
pub fn checkout(source: &CheckoutSpec, cache: &Path, into: &Path) -> anyhow::Result<()> {
    options::set_once();
    let oid = Oid::from_str(source.sha.as_str())?;
    let local = local_path(&source.url);
    let repository = match local {
        // On this machine already, and immutable where the commit is concerned: a mirror would only be a
        // slow copy (libgit2 took 13 s to fetch one commit over a local path).
        Some(path) => Repository::open(path).with_context(|| format!("cannot open the repository {}", source.url))?,
        None => mirror::with_commit(source, oid, cache)?,
    };
    let commit = repository.find_commit(oid).with_context(|| format!("the commit {oid} is not in {}", source.url))?;
    let into = into.canonicalize()?;
    let mut how = CheckoutBuilder::new();
    // A relative directory would be taken as below the repository.
    how.target_dir(&into).force().update_index(false);
    repository.checkout_tree(commit.as_object(), Some(&mut how)).context("the files cannot be written")?;
    if into.join(".git").exists() {
        bail!("the commit holds a file named .git");
    }
    Ok(())
}

fn local_path(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("file://").unwrap_or(url);
    path.starts_with('/').then(|| Path::new(path))
}

#[cfg(test)]
mod tests;
