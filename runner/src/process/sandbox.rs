//! Bubblewrap around a step, where a real trial at the runner's start shows that it works.
//!
//! A step sees the system read-only, its job's directories under the same paths as outside, its own
//! `/tmp`, `/proc` and `/dev`, and the network. It gets its own user, process, IPC and host-name
//! namespaces, no capability, and no way to make further user namespaces.
//!
//! A runner that is root needs two stages. bubblewrap in a user namespace maps its user to *root*
//! outside, so that "nobody" inside could read root's files. So a first bubblewrap, as root, only lays
//! the mounts (it may reach directories that the job's user may not, such as below `/root`);
//! `setpriv` then drops to the slot's unprivileged user; a second bubblewrap, as that user, makes the
//! user namespace. The step's environment reaches only the second, over its standard input: a
//! `LD_PRELOAD` of the step must not be loaded by a root process, and secrets must not be seen in a
//! command line.
//!
//! None of this equals a virtual machine, and no limit on memory is set here.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use indexmap::IndexMap;
use workflows::protocol::Isolation;

use super::{Invocation, shell};

/// First of the users that a root runner's slots drop to: a range that systemd and Debian leave free.
const FIRST_UID: u32 = 60_600;

/// How this runner isolates steps.
#[derive(Debug, Clone)]
pub enum Sandbox {
    Bubblewrap(Bubblewrap),
    /// Own process group only.
    None,
}

#[derive(Debug, Clone)]
pub struct Bubblewrap {
    program: PathBuf,
    /// The runner is root: drop before the user namespace is made.
    as_root: bool,
    /// Read-only views of the machine: system and tools.
    system: Vec<String>,
}

/// Where one step runs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub sandbox: &'a Sandbox,
    /// Of the runner; decides the user.
    pub slot: u32,
    pub writable: &'a [PathBuf],
    pub readable: &'a [PathBuf],
    pub gpus: &'a [u32],
}

/// What is handed to the system to start.
pub(super) struct Launch {
    pub argv: Vec<String>,
    pub env: IndexMap<String, String>,
    pub directory: Option<PathBuf>,
    pub stdin: Option<Vec<u8>>,
}

impl Sandbox {
    pub fn isolation(&self) -> Isolation {
        match self {
            Sandbox::Bubblewrap(_) => Isolation::Bubblewrap,
            Sandbox::None => Isolation::None,
        }
    }

    /// The user that a slot's steps run as, where it is not the runner's own.
    pub fn user(&self, slot: u32) -> Option<u32> {
        match self {
            Sandbox::Bubblewrap(bubblewrap) if bubblewrap.as_root => Some(FIRST_UID + slot),
            Sandbox::Bubblewrap(_) | Sandbox::None => None,
        }
    }

    /// Tries bubblewrap in `work_dir`, as a step would use it; `readable` are files that steps need.
    /// Says why not where it does not work.
    pub async fn detect(work_dir: &Path, readable: &[PathBuf]) -> Result<Self, String> {
        let path = std::env::var("PATH").unwrap_or_default();
        let program = shell::find("bwrap", &path).ok_or("bwrap is not installed (package bubblewrap)")?;
        let as_root = rustix::process::geteuid().is_root();
        let sandbox = Self::Bubblewrap(Bubblewrap { program, as_root, system: system_view(&path) });
        sandbox.try_out(work_dir, readable).await.map_err(|e| format!("bubblewrap does not work here: {e:#}"))?;
        Ok(sandbox)
    }

