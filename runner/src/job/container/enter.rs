//! How a step enters its job's container: by a script of `sh`, the one program that nearly every image has.
//!
//! Not by `exec --env NAME`, as GitHub's runner does: the client would then itself be given the step's environment
//! (`DOCKER_HOST`, `LD_PRELOAD`), as the runner's user; nor by `--env NAME=VALUE`, which everybody reads in the list of
//! processes.

use std::path::Path;

use indexmap::IndexMap;

use crate::process::shell::quoted;

/// The script: its process is known by `pid`, it is in `directory`, has `env` and before its own search path `paths`,
/// and then is what it was given as arguments.
pub(super) fn script(pid: &Path, directory: &Path, env: &IndexMap<String, String>, paths: &[String]) -> String {
    let mut text = format!("echo $$ > {}\n", quoted(&pid.display().to_string()));
    for (name, value) in env.iter().filter(|(name, value)| is_name(name) && !value.contains('\0')) {
        text.push_str(&format!("export {name}={}\n", quoted(value)));
    }
    for path in paths.iter().rev() {
        text.push_str(&format!("PATH={}:$PATH\n", quoted(path)));
    }
    text.push_str("export PATH\n");
    let directory = quoted(&directory.display().to_string());
    text.push_str(&format!("cd {directory} || exit 1\nexec \"$@\"\n"));
    text
}

/// Sends `$1` to the process group that `$0` tells of, or to the process alone where it has no group.
pub(super) const SIGNAL: &str = r#"read -r p < "$0" && { kill -"$1" -"$p" 2>/dev/null || kill -"$1" "$p"; }"#;

/// What a shell can export. Others exist (`a-b`), and no shell hands them on.
fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_shell() {
        let directory = tempfile::tempdir().unwrap();
        let odd = "it's\n$HOME `x` \\ \"y\" ü";
        let env = IndexMap::from([("ODD".to_owned(), odd.to_owned()), ("a-b".to_owned(), "lost".to_owned())]);
        let pid = directory.path().join("pid");
        let text = script(&pid, directory.path(), &env, &["/second".to_owned(), "/third".to_owned()]);
        let file = directory.path().join("enter");
        std::fs::write(&file, text).unwrap();
        let script = "printf '%s|%s|%s|%s' \"$ODD\" \"$PATH\" \"$PWD\" $$";
        let output = std::process::Command::new("/bin/sh")
            .arg(&file)
            .args(["/bin/sh", "-c", script])
            .env("PATH", "/usr/bin")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let inside = directory.path().display();
        let number = std::fs::read_to_string(pid).unwrap();
        assert_eq!(text, format!("{odd}|/second:/third:/usr/bin|{inside}|{}", number.trim()));
    }
}
