//! The command lines of shells, exactly GitHub's (actions/runner, ScriptHandlerHelpers and
//! ScriptHandler): an unspecified shell is `bash -e {0}`, without `pipefail`; `shell: bash` is stricter.

use std::path::{Path, PathBuf};

/// How a script is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// Program and arguments; `{0}` stands for the script's path.
    template: Vec<String>,
    /// Of the script's file.
    pub extension: &'static str,
}

impl Shell {
    /// `shell:` as the workflow says it; none is GitHub's default. `has_bash` decides between the
    /// default's two forms.
    pub fn resolve(shell: Option<&str>, has_bash: bool) -> Result<Self, String> {
        let (template, extension) = match shell.map(str::trim) {
            None | Some("") if has_bash => ("bash -e {0}", ".sh"),
            None | Some("") => ("sh -e {0}", ".sh"),
            Some("bash") => ("bash --noprofile --norc -e -o pipefail {0}", ".sh"),
            Some("sh") => ("sh -e {0}", ".sh"),
            Some("python") => ("python {0}", ".py"),
            Some("pwsh") => ("pwsh -command \". '{0}'\"", ".ps1"),
            Some(custom) if custom.contains("{0}") => (custom, ""),
            Some(other) => {
                return Err(format!(
                    "the shell `{other}` is unknown: use bash, sh, python, pwsh, or a command with `{{0}}` in the place of the script"
                ));
            }
        };
        Ok(Self { template: split(template), extension })
    }

    /// The command line for a script.
    pub fn argv(&self, script: &str) -> Vec<String> {
        self.template.iter().map(|word| word.replace("{0}", script)).collect()
    }

    /// As the log shows it.
    pub fn display(&self) -> String {
        self.template.join(" ")
    }
}

/// Splits at spaces, keeping what is in double quotes together.
fn split(template: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut begun = false;
    for c in template.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

/// Where a program is on a search path.
pub fn find(program: &str, path: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let executable = |file: &Path| file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    path.split(':')
        .filter(|directory| !directory.is_empty())
        .map(|d| Path::new(d).join(program))
        .find(|f| executable(f))
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:@%+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_githubs() {
        let line = |shell, bash| Shell::resolve(shell, bash).unwrap().argv("/s").join("␣");
        assert_eq!(line(None, true), "bash␣-e␣/s");
        assert_eq!(line(None, false), "sh␣-e␣/s");
        assert_eq!(line(Some("bash"), true), "bash␣--noprofile␣--norc␣-e␣-o␣pipefail␣/s");
        assert_eq!(line(Some("sh"), true), "sh␣-e␣/s");
        assert_eq!(line(Some("python"), true), "python␣/s");
        assert_eq!(line(Some("perl -x \"a b\" {0}"), true), "perl␣-x␣a b␣/s");
        assert!(Shell::resolve(Some("fish"), true).unwrap_err().contains("`fish`"));
    }
}
