//! The four exit codes, the same for every command.

use std::process::ExitCode;

/// What a command answers to whoever called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; where a question was asked, the answer is yes.
    Yes,
    /// The answer is no: a gate failed, a workflow has errors.
    No,
    /// Wrong usage or wrong input: the caller can mend it.
    Usage,
    /// We, or the machine, broke.
    Broken,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Yes => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Broken => 3,
        })
    }
}
