//! YAML text → a tree in which every node knows its place.
//!
//! The only module that names the YAML parser. What it settles: the core schema of YAML 1.2 (so `on`
//! is a word, not a boolean), aliases (copied, within [`MAX_NODES`] and [`MAX_TEXT`]), and the bounds that keep a
//! hostile file cheap. Files as most are written are read by `quick`, all others by the parser, event by event; the tree
//! is made by `builder`.

mod builder;
mod lines;
mod parser;
mod quick;
mod scalar;

use std::borrow::Cow;

use super::{Place, diagnostic::Sink};
use builder::Builder;
use lines::Lines;
pub(super) use scalar::Scalar;

/// The largest workflow file, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// How deep mappings and sequences may nest.
pub const MAX_NODE_DEPTH: usize = 100;

/// How many nodes a file may have once its aliases are copied.
pub const MAX_NODES: usize = 1_000_000;

/// How many bytes of text a file may have once its aliases are copied: an anchor costs a letter each time.
pub(super) const MAX_TEXT: usize = 16 << 20;

#[derive(Debug, Clone)]
pub(super) struct Node<'t> {
    pub(super) at: Place,
    /// Characters to underline.
    pub(super) length: u32,
    pub(super) kind: Kind<'t>,
}

#[derive(Debug, Clone)]
pub(super) enum Kind<'t> {
    /// The text as written (unquoted, unfolded; where it is written so, the file's own) and what the core schema makes of it.
    Scalar {
        text: Cow<'t, str>,
        value: Scalar,
    },
    Sequence(Vec<Node<'t>>),
    Mapping(Vec<(Node<'t>, Node<'t>)>),
}

impl Node<'_> {
    /// A scalar's text, as GitHub converts numbers and booleans; none for sequences and mappings.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        match &self.kind {
            Kind::Scalar { text, value } => Some(value.to_text(text)),
            Kind::Sequence(_) | Kind::Mapping(_) => None,
        }
    }

    /// [`Self::text`], to keep.
    pub(super) fn to_text(&self) -> Option<String> {
        self.text().map(Cow::into_owned)
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { value: Scalar::Null, .. })
    }
}

/// Reads one document. None where the text is not YAML; the reasons are in the sink.
pub(super) fn read<'t>(text: &'t str, sink: &mut Sink<'_>) -> Option<Node<'t>> {
    if text.len() > MAX_BYTES {
        let message = format!("the file is {} bytes long; at most {MAX_BYTES} are read", text.len());
        sink.error(Place { line: 1, column: 1 }, 1, "file-too-large", message);
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (builder, outcome) = match quick::read(text) {
        Some(builder) => (builder, Ok(())),
        None => parsed(text, sink),
    };
    let (root, remarks) = builder.finish();
    for remark in remarks {
        sink.error(remark.at, 1, "yaml", remark.message);
    }
    match outcome {
        Ok(()) => Some(root.unwrap_or(Node {
            at: Place { line: 1, column: 1 },
            length: 1,
            kind: Kind::Scalar { text: Cow::Borrowed(""), value: Scalar::Null },
        })),
        Err(failure) => {
            let mut diagnostic = sink.make(failure.at, 1, "yaml", failure.message);
            diagnostic.help = failure.help;
            sink.push(diagnostic);
            None
        }
    }
}

fn parsed(text: &str, sink: &mut Sink<'_>) -> (Builder<'static>, Result<(), Failure>) {
    let mut builder = Builder::default();
    let mut outcome = parser::read(text, Lines::of(text), &mut builder);
    let mut mended = String::new();
    for _ in 0..MAX_MENDED {
        let Err(failure) = &outcome else { break };
        let text_so_far = if mended.is_empty() { text } else { &mended };
        mended = if let Some(better) = with_space_before_comment(text_so_far, failure) {
            sink.warn(failure.at, 1, "comment", "a comment begins after a space");
            better
        } else if let Some(better) = with_spaces_after_colon(text_so_far, failure) {
            better
        } else {
            break;
        };
        // Columns before the comment, all that it asks its text for, are the same in both.
        builder = Builder::default();
        outcome = parser::read(&mended, Lines::of(text), &mut builder);
    }
    (builder, outcome)
}

/// Each costs another reading of the file.
const MAX_MENDED: usize = 16;

/// `[a]# comment` is not YAML 1.2, and GitHub has always taken it. A space before `#` moves nothing but
/// the comment, so all places stay true.
fn with_space_before_comment(text: &str, failure: &Failure) -> Option<String> {
    if !failure.message.starts_with("comments must be separated") {
        return None;
    }
    let line_start =
        text.split_inclusive('\n').take(failure.at.line.checked_sub(1)? as usize).map(str::len).sum::<usize>();
    let line = text.get(line_start..)?;
    let (offset, _) =
        line.char_indices().skip(failure.at.column.saturating_sub(2) as usize).find(|(_, c)| *c == '#')?;
    let at = line_start + offset;
    Some(format!("{} {}", &text[..at], &text[at..]))
}

/// Tabs may stand between a key and its value; the parser takes them there only after a space. A space in place of each
/// moves nothing.
fn with_spaces_after_colon(text: &str, failure: &Failure) -> Option<String> {
    if !failure.message.starts_with("':' must be followed by") {
        return None;
    }
    let line_start =
        text.split_inclusive('\n').take(failure.at.line.checked_sub(1)? as usize).map(str::len).sum::<usize>();
    let (offset, _) = text.get(line_start..)?.char_indices().nth(failure.at.column.checked_sub(1)? as usize)?;
    let value = line_start + offset;
    let colon = text[..value].trim_end_matches([' ', '\t']);
    let value = &text[value..];
    let block_entry =
        value.strip_prefix('-').is_some_and(|rest| rest.starts_with([' ', '\t', '\r', '\n']) || rest.is_empty());
    // A list cannot begin there, after spaces neither.
    if block_entry || !colon.ends_with(':') {
        return None;
    }
    Some(format!("{colon}{}{value}", " ".repeat(text.len() - colon.len() - value.len())))
}

struct Failure {
    at: Place,
    message: String,
    help: Option<String>,
}

impl Failure {
    fn new(at: Place, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: None }
    }
}
