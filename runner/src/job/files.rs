//! The files by which a step speaks to the runner: `$GITHUB_OUTPUT`, `$GITHUB_ENV`, `$GITHUB_PATH`,
//! `$GITHUB_STEP_SUMMARY`, `$GITHUB_STATE` and `$ASSAY_METRICS`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// More than this a step has no reason to say.
const LARGEST: u64 = 16 << 20;

/// The files of one step. Their directory is the runner's: a step can write them, not replace them.
#[derive(Debug)]
pub(crate) struct StepFiles {
    pub output: PathBuf,
    pub env: PathBuf,
    pub path: PathBuf,
    pub summary: PathBuf,
    /// For what an action leaves to its own last part, which none here has: written by scripts alike, and never read.
    pub state: PathBuf,
    pub metrics: PathBuf,
}

impl StepFiles {
    /// Makes them, empty, in `directory`; `user` may write them.
    /// `anybody` may where the step runs in a container, whose image decides the user.
    pub(crate) fn create(directory: &Path, step: usize, user: Option<u32>, anybody: bool) -> io::Result<Self> {
        let file = |name: &str| {
            let path = directory.join(format!("{step}.{name}"));
            let file = write_new(&path, b"", if anybody { 0o666 } else { 0o644 })?;
            fchown(&file, user, user)?;
            Ok::<_, io::Error>(path)
        };
        Ok(Self {
            output: file("output")?,
            env: file("env")?,
            path: file("path")?,
            summary: file("summary")?,
            state: file("state")?,
            metrics: file("metrics")?,
        })
    }

    /// Environment variable → file.
    pub(crate) fn variables(&self) -> [(&'static str, &Path); 6] {
        [
            ("GITHUB_OUTPUT", &self.output),
            ("GITHUB_ENV", &self.env),
            ("GITHUB_PATH", &self.path),
            ("GITHUB_STEP_SUMMARY", &self.summary),
            ("GITHUB_STATE", &self.state),
            ("ASSAY_METRICS", &self.metrics),
        ]
    }

    pub(crate) fn remove(&self) {
        for (_, path) in self.variables() {
            fs::remove_file(path).ok();
        }
    }
}

/// Writes a file that was not there. Root in a container can put links into the directory of these files: what is there
/// already is an error, never followed.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    // Not left to the umask.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Opens a file that a step may have made: never through a link, never a pipe or a device.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a plain file")) }
}

/// Reads such a file as text, up to `largest` bytes.
pub(crate) fn read_plain(path: &Path, largest: u64) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    open_plain(path)?.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        bail!("it is larger than {} MB", largest >> 20);
    }
    String::from_utf8(bytes).context("it is not UTF-8")
}

/// Reads one of a step's files.
pub(crate) fn read_step_file(path: &Path) -> anyhow::Result<String> {
    read_plain(path, LARGEST)
}

/// `name=value` lines and `name<<DELIMITER … DELIMITER` blocks.
pub(crate) fn parse_assignments(text: &str) -> Result<Vec<(String, String)>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).enumerate();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let number = number + 1;
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        let (name, value) = match (equals, heredoc) {
            (Some(equals), heredoc) if heredoc.is_none_or(|heredoc| equals < heredoc) => {
                (&line[..equals], line[equals + 1..].to_owned())
            }
            (_, Some(heredoc)) => {
                let delimiter = &line[heredoc + 2..];
                if delimiter.is_empty() {
                    return Err(format!("line {number}: the delimiter after `<<` is missing"));
                }
                let mut value = Vec::new();
                loop {
                    match lines.next() {
                        Some((_, line)) if line == delimiter => break,
                        Some((_, line)) => value.push(line),
                        None => return Err(format!("line {number}: the delimiter `{delimiter}` does not come again")),
                    }
                }
                (&line[..heredoc], value.join("\n"))
            }
            (_, None) => return Err(format!("line {number}: expected `name=value`, found `{}`", shorten(line))),
        };
        if name.is_empty() {
            return Err(format!("line {number}: the name is empty"));
        }
        found.push((name.to_owned(), value));
    }
    Ok(found)
}

fn shorten(line: &str) -> String {
    line.chars().take(60).collect()
}

/// Variables that would change what later steps *are* rather than what they know: they load code into
/// every program, or speak in the runner's name. Whoever can put text into a log or a file could
/// otherwise take over the job.
pub(crate) fn is_blocked_variable(name: &str) -> bool {
    const LOADERS: [&str; 11] = [
        "LD_PRELOAD",
        "LD_AUDIT",
        "DYLD_INSERT_LIBRARIES",
        "BASH_ENV",
        "ENV",
        "NODE_OPTIONS",
        "PYTHONSTARTUP",
        "PYTHONINSPECT",
        "PERL5OPT",
        "RUBYOPT",
        "PROMPT_COMMAND",
    ];
    let name = name.to_ascii_uppercase();
    LOADERS.contains(&name.as_str()) || ["GITHUB_", "RUNNER_", "ASSAY_"].iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse_assignments(text).unwrap()
    }

    #[test]
    fn lines_and_blocks() {
        let text = "a=1\nb<<EOF\none\ntwo=2\n\nEOF\nc==x<<y\r\n\nd=\n";
        let expected = [("a", "1"), ("b", "one\ntwo=2\n"), ("c", "=x<<y"), ("d", "")];
        assert_eq!(pairs(text), expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(parse_assignments("a=1\noops").unwrap_err(), "line 2: expected `name=value`, found `oops`");
        assert!(parse_assignments("x<<E\nE2").unwrap_err().contains("`E` does not come again"));
        assert!(parse_assignments("=1").unwrap_err().contains("empty"));
        assert!(parse_assignments("x<<\n").unwrap_err().contains("delimiter"));
    }

    #[test]
    fn variables_that_load_code_are_blocked() {
        for name in ["LD_PRELOAD", "node_options", "BASH_ENV", "GITHUB_TOKEN", "RUNNER_OS"] {
            assert!(is_blocked_variable(name), "{name}");
        }
        for name in ["LD_LIBRARY_PATH", "PATH", "MODEL", "ENVIRONMENT"] {
            assert!(!is_blocked_variable(name), "{name}");
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        assert!(open_plain(&link).is_err());
        assert!(open_plain(Path::new("/dev/null")).is_err());
    }
}
