//! The command lines of shells, exactly GitHub's (actions/runner, ScriptHandlerHelpers and
//! ScriptHandler): an unspecified shell is `bash -e {0}`, without `pipefail`; `shell: bash` is stricter.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

const PWSH: &str = "pwsh";

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
        let template = match shell.map(str::trim) {
            None | Some("") if has_bash => "bash -e {0}",
            None | Some("") => "sh -e {0}",
            Some("bash") => "bash --noprofile --norc -e -o pipefail {0}",
            Some("sh") => "sh -e {0}",
            Some("python") => "python {0}",
            Some(PWSH) => "pwsh -command \". '{0}'\"",
            Some(custom) if custom.contains("{0}") => custom,
            Some(other) => {
                return Err(format!(
                    "the shell `{other}` is unknown: use bash, sh, python, pwsh, or a command with `{{0}}` in the place of the script"
                ));
            }
        };
        let template = split(template);
        let extension = match template.first().map(String::as_str) {
            Some("bash" | "sh") => ".sh",
            Some("python") => ".py",
            Some(PWSH) => ".ps1",
            Some(_) | None => "",
        };
        Ok(Self { template, extension })
    }

    /// What is to stand in the script's file: PowerShell does not stop at an error, nor end with the code of the program
    /// that it ran last, unless it is told.
    pub fn contents<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.template.first().map(String::as_str) {
            Some(PWSH) => Cow::Owned(format!(
                "$ErrorActionPreference = 'stop'\n{text}\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) {{ exit $LASTEXITCODE }}\n"
            )),
            Some(_) | None => Cow::Borrowed(text),
        }
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
    fn a_script_is_named_and_written_for_the_program_that_reads_it() {
        let of = |shell| Shell::resolve(Some(shell), true).unwrap();
        for (shell, extension) in
            [("bash -ex {0}", ".sh"), ("python -u {0}", ".py"), ("pwsh -File {0}", ".ps1"), ("perl {0}", "")]
        {
            assert_eq!(of(shell).extension, extension, "{shell}");
        }
        assert_eq!(of("bash").contents("a | b"), "a | b");
        for shell in ["pwsh", "pwsh -File {0}"] {
            let contents = of(shell).contents("Get-Item x\nmake").into_owned();
            let (first, last) = ("$ErrorActionPreference = 'stop'\nGet-Item x\nmake\n", "{ exit $LASTEXITCODE }\n");
            assert!(contents.starts_with(first) && contents.ends_with(last), "{contents}");
        }
    }

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
