//! `assay serve` as a process of its own, to be killed.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::Signal;

use crate::binary::assay;

pub struct ServerProcess {
    child: Child,
    /// Where it listens; none where it was killed or gave up before it said so.
    pub url: Option<String>,
}

impl ServerProcess {
    /// Starts a server on a free port and waits until it serves.
    #[track_caller]
    pub fn start(data: &Path, arguments: &[&str]) -> Self {
        let mut process = Self::spawn(data, arguments);
        process.wait_until_serving();
        if process.url.is_none() {
            let _ = process.child.wait();
            let mut words = String::new();
            if let Some(mut stderr) = process.child.stderr.take() {
                let _ = stderr.read_to_string(&mut words);
            }
            panic!("the server ended before it served:\n{words}");
        }
        process
    }

    /// Starts a server without waiting for it.
    pub fn spawn(data: &Path, arguments: &[&str]) -> Self {
        let child = Command::new(assay())
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was just built");
        Self { child, url: None }
    }

    /// Reads what it prints until it says where it serves, or ends.
    pub fn wait_until_serving(&mut self) {
        let stdout = self.child.stdout.take().expect("piped");
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(rest) = line.strip_prefix("Assay serves ") {
                self.url = rest.split(' ').next().map(str::to_owned);
                return;
            }
        }
    }

    pub fn url(&self) -> &str {
        self.url.as_deref().expect("it serves")
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it answers to SIGTERM, and what it wrote to standard error until then.
    pub fn terminate(self) -> (ExitStatus, String) {
        self.end(Signal::TERM)
    }

    /// The same for Ctrl-C.
    pub fn interrupt(self) -> (ExitStatus, String) {
        self.end(Signal::INT)
    }

    fn end(mut self, signal: Signal) -> (ExitStatus, String) {
        let pid = rustix::process::Pid::from_raw(self.child.id().cast_signed()).expect("a child has a pid");
        let _ = rustix::process::kill_process(pid, signal);
        let status = self.child.wait().expect("it is our child");
        let mut words = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut words);
        }
        (status, words)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