    async fn try_out(&self, work_dir: &Path, readable: &[PathBuf]) -> anyhow::Result<()> {
        let trial = tempfile::Builder::new().prefix("trial").tempdir_in(work_dir)?;
        fs::set_permissions(trial.path(), fs::Permissions::from_mode(0o700))?;
        if let Some(user) = self.user(0) {
            chown(trial.path(), Some(user), Some(user))?;
        }
        let writable = [trial.path().canonicalize()?];
        let place = Place { sandbox: self, slot: 0, writable: &writable, readable, gpus: &[] };
        // No capability is left, a user namespace cannot be made, the job's directory can be written.
        let script = "set -e; : >written; for f; do test -r \"$f\"; done; grep -q '^CapEff:.0*$' /proc/self/status";
        let mut argv: Vec<String> = ["/bin/sh", "-c", script, "sh"].map(str::to_owned).to_vec();
        argv.extend(readable.iter().map(|path| path.display().to_string()));
        let directory = writable[0].clone();
        let invocation = Invocation { argv, env: IndexMap::new(), directory, capture_stdout: false };
        let launch = place.launch(&invocation);
        let input = tempfile::tempfile()?;
        {
            use std::io::{Seek, Write};
            let mut input = &input;
            input.write_all(&launch.stdin.unwrap_or_default())?;
            input.rewind()?;
        }
        let mut command = tokio::process::Command::new(&launch.argv[0]);
        command.args(&launch.argv[1..]).env_clear().stdin(input).kill_on_drop(true);
        let output = tokio::time::timeout(std::time::Duration::from_secs(20), command.output()).await;
        let output = output.context("it did not end within 20 s")??;
        if !output.status.success() || !trial.path().join("written").is_file() {
            bail!("{} ({})", String::from_utf8_lossy(&output.stderr).trim(), output.status);
        }
        Ok(())
    }
}

/// The command line with the program's whole path, where the step's own `PATH` has it. Left to be
/// searched for after a fork, it would cost a copy of the runner's page tables for every step: std
/// takes `posix_spawn` only for programs that it need not search.
fn by_path(invocation: &Invocation) -> Vec<String> {
    let mut argv = invocation.argv.clone();
    let path = invocation.env.get("PATH").map_or("", String::as_str);
    if let Some(program) = argv.first_mut().filter(|program| !program.contains('/'))
        && let Some(found) = shell::find(program, path)
    {
        *program = found.display().to_string();
    }
    argv
}

/// Processes of the sandbox itself, by name.
pub(super) fn is_own_process(name: &str) -> bool {
    matches!(name, "bwrap" | "setpriv")
}

