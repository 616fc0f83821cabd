//! Process trees: started in a sandbox or without, watched, and ended whole.

pub mod ladder;
pub mod output;
pub mod sandbox;
pub mod shell;
pub mod tree;

use std::{
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::LazyLock,
};

use anyhow::Context;
use bytes::Bytes;
use indexmap::IndexMap;
use rustix::process::{Pid, Signal};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

use self::{output::Output, sandbox::Place};

/// Environment variable that marks every process of a job, so that one that left its process group
/// is still found at the end.
pub const TRACKING_VARIABLE: &str = "ASSAY_TRACKING_ID";

/// What to run.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The whole environment: nothing is inherited.
    pub env: IndexMap<String, String>,
    pub directory: PathBuf,
    /// Keep standard output apart from the log (which then gets standard error alone).
    pub capture_stdout: bool,
}

/// What a running process does next.
#[derive(Debug)]
pub enum Event {
    /// For the log.
    Output(Bytes),
    /// Captured standard output.
    Captured(Bytes),
    /// Its own process has ended, and all that it wrote was read.
    Exited(ExitStatus),
}

/// A started process tree. Dropped, it kills the tree.
pub struct Running {
    child: Child,
    pid: u32,
    isolated: bool,
    log: Output,
    captured: Option<Output>,
    status: Option<ExitStatus>,
}

/// A shell has what it starts in the background ignore SIGINT and SIGQUIT, and so would all that this starts in turn: no
/// step could clean up when its job is cancelled. Mended where it is so and nowhere else, since work between fork and
/// exec rules out the faster `posix_spawn`.
#[expect(unsafe_code, reason = "what runs between fork and exec has no safe interface")]
fn listen_to_interrupts(command: &mut Command) {
    static IGNORED: LazyLock<bool> = LazyLock::new(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
        mask.is_some_and(|mask| mask & (1 << (libc::SIGINT - 1) | 1 << (libc::SIGQUIT - 1)) != 0)
    });
    if !*IGNORED {
        return;
    }
    // SAFETY: the closure calls `signal` alone, which is async-signal-safe (signal-safety(7)), and touches no memory.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGINT, libc::SIGQUIT] {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        });
    }
}

impl Running {
    /// Starts `invocation` where `place` says.
    pub fn start(place: &Place<'_>, invocation: &Invocation) -> anyhow::Result<Self> {
        let launch = place.launch(invocation);
        let (log, writer) = output::pipe().context("cannot make a pipe")?;
        let (captured, stdout) = if invocation.capture_stdout {
            let (captured, stdout) = output::pipe().context("cannot make a pipe")?;
            (Some(captured), stdout)
        } else {
            (None, writer.try_clone()?)
        };
        let mut command = Command::new(&launch.argv[0]);
        command.args(&launch.argv[1..]).env_clear().envs(&launch.env).process_group(0).kill_on_drop(true);
        command.stdin(if launch.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(stdout).stderr(writer);
        if let Some(directory) = &launch.directory {
            command.current_dir(directory);
        }
        listen_to_interrupts(&mut command);
        let mut child = command.spawn().with_context(|| format!("cannot start `{}`", launch.argv[0]))?;
        // The command holds the pipes' write ends: without this the log would never end.
        drop(command);
        let pid = child.id().context("the process has no id")?;
        if let (Some(bytes), Some(mut stdin)) = (launch.stdin, child.stdin.take()) {
            // A pipe holds 64 KB and the reader may die first: written beside, errors are its exit's to tell.
            tokio::spawn(async move { stdin.write_all(&bytes).await });
        }
        Ok(Self { child, pid, isolated: place.is_isolated(), log, captured, status: None })
    }

    /// Waits for what happens next. Not to be called after [`Event::Exited`].
    pub async fn next(&mut self) -> io::Result<Event> {
        loop {
            if let Some(status) = self.status {
                // What it wrote before it ended is in the pipes already. A process that it left behind may
                // hold them open for ever: nobody waits for that one.
                if let Some(bytes) = self.log.read_now()? {
                    return Ok(Event::Output(bytes));
                }
                if let Some(bytes) = self.captured.as_mut().map(Output::read_now).transpose()?.flatten() {
                    return Ok(Event::Captured(bytes));
                }
                return Ok(Event::Exited(status));
            }
            tokio::select! {
                bytes = self.log.read() => if let Some(bytes) = bytes? { return Ok(Event::Output(bytes)) },
                bytes = read_optional(&mut self.captured) => if let Some(bytes) = bytes? { return Ok(Event::Captured(bytes)) },
                status = self.child.wait() => self.status = Some(status?),
            }
        }
    }

    /// Process id of the tree's root, as the runner sees it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to every process of the tree. The sandbox's own processes are spared until the
    /// last: they would take the step with them before it could clean up.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_some() {
            return;
        }
        if signal == Signal::KILL {
            return self.kill();
        }
        if !self.isolated {
            send_to_group(self.pid, signal);
            return;
        }
        let all = tree::snapshot();
        for process in tree::descendants(self.pid, &all) {
            if !sandbox::is_own_process(&process.name) {
                send(process.pid, signal);
            }
        }
    }

    /// Kills what is left of the process group of a step that was stopped: a shell starts its background
    /// jobs with SIGINT ignored, so that they outlive it.
    pub fn end_group(&self) {
        send_to_group(self.pid, Signal::KILL);
    }

    fn kill(&self) {
        // Looked up first: once the root is dead its children belong to someone else.
        let all = tree::snapshot();
        let descendants = tree::descendants(self.pid, &all);
        send_to_group(self.pid, Signal::KILL);
        for process in descendants {
            send(process.pid, Signal::KILL);
        }
    }

    /// What the process left behind goes on writing to these: keep reading, or it would be stopped by
    /// a full or broken pipe.
    pub fn into_leftovers(mut self) -> Output {
        std::mem::replace(&mut self.log, Output::closed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.kill();
        }
    }
}

async fn read_optional(output: &mut Option<Output>) -> io::Result<Option<Bytes>> {
    match output {
        Some(output) => output.read().await,
        None => std::future::pending().await,
    }
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Gone already is as good.
        rustix::process::kill_process(pid, signal).ok();
    }
}

fn send_to_group(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        rustix::process::kill_process_group(pid, signal).ok();
    }
}

/// Kills every process that carries a job's tracking id.
pub fn kill_tracked(id: &str) -> usize {
    let pids = tree::tracked(id);
    for pid in &pids {
        send(*pid, Signal::KILL);
    }
    pids.len()
}

/// The exit code as a shell would give it: 128 + signal where one ended the process.
pub fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
