//! Hooks of the `local` forge: a bare repository tells the server what was pushed, and asks it
//! before the default branch moves.
//!
//! The hook scripts only call this binary again, so that signing, JSON and messages are written once.
//! What they need to know is in the repository's own git configuration, section `assay`.

use std::{
    io::BufRead,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;
use workflows::ids::{RepoName, Sha};

use crate::{
    api::{Api, GateAnswer},
    exit::Exit,
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Install Assay's hooks into a bare repository.
    Install(Install),
    /// Called by git after a push: tells the server.
    #[command(hide = true)]
    PostReceive,
    /// Called by git before a ref moves: asks the gate.
    #[command(hide = true)]
    Update { git_ref: String, old: String, new: String },
}

#[derive(Debug, clap::Args)]
pub struct Install {
    /// The bare repository.
    pub repo: PathBuf,
    /// Address of the server.
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// Name as pages show it; by default the last two parts of the path.
    #[arg(long, value_name = "OWNER/NAME")]
    pub repository: Option<RepoName>,
    /// The secret that signs deliveries: DATA/secrets/local-webhook of the server.
    #[arg(long, value_name = "FILE")]
    pub secret_file: PathBuf,
}

pub async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Install(install) => {
            let repository = install_hooks(&install)?;
            crate::ui::say(format!("hooks installed: pushes to {repository} are now evaluated"));
            Ok(Exit::Yes)
        }
        Command::PostReceive => post_receive(std::io::stdin().lock()).await,
        Command::Update { git_ref, old, new } => update(&git_ref, &old, &new).await,
    }
}

/// Writes the hooks and their configuration; says under which name the repository is known.
pub fn install_hooks(install: &Install) -> anyhow::Result<RepoName> {
    let path = install.repo.canonicalize().with_context(|| format!("cannot find {}", install.repo.display()))?;
    let repo = git2::Repository::open_bare(&path)
        .with_context(|| format!("{} is not a bare git repository (`git init --bare` makes one)", path.display()))?;
    let repository = match &install.repository {
        Some(name) => name.clone(),
        None => name_from_path(&path)?,
    };
    let secret_file = install
        .secret_file
        .canonicalize()
        .with_context(|| format!("cannot read the secret file {}", install.secret_file.display()))?;

    let mut config = repo.config()?.open_level(git2::ConfigLevel::Local)?;
    config.set_str("assay.server", install.server.trim_end_matches('/'))?;
    config.set_str("assay.repository", repository.as_str())?;
    config.set_str("assay.secretfile", utf8(&secret_file)?)?;

    let assay = std::env::current_exe().context("cannot find the path of this binary")?;
    let assay = utf8(&assay)?.replace('\'', r"'\''");
    write_script(&path.join("hooks/post-receive"), &format!("#!/bin/sh\nexec '{assay}' hook post-receive\n"))?;
    write_script(&path.join("hooks/update"), &format!("#!/bin/sh\nexec '{assay}' hook update \"$1\" \"$2\" \"$3\"\n"))?;
    Ok(repository)
}

/// `/srv/git/acme/digits.git` → `acme/digits`.
fn name_from_path(path: &Path) -> anyhow::Result<RepoName> {
    let part = |p: Option<&Path>| p.and_then(Path::file_name).and_then(|n| n.to_str()).map(str::to_owned);
    let name = part(Some(path)).ok_or_else(|| anyhow!("{} has no name", path.display()))?;
    let owner = part(path.parent()).unwrap_or_else(|| "local".to_owned());
    let name = name.strip_suffix(".git").unwrap_or(&name);
    format!("{owner}/{name}").parse().with_context(|| "name the repository with --repository owner/name".to_owned())
}

