//! The `${{ }}` language of GitHub Actions.

use indexmap::IndexMap;
use serde_json::Value;

/// What an expression can see.
#[derive(Default)]
pub struct Environment<'a> {
    /// Context name → value: `github`, `env`, `needs`, …
    pub contexts: IndexMap<String, Value>,
    pub status: Status,
    /// `hashFiles(patterns)`: the runner reads files, this crate does not. None where it is not offered.
    pub hash_files: Option<&'a dyn Fn(&[String]) -> Result<String, String>>,
}

/// What `success()`, `failure()` and `cancelled()` answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    #[default]
    Success,
    Failure,
    Cancelled,
}

/// Which stage refused, why, and where in the expression (bytes from its start).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub kind: ErrorKind,
    pub message: String,
    pub offset: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    Lexing,
    Parsing,
    Evaluation,
}

/// Evaluates one expression, without its `${{ }}`.
pub fn evaluate(expression: &str, environment: &Environment<'_>) -> Result<Value, Error> {
    let _ = (expression, environment);
    unimplemented!("arrives with the language room")
}

/// Replaces every `${{ }}` in a text by its value as GitHub prints it.
pub fn interpolate(template: &str, environment: &Environment<'_>) -> Result<String, Error> {
    let _ = (template, environment);
    unimplemented!("arrives with the language room")
}

/// The value of a template: the expression's own value where the text is one `${{ }}` and nothing
/// else, a string otherwise.
pub fn template_value(template: &str, environment: &Environment<'_>) -> Result<Value, Error> {
    let _ = (template, environment);
    unimplemented!("arrives with the language room")
}

/// Whether an `if:` holds: `${{ }}` is optional, and `success() &&` is added where no status function
/// is called. An absent condition is `success()`.
pub fn condition(condition: Option<&str>, environment: &Environment<'_>) -> Result<bool, Error> {
    let _ = (condition, environment);
    unimplemented!("arrives with the language room")
}
