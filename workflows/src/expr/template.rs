//! Where the expressions are in a text.

use serde_json::Value;

use super::{Error, ErrorKind};

/// A piece of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segment<'s> {
    Text(&'s str),
    /// What stands between `${{` and `}}`, and the byte of the template where it begins.
    Expression {
        source: &'s str,
        at: usize,
    },
}

/// The pieces of a template in order; an error ends them.
pub(crate) fn segments(template: &str) -> Segments<'_> {
    Segments { template, offset: 0 }
}

pub(crate) struct Segments<'s> {
    template: &'s str,
    offset: usize,
}

impl<'s> Iterator for Segments<'s> {
    type Item = Result<Segment<'s>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.template[self.offset..];
        let open = match opening(rest) {
            _ if rest.is_empty() => return None,
            None => {
                self.offset = self.template.len();
                return Some(Ok(Segment::Text(rest)));
            }
            Some(0) => self.offset,
            Some(length) => {
                self.offset += length;
                return Some(Ok(Segment::Text(&rest[..length])));
            }
        };
        let at = open + "${{".len();
        let Some(length) = closing(&self.template[at..]) else {
            self.offset = self.template.len();
            return Some(Err(Error {
                kind: ErrorKind::Lexing,
                message: "The expression is not closed. An unescaped ${{ sequence was found, but the closing }} \
                          sequence was not found."
                    .to_owned(),
                offset: open,
            }));
        };
        self.offset = at + length + "}}".len();
        Some(Ok(Segment::Expression { source: &self.template[at..at + length], at }))
    }
}

/// The text of `${{ 'text' }}`, which is a text and no expression: GitHub takes it where no expression may stand. None where
/// it would look like an expression itself.
pub(crate) fn literal(template: &str) -> Option<String> {
    let source = template.strip_prefix("${{")?.strip_suffix("}}")?.trim();
    let inner = source.strip_prefix('\'')?.strip_suffix('\'')?;
    let text = inner.replace("''", "\0");
    let is_one = !text.contains('\'') && !inner.contains('\0') && !has_expression(inner);
    is_one.then(|| text.replace('\0', "'"))
}

/// Whether a text has a `${{`.
pub(crate) fn has_expression(text: &str) -> bool {
    opening(text).is_some()
}

/// Whether a text in the tree has one.
pub(crate) fn has_expression_within(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => has_expression(text),
        Value::Array(items) => items.iter().any(has_expression_within),
        Value::Object(entries) => {
            entries.iter().any(|(name, value)| has_expression(name) || has_expression_within(value))
        }
    }
}

/// Where `${{` stands. Most texts have no `$`, and looking for one byte is much faster than for three.
fn opening(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(b'$', &text.as_bytes()[from..])?;
        if text[at..].starts_with("${{") {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Where `}}` stands outside of a quoted text. A doubled quote closes and opens again, which is right too.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quoted = false;
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'}' if !quoted && index > 0 && bytes[index - 1] == b'}' => return Some(index - 1),
            _ => {}
        }
    }
    None
}

/// The expression and its place where the template is one `${{ }}` and nothing else.
pub(super) fn whole(template: &str) -> Result<Option<(&str, usize)>, Error> {
    let mut pieces = segments(template);
    let first = pieces.next().transpose()?;
    match (first, pieces.next()) {
        (Some(Segment::Expression { source, at }), None) => Ok(Some((source, at))),
        _ => Ok(None),
    }
}

/// An `if:`.
pub(crate) enum Condition<'s> {
    Expression {
        source: &'s str,
        at: usize,
    },
    /// Expressions with text around them: a text, not an expression.
    Text,
}

pub(crate) fn condition(text: &str) -> Result<Condition<'_>, Error> {
    if !has_expression(text) {
        return Ok(Condition::Expression { source: text, at: 0 });
    }
    let trimmed = text.trim();
    let before = text.len() - text.trim_start().len();
    Ok(match whole(trimmed)? {
        Some((source, at)) => Condition::Expression { source, at: at + before },
        None => Condition::Text,
    })
}
