//! Text → located tree → typed [`Workflow`], with every mistake at once.
//!
//! The stages, each its own module: `yaml` reads text into a tree in which every node knows its place;
//! `check` walks the tree along the `schema` (keys, kinds of values, names in expressions); `build`
//! makes the typed workflow; `graph` looks at `needs`, `deadlock` at concurrency groups. Every stage goes on after a mistake.

mod action;
mod build;
mod builtin;
mod calls;
mod check;
mod deadlock;
mod diagnostic;
mod graph;
mod hint;
mod injection;
mod nearest;
mod on;
mod permissions;
mod render;
mod schema;
mod scope;
mod size;
mod step_name;
mod workflow;
mod yaml;

#[cfg(test)]
mod tests;

pub use action::{
    ACTION_FILES, Action, ActionInput, Actions, COMPOSITE, action_folder, check_actions, local_actions, parse_action,
};
pub use calls::{Called, MAX_CALL_DEPTH, check_calls, gather_called};
pub use diagnostic::{Diagnostic, Place, Severity};
pub use injection::forbid_untrusted_text;
pub use permissions::{Access, Permissions};
pub use render::{Paint, to_github, to_text};
pub use step_name::step_names;
pub use workflow::*;
pub use yaml::{MAX_BYTES, MAX_NODE_DEPTH, MAX_NODES};

use diagnostic::Sink;

/// Reads one workflow file. The workflow is there whenever enough of it could be understood to say
/// more; it may be run only if no diagnostic is an error.
///
/// `file` is the path as diagnostics name it.
pub fn parse(file: &str, text: &str) -> (Option<Workflow>, Vec<Diagnostic>) {
    let mut sink = Sink::new(file);
    let Some(root) = yaml::read(text, &mut sink) else { return (None, sink.finish()) };
    check::workflow(&root, &mut sink);
    let workflow = build::workflow(file, &root, &mut sink);
    if let Some(workflow) = &workflow {
        graph::check(workflow, &mut sink);
        let held: Vec<deadlock::Held> = deadlock::by_workflow(workflow).into_iter().collect();
        deadlock::check_jobs(workflow, &held, &mut sink);
    }
    (workflow, sink.finish())
}

/// Reads a file's bytes as text; the error names the place of the first byte that is no UTF-8.
pub fn decode<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, Box<Diagnostic>> {
    std::str::from_utf8(bytes).map_err(|error| {
        let message = match bytes {
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "the file is UTF-16; save it as UTF-8",
            _ => "the file is not UTF-8",
        };
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let at = Place { line: line.try_into().unwrap_or(u32::MAX), column: column.try_into().unwrap_or(u32::MAX) };
        Box::new(Sink::new(file).make(at, 1, "not-utf-8", message))
    })
}
