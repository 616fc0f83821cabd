//! What stands within a line: scalars, `[a]` and `{ a: b }`.

use std::borrow::Cow;

use saphyr_parser::ScalarStyle;

use super::{Content, NotPlain, Reader};

/// How deep `[` and `{` may nest here.
const DEEPEST_FLOW: usize = 16;

/// A scalar within a line.
pub(super) struct Scalar<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) style: ScalarStyle,
    /// The byte behind it.
    pub(super) end: usize,
    /// `:` follows, so that it is a key.
    pub(super) is_key: bool,
}

impl<'t> Reader<'t, '_> {
    pub(super) fn scalar(&self, at: usize) -> Result<Scalar<'t>, NotPlain> {
        let quote = self.byte(at);
        if !matches!(quote, b'\'' | b'"') {
            return self.plain(at);
        }
        let (text, end) = self.quoted(at)?;
        let is_key = self.byte(end) == b':' && matches!(self.byte(end + 1), b' ' | b'\n');
        let style = if quote == b'"' { ScalarStyle::DoubleQuoted } else { ScalarStyle::SingleQuoted };
        Ok(Scalar { text, style, end, is_key })
    }

    fn quoted(&self, at: usize) -> Result<(Cow<'t, str>, usize), NotPlain> {
        let quote = self.byte(at);
        let mut doubled = false;
        let mut end = at + 1;
        loop {
            match self.byte(end) {
                byte if byte == quote && quote == b'\'' && self.byte(end + 1) == quote => {
                    doubled = true;
                    end += 2;
                }
                byte if byte == quote => break,
                b'\\' if quote == b'"' => return Err(NotPlain),
                b'\t' | b'\n' => return Err(NotPlain),
                _ => end += 1,
            }
        }
        let text = &self.text[at + 1..end];
        Ok((if doubled { Cow::Owned(text.replace("''", "'")) } else { Cow::Borrowed(text) }, end + 1))
    }

    /// A scalar without quotes, outside of `[` and `{`.
    fn plain(&self, at: usize) -> Result<Scalar<'t>, NotPlain> {
        self.may_begin(at)?;
        let mut end = at;
        let is_key = loop {
            match self.byte(end) {
                b'\n' => break false,
                b'\t' => return Err(NotPlain),
                b'#' if self.byte(end - 1) == b' ' => break false,
                b':' if matches!(self.byte(end + 1), b' ' | b'\n') => break true,
                _ => end += 1,
            }
        };
        self.until(at, end, is_key)
    }

    /// A scalar without quotes within `[` and `{`.
    fn plain_in_flow(&self, at: usize) -> Result<Scalar<'t>, NotPlain> {
        self.may_begin(at)?;
        let is_flow = |at| matches!(self.byte(at), b',' | b'[' | b']' | b'{' | b'}' | b'\n');
        let mut end = at;
        let is_key = loop {
            match self.byte(end) {
                b'\t' | b'\n' => return Err(NotPlain),
                b'#' if self.byte(end - 1) == b' ' => return Err(NotPlain),
                b':' | b'-' if is_flow(end + 1) => return Err(NotPlain),
                b':' if self.byte(end + 1) == b' ' => break true,
                _ if is_flow(end) => break false,
                _ => end += 1,
            }
        };
        self.until(at, end, is_key)
    }

    fn until(&self, at: usize, end: usize, is_key: bool) -> Result<Scalar<'t>, NotPlain> {
        let text = self.text[at..end].trim_end_matches(' ');
        // `a : b` is left to the parser.
        if text.is_empty() || is_key && text.len() < end - at {
            return Err(NotPlain);
        }
        Ok(Scalar { text: Cow::Borrowed(text), style: ScalarStyle::Plain, end: at + text.len(), is_key })
    }

    /// Whether a scalar without quotes may begin with what stands here.
    fn may_begin(&self, at: usize) -> Result<(), NotPlain> {
        match self.byte(at) {
            b'-' if !matches!(self.byte(at + 1), b' ' | b'\n' | b'\t') => Ok(()),
            b'-' | b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\''
            | b'"' | b'%' | b'@' | b'`' | b' ' | b'\t' | b'\n' => Err(NotPlain),
            _ => Ok(()),
        }
    }

    /// `[…]` or `{…}` within a line; the byte behind it.
    pub(super) fn flow(&mut self, at: usize, depth: usize) -> Result<usize, NotPlain> {
        if depth > DEEPEST_FLOW {
            return Err(NotPlain);
        }
        let (close, content) = if self.byte(at) == b'[' { (b']', Content::list()) } else { (b'}', Content::mapping()) };
        let place = self.place(at);
        self.builder.start(place, 0, None, content)?;
        let mut next = self.spaces(at + 1);
        if self.byte(next) == close {
            self.builder.end()?;
            return Ok(next + 1);
        }
        loop {
            if close == b'}' {
                let end = self.flow_scalar(next, true)?;
                next = self.spaces(end + 1);
            }
            let end = match self.byte(next) {
                b'[' | b'{' => self.flow(next, depth + 1)?,
                _ => self.flow_scalar(next, false)?,
            };
            next = self.spaces(end);
            match self.byte(next) {
                b',' => next = self.spaces(next + 1),
                byte if byte == close => {
                    self.builder.end()?;
                    return Ok(next + 1);
                }
                _ => return Err(NotPlain),
            }
        }
    }

    fn flow_scalar(&mut self, at: usize, key: bool) -> Result<usize, NotPlain> {
        let scalar = match self.byte(at) {
            b'\'' | b'"' => self.scalar(at)?,
            _ => self.plain_in_flow(at)?,
        };
        if scalar.is_key != key || key && self.byte(scalar.end + 1) != b' ' {
            return Err(NotPlain);
        }
        let place = self.place(at);
        self.builder.scalar(scalar.text, scalar.style, place, 0, None)?;
        Ok(scalar.end)
    }
}
