//! Bare mirrors in the cache, one for each repository.

use std::{
    cell::Cell,
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, bail};
use git2::{
    AutotagOption, Cred, CredentialType, ErrorCode, FetchOptions, Oid, ProxyOptions, RemoteCallbacks, Repository,
    RepositoryInitOptions,
};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use workflows::protocol::CheckoutSpec;

/// libgit2 asks again after every 401, for ever.
const MOST_LOGINS: u32 = 2;

/// The mirror of a repository, with the commit in it.
pub(super) fn with_commit(source: &CheckoutSpec, oid: Oid, cache: &Path) -> anyhow::Result<Repository> {
    let mirrors = cache.join("mirrors");
    fs::create_dir_all(&mirrors)?;
    let name = hex::encode(Sha256::digest(source.url.as_bytes()));
    // One fetch at a time: also of another runner that shares the cache.
    let lock = File::create(mirrors.join(format!("{name}.lock")))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let path = mirrors.join(format!("{name}.git"));
    let repository = match Repository::open_bare(&path) {
        Ok(repository) => repository,
        Err(e) if e.code() == ErrorCode::NotFound => {
            let mut how = RepositoryInitOptions::new();
            // No template: its hooks have no business here.
            how.bare(true).no_reinit(true).external_template(false);
            Repository::init_opts(&path, &how)?
        }
        Err(e) => return Err(e).with_context(|| format!("cannot open the mirror {}", path.display())),
    };
    if repository.find_commit(oid).is_err() {
        fetch(&repository, source, oid)?;
    }
    Ok(repository)
}

fn fetch(repository: &Repository, source: &CheckoutSpec, oid: Oid) -> anyhow::Result<()> {
    let exact = fetch_refspec(repository, source, &format!("+{oid}:refs/assay/{oid}"));
    if exact.is_ok() && repository.find_commit(oid).is_ok() {
        return Ok(());
    }
    // Some servers do not serve a bare id (protocol v0 without allow-reachable-sha1-in-want).
    let Some(git_ref) = &source.git_ref else {
        exact.with_context(|| format!("cannot fetch {oid} from {}", source.url))?;
        bail!("{} did not send the commit {oid}", source.url);
    };
    fetch_refspec(repository, source, &format!("+{git_ref}:refs/assay/{oid}"))
        .with_context(|| format!("cannot fetch {git_ref} from {}", source.url))?;
    if repository.find_commit(oid).is_err() {
        bail!("{git_ref} of {} does not lead to the commit {oid}: it was moved since", source.url);
    }
    Ok(())
}

fn fetch_refspec(repository: &Repository, source: &CheckoutSpec, refspec: &str) -> Result<(), git2::Error> {
    let logins = Cell::new(0);
    let mut callbacks = RemoteCallbacks::new();
    callbacks.credentials(|_url, _user, kinds| {
        logins.set(logins.get() + 1);
        match &source.token {
            Some(token) if logins.get() <= MOST_LOGINS && kinds.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                Cred::userpass_plaintext("x-access-token", token)
            }
            Some(_) => Err(git2::Error::from_str("the forge refuses the token")),
            None => Err(git2::Error::from_str("the forge asks for credentials and there are none")),
        }
    });
    let mut proxy = ProxyOptions::new();
    proxy.auto();
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks).proxy_options(proxy).download_tags(AutotagOption::None).depth(1);
    // Anonymous: a named remote would keep its URL on disk.
    repository.remote_anonymous(&source.url)?.fetch(&[refspec], Some(&mut options), None)
}
