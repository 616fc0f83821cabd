//! `jobs.<id>.container`: the steps' commands run in a container of the host's own engine.
//!
//! ```text
//! evaluated ─► allowed? ─► image pulled ─► created, asleep ─► steps executed in it ─► files given back ─► removed
//! ```
//!
//! Actions stay outside: they are the runner's own programs. What a step within wrote belongs to the user of the image,
//! often root, and is given back before an action reads it and before the job's directory is removed.

mod client;
mod engine;
mod enter;
mod wanted;

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use rustix::process::Signal;
use serde_json::json;

pub use self::engine::Engine;
use self::{
    client::{ask, pull},
    engine::{Frame, words},
    wanted::Wanted,
};
use super::{Job, Scope, StepCall, files};
use crate::process::{Invocation, sandbox::Sandbox};

/// Where the commands of a job's steps run.
pub(crate) enum Indoors {
    /// On the machine itself, under the runner's sandbox.
    No,
    Yes(Box<Container>),
    /// They were to run in a container, and it could not be had: on the machine they have no business.
    Failed,
}

/// A job's container. Dropped, it is removed.
pub(crate) struct Container {
    engine: Engine,
    name: String,
    wanted: Wanted,
    /// Who owns the job's directories, as the container sees it: `uid:gid`.
    owner: String,
    /// A step ran in it since its files were last given back.
    used: bool,
    removed: bool,
}

/// What it takes to stop a step within.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    engine: Engine,
    name: String,
    pid: PathBuf,
}

/// Makes the container that the job wants, if it wants one. The error is a sentence for people.
pub(super) async fn start(job: &mut Job<'_>, scope: &mut Scope) -> Result<Option<Box<Container>>, String> {
    let Some(written) = &job.spec.job.container else { return Ok(None) };
    let Some(wanted) = wanted::evaluate(written, scope, &job.directories.workspace)? else { return Ok(None) };
    let confined = matches!(job.env.sandbox, Sandbox::Bubblewrap(_));
    if confined {
        wanted.confine()?;
    }
    let Some(engine) = job.env.engine.clone() else {
        return Err("`container:` needs Docker or Podman, and neither is on the search path of this runner: install one there, or remove `container:`".to_owned());
    };
    let image = wanted.image.clone();
    job.log.say(&format!("Container {image}")).await;
    let container = make(job, engine, wanted, confined).await.map_err(|e| format!("the container `{image}`: {e:#}"))?;
    scope.show("job", "container", json!({ "id": container.name }));
    Ok(Some(Box::new(container)))
}

async fn make(job: &mut Job<'_>, engine: Engine, wanted: Wanted, confined: bool) -> anyhow::Result<Container> {
    let identity = pull(job, &engine, &wanted).await?;
    let directories = job.directories.clone();
    let mounts = directories.writable();
    // Below a directory that is the runner's alone: nobody else comes here, and the image's user may be anybody.
    for mount in mounts.iter().filter(|mount| **mount != directories.files) {
        fs::set_permissions(mount, fs::Permissions::from_mode(0o777))?;
    }
    let name = engine::new_name();
    let work = job.env.directory.parent().unwrap_or(&job.env.directory).to_owned();
    let frame = Frame {
        name: &name,
        work: &work,
        workspace: &directories.workspace,
        mounts: &mounts,
        gpus: &job.env.gpus,
        confined,
    };
    let arguments = engine.create(&wanted, &frame);
    // From here on its end removes it, also where `create` or `start` fails half-way.
    let mut container = Container { engine, name, wanted, owner: String::new(), used: false, removed: false };
    container.ask(job, arguments).await?;
    container.ask(job, words(&["start", &container.name])).await?;
    let stat = [
        "exec",
        &container.name,
        "/bin/sh",
        "-c",
        "stat -c %u:%g \"$0\"",
        &directories.workspace.display().to_string(),
    ];
    let owner = container.ask(job, words(&stat)).await.context("it needs /bin/sh and stat")?;
    let owner = owner.trim().to_owned();
    if !owner.split(':').all(|id| id.parse::<u32>().is_ok()) {
        bail!("`stat` gave `{owner}` for the owner of the workspace");
    }
    container.owner = owner;
    job.log.say(&format!("Image {identity}, container {}", container.name)).await;
    Ok(container)
}