fn write_script(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn utf8(path: &Path) -> anyhow::Result<&str> {
    path.to_str().ok_or_else(|| anyhow!("{} is not UTF-8", path.display()))
}

/// What `install` wrote, and where the hook runs.
struct HookContext {
    path: PathBuf,
    default_branch: String,
    server: Api,
    repository: RepoName,
    secret: Vec<u8>,
}

impl HookContext {
    /// Git runs hooks with `GIT_DIR` set, or in the repository.
    fn read() -> anyhow::Result<Self> {
        let repo = git2::Repository::open_from_env().or_else(|_| git2::Repository::open("."))?;
        let config = repo.config()?;
        let secret_file = config.get_string("assay.secretfile").context("assay.secretfile is not configured")?;
        let secret = std::fs::read_to_string(&secret_file).with_context(|| format!("cannot read {secret_file}"))?;
        // An unborn HEAD still names the branch that the first push will make the default one.
        let head = repo.find_reference("HEAD")?;
        let default_branch = head.symbolic_target()?.map(workflows::event::short_ref).unwrap_or("main").to_owned();
        Ok(Self {
            path: repo.path().canonicalize()?,
            default_branch,
            server: Api::new(&config.get_string("assay.server").context("assay.server is not configured")?),
            repository: config.get_string("assay.repository").context("assay.repository is not configured")?.parse()?,
            secret: secret.trim().as_bytes().to_vec(),
        })
    }
}

/// One delivery per ref that moved. A push is not undone by a server that is away: the message says
/// what was missed, and pushing again delivers again.
async fn post_receive(input: impl BufRead) -> anyhow::Result<Exit> {
    let hook = HookContext::read()?;
    let mut exit = Exit::Yes;
    for line in input.lines() {
        let line = line?;
        let [before, after, git_ref] = line.split(' ').collect::<Vec<_>>()[..] else {
            bail!("git sent a line that is no ref update: {line:?}");
        };
        match deliver(&hook, before, after, git_ref).await {
            Ok(()) if after.parse::<Sha>().is_ok_and(|sha| !sha.is_zero()) => {
                eprintln!("Assay: {} received; follow it at {}", short(after), hook.server.page(&hook.repository));
            }
            Ok(()) => {}
            Err(error) => {
                eprintln!("Assay: {git_ref} was pushed, but the server was not told: {error:#}");
                exit = Exit::Broken;
            }
        }
    }
    Ok(exit)
}

fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

async fn deliver(hook: &HookContext, before: &str, after: &str, git_ref: &str) -> anyhow::Result<()> {
    let actor = std::env::var("GIT_PUSHER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "local".to_owned());
    let body = serde_json::to_vec(&json!({
        "ref": git_ref,
        "before": before,
        "after": after,
        "actor": actor,
        "repository": {
            "full_name": hook.repository,
            "path": utf8(&hook.path)?,
            "default_branch": hook.default_branch,
        },
    }))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&hook.secret).expect("HMAC takes keys of any length");
    mac.update(&body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let guid = hex::encode(rand::random::<[u8; 16]>());
    hook.server.deliver("local", "push", &guid, &signature, body).await
}

/// Only the default branch is guarded: every other branch is a pull request that may be as bad as it likes.
async fn update(git_ref: &str, old: &str, new: &str) -> anyhow::Result<Exit> {
    let hook = HookContext::read()?;
    if git_ref != format!("refs/heads/{}", hook.default_branch) {
        return Ok(Exit::Yes);
    }
    let (old, new): (Sha, Sha) = (old.parse()?, new.parse()?);
    if old.is_zero() || new.is_zero() {
        return Ok(Exit::Yes);
    }
    let answer: GateAnswer = hook.server.gate(&hook.repository, &new).await.with_context(|| {
        // Fails closed: a gate that opens when nobody answers is no gate.
        format!("Assay cannot be asked about {}, so {} stays where it is", new.short(), hook.default_branch)
    })?;
    if answer.allowed {
        return Ok(Exit::Yes);
    }
    eprintln!("Assay refuses to move {} to {}:", hook.default_branch, new.short());
    eprintln!("  {}", answer.reason.as_deref().unwrap_or(&answer.title));
    if let Some(url) = &answer.url {
        eprintln!("  {url}");
    }
    Ok(Exit::No)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_after_the_end_of_its_path() {
        let name = |path: &str| name_from_path(Path::new(path)).map(String::from).ok();
        assert_eq!(name("/srv/git/acme/digits.git").as_deref(), Some("acme/digits"));
        assert_eq!(name("/srv/digits").as_deref(), Some("srv/digits"));
        assert_eq!(name("/srv/a b/digits"), None);
    }
}
