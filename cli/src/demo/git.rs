//! The `git` that a person would type, in a repository of the demo's own.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, bail};
use workflows::ids::Sha;

pub(super) struct Git {
    dir: PathBuf,
}

/// What a push came to: refused is an answer, not a failure of ours.
pub(super) struct Push {
    pub(super) accepted: bool,
    /// What git printed: with a refusal, the hook's own words.
    pub(super) output: String,
}

impl Git {
    pub(super) fn init(dir: &Path, bare: bool) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let git = Self { dir: dir.to_owned() };
        let kind: &[&str] = if bare { &["--bare"] } else { &[] };
        git.run(&[&["init", "--quiet", "--initial-branch=main"], kind].concat())?;
        Ok(git)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn run(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self.output(args)?;
        if !output.status.success() {
            bail!("git {} failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.dir.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn commit_all(&self, message: &str) -> anyhow::Result<Sha> {
        self.run(&["add", "--all"])?;
        self.run(&["commit", "--quiet", "--message", message])?;
        Ok(self.run(&["rev-parse", "HEAD"])?.parse()?)
    }

    pub(super) fn push(&self, refspec: &str) -> anyhow::Result<Push> {
        let output = self.output(&["push", "origin", refspec])?;
        Ok(Push { accepted: output.status.success(), output: String::from_utf8_lossy(&output.stderr).into_owned() })
    }

    fn output(&self, args: &[&str]) -> anyhow::Result<Output> {
        let identity = [("NAME", "Ada Lovelace"), ("EMAIL", "ada@example.com")];
        let mut command = Command::new("git");
        command.current_dir(&self.dir).args(args);
        // Whatever the machine's own configuration says (signing, templates, hooks) is not the demo's business.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(variable);
        }
        for (what, value) in identity {
            command.env(format!("GIT_AUTHOR_{what}"), value).env(format!("GIT_COMMITTER_{what}"), value);
        }
        command.output().context("cannot run git; install it (Debian: apt-get install git)")
    }
}
