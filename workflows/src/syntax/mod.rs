//! Text → located tree → typed [`Workflow`], with every mistake at once.

mod diagnostic;
mod workflow;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use workflow::*;

/// Reads one workflow file. The workflow is there whenever enough of it could be understood to say
/// more; it may be run only if no diagnostic is an error.
///
/// `file` is the path as diagnostics name it.
pub fn parse(file: &str, text: &str) -> (Option<Workflow>, Vec<Diagnostic>) {
    let _ = (file, text);
    unimplemented!("arrives with the language room")
}
