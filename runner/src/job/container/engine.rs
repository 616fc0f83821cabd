//! The container engine's client, and what it is told: words only, nothing runs here.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use indexmap::IndexMap;

use super::wanted::Wanted;
use crate::process::{Invocation, shell};

/// A container engine's client on this machine. Docker's command line is also Podman's.
#[derive(Debug, Clone)]
pub struct Engine {
    program: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Docker,
    Podman,
}

/// Label of every container: the runner's work directory. Whose it was is then known after a crash.
const LABEL: &str = "assay.work";

/// What a container is made with, beside what the workflow wants.
pub(super) struct Frame<'a> {
    pub name: &'a str,
    pub work: &'a Path,
    pub workspace: &'a Path,
    /// Seen under the same paths within: `github.workspace` is then right on both sides, which GitHub's is not.
    pub mounts: &'a [PathBuf],
    /// The job's own.
    pub gpus: &'a [u32],
    pub confined: bool,
}

impl Engine {
    /// Docker, else Podman, on the runner's own search path. Whether its service answers is seen when it is asked.
    pub fn find() -> Option<Self> {
        let path = std::env::var("PATH").unwrap_or_default();
        ["docker", "podman"].iter().find_map(|name| shell::find(name, &path)).map(Self::at)
    }

    /// The client that `program` is; by its name it is Podman's or Docker's.
    pub fn at(program: PathBuf) -> Self {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let kind = if name.starts_with("podman") { Kind::Podman } else { Kind::Docker };
        Self { program, kind }
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    pub(super) fn is_docker(&self) -> bool {
        self.kind == Kind::Docker
    }

    /// The client with `arguments`, in the runner's own environment: it says where the engine is.
    pub(super) fn invocation(&self, arguments: Vec<String>, directory: &Path) -> Invocation {
        let argv = [self.program.display().to_string()].into_iter().chain(arguments).collect();
        let env: IndexMap<String, String> = std::env::vars().filter(|(name, _)| !name.starts_with("ASSAY_")).collect();
        Invocation { argv, env, directory: directory.to_owned(), capture_stdout: false }
    }

    /// `create`: the container sleeps, and steps are executed in it one after the other. As on GitHub, the image's own
    /// entry point is not started.
    pub(super) fn create(&self, wanted: &Wanted, frame: &Frame<'_>) -> Vec<String> {
        let mut argv = words(&["create", "--name", frame.name, "--label"]);
        argv.push(format!("{LABEL}={}", frame.work.display()));
        // What sleeps hears no SIGTERM: Podman would wait for it before it removes.
        argv.extend(words(&["--stop-timeout", "0", "--workdir", &frame.workspace.display().to_string()]));
        for mount in frame.mounts {
            argv.extend(["--volume".to_owned(), format!("{0}:{0}", mount.display())]);
        }
        argv.extend(self.devices(frame.gpus));
        if frame.confined {
            argv.extend(words(&["--cap-drop=MKNOD", "--security-opt=no-new-privileges"]));
        }
        argv.extend(wanted.volumes.iter().flat_map(|volume| ["--volume".to_owned(), volume.clone()]));
        argv.extend(wanted.ports.iter().flat_map(|port| ["--publish".to_owned(), port.clone()]));
        argv.extend(wanted.options.iter().cloned());
        argv.extend(words(&["--entrypoint", "tail", &wanted.image, "-f", "/dev/null"]));
        argv
    }

    /// GPUs of the lease and no others: images of NVIDIA's ask for all of them where nobody says which.
    fn devices(&self, gpus: &[u32]) -> Vec<String> {
        match (self.kind, gpus) {
            (_, []) => words(&["--env", "NVIDIA_VISIBLE_DEVICES=void"]),
            (Kind::Docker, gpus) => {
                let list: Vec<String> = gpus.iter().map(u32::to_string).collect();
                // In quotes: the client reads it as a line of CSV.
                vec!["--gpus".to_owned(), format!("\"device={}\"", list.join(","))]
            }
            (Kind::Podman, gpus) => {
                gpus.iter().flat_map(|gpu| ["--device".to_owned(), format!("nvidia.com/gpu={gpu}")]).collect()
            }
        }
    }

    /// Removes containers of runners that were killed before they could: those of `work` whose process is gone.
    pub async fn sweep(&self, work: &Path) {
        let filter = format!("label={LABEL}={}", work.display());
        let list = ["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"];
        let Ok(output) = self.command(&list).output().await else { return };
        let names = String::from_utf8_lossy(&output.stdout).into_owned();
        let left: Vec<&str> = names.lines().map(str::trim).filter(|name| is_left_behind(name)).collect();
        if !left.is_empty() {
            tracing::info!(containers = left.len(), "removed what a runner before this one left");
            let remove: Vec<&str> = ["rm", "--force", "--volumes"].into_iter().chain(left).collect();
            self.command(&remove).output().await.ok();
        }
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
        command
    }
}

/// Tells this process from one that had its number before: in a container of its own a runner always has the same.
static PROCESS: LazyLock<String> = LazyLock::new(|| format!("{:08x}", rand::random::<u32>()));

/// A name that no other job has, and that tells whose process made it.
pub(super) fn new_name() -> String {
    format!("assay-{}-{}-{:08x}", std::process::id(), *PROCESS, rand::random::<u32>())
}

fn is_left_behind(name: &str) -> bool {
    let mut parts = name.split('-');
    let (Some("assay"), Some(Ok(pid)), Some(process)) =
        (parts.next(), parts.next().map(str::parse::<u32>), parts.next())
    else {
        return false;
    };
    match pid == std::process::id() {
        true => process != *PROCESS,
        false => !Path::new(&format!("/proc/{pid}")).exists(),
    }
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(program: &str, gpus: &[u32], confined: bool) -> String {
        let wanted = Wanted {
            image: "python:3.12".to_owned(),
            env: IndexMap::new(),
            options: words(&["--cpus", "1"]),
            volumes: words(&["/data"]),
            ports: words(&["80"]),
            credentials: None,
        };
        let frame = Frame {
            name: "assay-1-2",
            work: Path::new("/w"),
            workspace: Path::new("/w/1-0/workspace"),
            mounts: &[PathBuf::from("/w/1-0/workspace")],
            gpus,
            confined,
        };
        Engine::at(PathBuf::from(program)).create(&wanted, &frame).join(" ")
    }

    #[test]
    fn a_container_sees_the_job_under_the_same_paths_and_sleeps() {
        assert_eq!(
            line("/usr/bin/docker", &[], false),
            "create --name assay-1-2 --label assay.work=/w --stop-timeout 0 --workdir /w/1-0/workspace \
             --volume /w/1-0/workspace:/w/1-0/workspace --env NVIDIA_VISIBLE_DEVICES=void --volume /data --publish 80 --cpus 1 \
             --entrypoint tail python:3.12 -f /dev/null"
        );
    }

    #[test]
    fn it_gets_the_gpus_of_the_lease_in_the_engines_own_words() {
        assert!(line("/usr/bin/docker", &[1, 3], false).contains(" --gpus \"device=1,3\" "));
        let podman = line("/usr/bin/podman", &[1, 3], false);
        assert!(podman.contains(" --device nvidia.com/gpu=1 --device nvidia.com/gpu=3 "), "{podman}");
    }

    #[test]
    fn where_steps_are_isolated_it_makes_no_devices_and_gains_no_rights() {
        let line = line("/usr/bin/docker", &[], true);
        assert!(line.contains(" --cap-drop=MKNOD --security-opt=no-new-privileges "), "{line}");
    }

    #[test]
    fn only_what_a_dead_runner_left_is_swept() {
        assert!(is_left_behind(&format!("assay-{}-0-0", std::process::id())), "of a process that had our number");
        assert!(is_left_behind("assay-4294967295-0-0"), "no process has this number");
        assert!(!is_left_behind("assay-1-0-0"), "the first process is alive");
        assert!(!is_left_behind(&new_name()));
        assert!(!is_left_behind("somebody-elses"));
    }
}
