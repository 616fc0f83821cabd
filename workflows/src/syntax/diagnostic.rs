use serde::{Deserialize, Serialize};

use super::nearest::nearest;

/// A place in a text; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The workflow cannot run.
    Error,
    Warning,
    Note,
}

/// One remark on a workflow file: where, what, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub file: String,
    pub line: u32,
    pub column: u32,
    /// Characters to underline from the column on; at least 1.
    #[serde(default)]
    pub length: u32,
    pub severity: Severity,
    /// Stable, kebab-case: `unknown-key`, `needs-cycle`.
    pub code: String,
    /// A sentence without a full stop.
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Collects the remarks on one file.
pub(crate) struct Sink<'f> {
    file: &'f str,
    diagnostics: Vec<Diagnostic>,
}

/// More remarks than this help nobody; a hostile file must not make millions.
const MOST: usize = 500;

impl<'f> Sink<'f> {
    pub(crate) fn new(file: &'f str) -> Self {
        Self { file, diagnostics: Vec::new() }
    }

    pub(crate) fn make(&self, at: Place, length: u32, code: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: self.file.to_owned(),
            line: at.line,
            column: at.column,
            length,
            severity: Severity::Error,
            code: code.to_owned(),
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MOST {
            self.diagnostics.push(diagnostic);
        }
    }

    /// The known name that was most likely meant, while there is room for the remark that says so.
    pub(crate) fn nearest<'k>(&self, name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
        (self.diagnostics.len() < MOST).then(|| nearest(name, known))?
    }

    pub(crate) fn error(&mut self, at: Place, length: u32, code: &str, message: impl Into<String>) {
        self.push(self.make(at, length, code, message));
    }

    pub(crate) fn warn(&mut self, at: Place, length: u32, code: &str, message: impl Into<String>) {
        let diagnostic = self.make(at, length, code, message);
        self.push(Diagnostic { severity: Severity::Warning, ..diagnostic });
    }

    /// In the order of the file.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        self.diagnostics
    }
}