impl Container {
    async fn ask(&self, job: &mut Job<'_>, arguments: Vec<String>) -> anyhow::Result<String> {
        ask(job, &self.engine, arguments).await
    }

    /// What starts `argv` within, for a step that is given `call`, and how to stop it.
    pub(super) fn enter(
        &mut self,
        call: &StepCall<'_>,
        directories: &super::Directories,
        paths: &[String],
        argv: Vec<String>,
        directory: &Path,
    ) -> io::Result<(Invocation, Reach)> {
        self.used = true;
        // The image's user may write neither the step's files nor their directory.
        let pid = directories.temp.join(format!(".step{}.pid", call.number));
        let mut env = self.wanted.env.clone();
        env.extend(call.env.clone());
        let script = enter::script(&pid, directory, &env, paths);
        let file = directories.files.join(format!("{}.enter.sh", call.number));
        files::write_new(&file, script.as_bytes(), 0o644)?;
        let mut arguments = words(&["exec", &self.name, "/bin/sh", &file.display().to_string()]);
        arguments.extend(argv);
        let invocation = self.engine.invocation(arguments, &directories.private);
        Ok((invocation, Reach { engine: self.engine.clone(), name: self.name.clone(), pid }))
    }

    /// Gives what steps wrote to whom the job's directories belong.
    pub(super) async fn give_back(&mut self, job: &mut Job<'_>) {
        if !std::mem::take(&mut self.used) {
            return;
        }
        let mut arguments = words(&["exec", "--user", "0", &self.name, "chown", "-hR", &self.owner]);
        let directories = job.directories.writable();
        arguments.extend(
            directories.iter().filter(|path| **path != job.directories.files).map(|path| path.display().to_string()),
        );
        // Also after the job was stopped: its directory is to be removed.
        let mut command = tokio::process::Command::from(detached(&self.engine, &arguments));
        let failed = match command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).output().await {
            Ok(output) if output.status.success() => return,
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(e) => e.to_string(),
        };
        job.log.say(&format!("##[warning]What steps wrote keeps the container's owner: {failed}")).await;
    }

    /// Removes it and waits for that: its directories go next.
    pub(super) async fn remove(mut self: Box<Self>) {
        // A job that is dropped meanwhile starts a second client, which finds nothing to do.
        self.removed =
            tokio::process::Command::from(self.removal()).status().await.is_ok_and(|status| status.success());
    }

    fn removal(&self) -> Command {
        detached(&self.engine, &words(&["rm", "--force", "--volumes", &self.name]))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.removed {
            return;
        }
        match self.removal().spawn() {
            // Waited for beside: the client ends by itself, also after the runner.
            Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
            Err(e) => tracing::warn!("the container {} cannot be removed: {e}", self.name),
        }
    }
}

impl Reach {
    /// Signals the step's processes. The engine does not hand on what its client gets.
    pub(super) fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::INT => "INT",
            Signal::TERM => "TERM",
            _ => "KILL",
        };
        let pid = self.pid.display().to_string();
        let arguments = words(&["exec", &self.name, "/bin/sh", "-c", enter::SIGNAL, &pid, name]);
        match tokio::process::Command::from(detached(&self.engine, &arguments)).spawn() {
            // Reaped by the runtime.
            Ok(child) => drop(child),
            Err(e) => tracing::warn!("a step in {} cannot be signalled: {e}", self.name),
        }
    }
}

/// The client on its own: in a process group that a Ctrl-C at the terminal does not reach.
fn detached(engine: &Engine, arguments: &[String]) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(engine.program());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command
}
