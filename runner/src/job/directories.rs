//! The directories of one job, and who may write them.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, chown, lchown},
    path::{Path, PathBuf},
};

use super::JobEnvironment;

/// All below the job's own directory, absolute and free of links.
#[derive(Debug, Clone)]
pub(crate) struct Directories {
    pub workspace: PathBuf,
    pub temp: PathBuf,
    pub home: PathBuf,
    pub tools: PathBuf,
    /// Scripts and step files: a step sees them and writes the files, but cannot replace them.
    pub files: PathBuf,
    /// The runner's alone: archives in the making.
    pub private: PathBuf,
    /// Marks all processes of the job.
    pub tracking_id: String,
}

/// What marks the processes of the job that has this directory: no other on the machine has it at the same time.
pub(crate) fn tracking_id(directory: &Path) -> String {
    directory.join(WORKSPACE).display().to_string()
}

const WORKSPACE: &str = "workspace";

impl Directories {
    pub(crate) fn create(env: &JobEnvironment) -> io::Result<Self> {
        fs::create_dir_all(&env.directory)?;
        let root = env.directory.canonicalize()?;
        fs::set_permissions(&root, fs::Permissions::from_mode(0o700))?;
        let directories = Self {
            workspace: root.join(WORKSPACE),
            temp: root.join("temp"),
            home: root.join("home"),
            tools: root.join("tools"),
            files: root.join("files"),
            private: root.join("private"),
            tracking_id: tracking_id(&root),
        };
        let user = env.sandbox.user(env.slot);
        for path in directories.writable() {
            fs::create_dir(&path)?;
            if path != directories.files {
                chown(&path, user, user)?;
            }
        }
        fs::create_dir(&directories.private)?;
        Ok(directories)
    }

    /// What a step may write.
    pub(crate) fn writable(&self) -> [PathBuf; 5] {
        [&self.workspace, &self.temp, &self.home, &self.tools, &self.files].map(PathBuf::clone)
    }

    /// Gives a tree that the runner made to the steps' user.
    pub(crate) async fn hand_over(&self, path: &Path, user: Option<u32>) -> io::Result<()> {
        let Some(user) = user else { return Ok(()) };
        let path = path.to_path_buf();
        tokio::task::spawn_blocking(move || give(&path, user)).await?
    }

    /// A path that a workflow names, relative to the workspace. It may leave it (`/tmp/x`): whether a
    /// step may go there is the sandbox's to say, and the runner's own reads check for themselves.
    pub(crate) fn in_workspace(&self, path: &str) -> PathBuf {
        self.workspace.join(path)
    }
}

/// Links themselves are given, not what they point at.
fn give(path: &Path, user: u32) -> io::Result<()> {
    lchown(path, Some(user), Some(user))?;
    if path.symlink_metadata()?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}
