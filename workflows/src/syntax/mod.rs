//! Text → located tree → typed [`Workflow`], with every mistake at once.
//!
//! The stages, each its own module: `yaml` reads text into a tree in which every node knows its place;
//! `check` walks the tree along the `schema` (keys, kinds of values, names in expressions); `build`
//! makes the typed workflow; `graph` looks at `needs`. Every stage goes on after a mistake.

mod build;
mod calls;
mod check;
mod diagnostic;
mod graph;
mod injection;
mod nearest;
mod on;
mod schema;
mod scope;
mod size;
mod workflow;
mod yaml;

#[cfg(test)]
mod tests;

pub use calls::{MAX_CALL_DEPTH, check_calls};
pub use diagnostic::{Diagnostic, Place, Severity};
pub use injection::SCRIPT_INJECTION;
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
    }
    (workflow, sink.finish())
}