impl Place<'_> {
    pub(super) fn is_isolated(&self) -> bool {
        matches!(self.sandbox, Sandbox::Bubblewrap(_))
    }

    pub(super) fn launch(&self, invocation: &Invocation) -> Launch {
        match self.sandbox {
            Sandbox::None => Launch {
                argv: by_path(invocation),
                env: invocation.env.clone(),
                directory: Some(invocation.directory.clone()),
                stdin: None,
            },
            Sandbox::Bubblewrap(bubblewrap) => self.wrap(bubblewrap, invocation),
        }
    }

    fn wrap(&self, bubblewrap: &Bubblewrap, invocation: &Invocation) -> Launch {
        let program = bubblewrap.program.display().to_string();
        let mut argv = vec![program.clone()];
        let mut push = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
        push(&["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]);
        push(&["--die-with-parent", "--new-session"]);
        let user = self.sandbox.user(self.slot).map(|user| user.to_string());
        if user.is_none() {
            push(&["--unshare-user", "--disable-userns"]);
        }
        argv.extend(bubblewrap.system.iter().cloned());
        self.mounts(&mut argv);
        let mut push = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
        if let Some(user) = &user {
            push(&["--", "setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs"]);
            push(&[&program, "--unshare-user", "--disable-userns", "--die-with-parent"]);
            push(&["--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc"]);
        }
        // The rest comes in over standard input, which the step then finds at /dev/null.
        push(&["--args", "0", "--", "/bin/sh", "-c", "exec \"$@\" </dev/null", "sh"]);
        argv.extend(invocation.argv.iter().cloned());
        let mut input = Vec::new();
        let mut say = |word: &str| {
            input.extend_from_slice(word.as_bytes());
            input.push(0);
        };
        say("--chdir");
        say(&invocation.directory.display().to_string());
        for (name, value) in &invocation.env {
            // A NUL would end the word early; no environment can hold one either.
            if !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0') {
                ["--setenv", name, value].into_iter().for_each(&mut say);
            }
        }
        let env = IndexMap::from([("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned())]);
        Launch { argv, env, directory: None, stdin: Some(input) }
    }

    fn mounts(&self, argv: &mut Vec<String>) {
        let bound = self.readable.iter().map(|path| ("--ro-bind", path));
        let bound: Vec<_> = bound.chain(self.writable.iter().map(|path| ("--bind", path))).collect();
        // Parents by hand: bubblewrap would make them unreadable for the job's user.
        let mut parents = BTreeSet::new();
        for (_, path) in &bound {
            parents.extend(path.ancestors().skip(1).filter(|path| !is_system(path)).map(Path::to_path_buf));
        }
        for parent in parents {
            argv.extend(["--perms", "0755", "--dir"].map(str::to_owned));
            argv.push(parent.display().to_string());
        }
        for (how, path) in bound {
            let path = path.display().to_string();
            argv.extend([how.to_owned(), path.clone(), path]);
        }
        let shared = ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"].map(str::to_owned);
        let devices = self.gpus.iter().map(|index| format!("nvidia{index}"));
        let shared = shared.into_iter().filter(|_| !self.gpus.is_empty());
        for device in devices.chain(shared).map(|name| format!("/dev/{name}")) {
            argv.extend(["--dev-bind-try".to_owned(), device.clone(), device]);
        }
    }
}

fn is_system(path: &Path) -> bool {
    path == Path::new("/") || ["/usr", "/etc", "/opt", "/tmp", "/dev"].iter().any(|system| path == Path::new(system))
}

/// Arguments that show the system and its tools, read-only.
fn system_view(path: &str) -> Vec<String> {
    let mut argv: Vec<String> = Vec::new();
    let mut push = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
    push(&["--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc", "--ro-bind-try", "/opt", "/opt"]);
    for link in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
        match fs::read_link(link) {
            Ok(target) => push(&["--symlink", &target.display().to_string(), link]),
            Err(_) => push(&["--ro-bind-try", link, link]),
        }
    }
    push(&["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"]);
    push(&["--perms", "1777", "--tmpfs", "/tmp", "--perms", "1777", "--dir", "/var/tmp"]);
    push(&["--ro-bind-try", "/sys/devices/system", "/sys/devices/system"]);
    if let Ok(resolver) = fs::canonicalize("/etc/resolv.conf")
        && !resolver.starts_with("/etc")
    {
        let resolver = resolver.display().to_string();
        push(&["--ro-bind-try", &resolver, &resolver]);
    }
    // Where tools for one user are commonly kept. Their neighbours may hold credentials: not the whole home.
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let mut tools = BTreeSet::new();
    for directory in path.split(':').map(Path::new).filter(|d| d.is_absolute() && d.is_dir()) {
        if ["/usr", "/bin", "/sbin", "/opt", "/tmp"].iter().any(|system| directory.starts_with(system)) {
            continue;
        }
        let root = directory.ancestors().find(|d| d.file_name() == Some(OsStr::new(".pyenv"))).unwrap_or(directory);
        tools.insert(root.to_path_buf());
    }
    tools.extend(home.map(|home| home.join(".rustup")).filter(|rustup| rustup.is_dir()));
    for tool in tools {
        for parent in tool.ancestors().skip(1).filter(|d| !is_system(d)).collect::<Vec<_>>().into_iter().rev() {
            push(&["--perms", "0755", "--dir", &parent.display().to_string()]);
        }
        let tool = tool.display().to_string();
        push(&["--ro-bind-try", &tool, &tool]);
    }
    argv
}
