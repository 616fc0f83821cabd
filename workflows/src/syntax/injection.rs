//! Text that strangers write must not become part of a script.

use super::{
    Diagnostic, Severity,
    diagnostic::Sink,
    yaml::{Kind, Node},
};
use crate::expr::{Expression, Node as Expr, Segment, has_expression, parse, segments};

/// Properties whose text anyone can choose who opens a pull request or pushes a commit; `*` is any
/// element. GitHub's list ("untrusted input") for the events that Assay receives.
const UNTRUSTED: [&[&str]; 15] = [
    &["github", "head_ref"],
    &["github", "event", "pull_request", "title"],
    &["github", "event", "pull_request", "body"],
    &["github", "event", "pull_request", "head", "ref"],
    &["github", "event", "pull_request", "head", "label"],
    &["github", "event", "pull_request", "head", "repo", "default_branch"],
    &["github", "event", "issue", "title"],
    &["github", "event", "issue", "body"],
    &["github", "event", "comment", "body"],
    &["github", "event", "review", "body"],
    &["github", "event", "head_commit", "message"],
    &["github", "event", "head_commit", "author", "*"],
    &["github", "event", "commits", "*", "message"],
    &["github", "event", "commits", "*", "author", "*"],
    &["github", "event", "merge_group", "head_commit", "message"],
];

const SCRIPT_INJECTION: &str = "script-injection";

/// Makes errors of the warnings about text of strangers in scripts.
pub fn forbid_untrusted_text(diagnostics: &mut [Diagnostic]) {
    for diagnostic in diagnostics.iter_mut().filter(|each| each.code == SCRIPT_INJECTION) {
        diagnostic.severity = Severity::Error;
    }
}

/// Warns of every expression in a script that pastes in what a stranger may have written.
pub(super) fn warn(run: &Node, sink: &mut Sink<'_>) {
    let Kind::Scalar { text, .. } = &run.kind else { return };
    if !has_expression(text) {
        return;
    }
    for segment in segments(text) {
        let Ok(Segment::Expression { source, .. }) = segment else { continue };
        let Ok(Some(tree)) = parse(source, &super::scope::Scope::STEP) else { continue };
        let mut found = Vec::new();
        untrusted(&tree.root, false, &mut found);
        for path in found {
            let name = variable(&path);
            let mut diagnostic = sink.make(
                run.at,
                run.length,
                SCRIPT_INJECTION,
                format!("`{path}` is written by others and becomes part of the script: they can run commands here"),
            );
            diagnostic.severity = Severity::Warning;
            diagnostic.help = Some(format!(
                "pass it as a value: `env: {{ {name}: ${{{{ {path} }}}} }}`, then \"${name}\" in the script"
            ));
            sink.push(diagnostic);
        }
    }
}

/// A name for the environment variable that is to hold it.
fn variable(path: &str) -> String {
    let words: Vec<&str> = path.split('.').filter(|word| *word != "*").collect();
    let tail = words.len().saturating_sub(2);
    words[tail..].join("_").to_ascii_uppercase()
}

/// Collects the untrusted paths whose text reaches the expression's value.
fn untrusted(expression: &Expression<'_>, whole: bool, found: &mut Vec<String>) {
    if let Some(path) = path(expression) {
        // Of an object as JSON, what is in it is written out too.
        let matches = |known: &&&[&str]| {
            (known.len() == path.len() || whole && known.len() > path.len())
                && known.iter().zip(&path).all(|(k, p)| *k == "*" || p == "*" || k.eq_ignore_ascii_case(p))
        };
        if UNTRUSTED.iter().any(|known| matches(&known)) {
            found.push(path.join("."));
        }
        return;
    }
    match &expression.node {
        Expr::Null | Expr::Boolean(_) | Expr::Number(_) | Expr::Text(_) | Expr::Context(_) => {}
        // A comparison gives `true` or `false` whatever is compared.
        Expr::Not(_) | Expr::Compare(..) => {}
        Expr::Index(object, _) | Expr::All(object) => untrusted(object, whole, found),
        Expr::And(operands) | Expr::Or(operands) => {
            operands.iter().for_each(|operand| untrusted(operand, whole, found));
        }
        Expr::Call(function, arguments) => {
            use crate::expr::Function;
            match function {
                Function::Contains
                | Function::StartsWith
                | Function::EndsWith
                | Function::HashFiles
                | Function::Always
                | Function::Cancelled
                | Function::Failure
                | Function::Success => {}
                Function::Case | Function::Format | Function::Join | Function::ToJson | Function::FromJson => {
                    let whole = whole || *function == Function::ToJson;
                    arguments.iter().for_each(|argument| untrusted(argument, whole, found));
                }
            }
        }
    }
}

/// `github.event.commits[0].message` → its parts, an element of a list as `*`.
fn path(expression: &Expression<'_>) -> Option<Vec<String>> {
    match &expression.node {
        Expr::Context(name) => Some(vec![(*name).to_owned()]),
        Expr::All(object) => {
            let mut parts = path(object)?;
            parts.push("*".to_owned());
            Some(parts)
        }
        Expr::Index(object, index) => {
            let mut parts = path(object)?;
            parts.push(match &index.node {
                Expr::Text(text) => text.clone().into_owned(),
                _ => "*".to_owned(),
            });
            Some(parts)
        }
        _ => None,
    }
}
