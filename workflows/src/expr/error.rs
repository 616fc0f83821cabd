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

impl ErrorKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Lexing => "lexing",
            ErrorKind::Parsing => "parsing",
            ErrorKind::Evaluation => "evaluation",
        }
    }
}

impl Error {
    /// In GitHub's words: `Unexpected symbol: ')'. Located at position 5 within expression: 1 < )`.
    pub(crate) fn at(kind: ErrorKind, what: String, offset: usize, source: &str) -> Self {
        // In units of UTF-16, as GitHub counts.
        let position = source[..offset].encode_utf16().count() + 1;
        let message = format!("{what}. Located at position {position} within expression: {}", shortened(source));
        Self { kind, message, offset }
    }

    pub(crate) fn evaluation(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Evaluation, message: message.into(), offset: 0 }
    }

    /// The same error in a text that holds the expression from byte `by` on.
    pub(crate) fn moved(mut self, by: usize) -> Self {
        self.offset += by;
        self
    }
}

/// A hostile expression may be megabytes long; the message need not be.
pub(crate) fn shortened(text: &str) -> std::borrow::Cow<'_, str> {
    const LONGEST: usize = 500;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}
