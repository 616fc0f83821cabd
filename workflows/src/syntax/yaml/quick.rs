//! The YAML that most workflows are written in, read line by line: mappings and lists by indentation, scalars and `[a]`
//! or `{ a: b }` within a line, and block scalars.
//!
//! Of the time that a file takes, half was the parser's, which looks at each character many times. This reads what needs
//! no second look and gives up ([`NotPlain`]) at anything else: tabs, anchors, tags, escapes, scalars of several lines,
//! whatever is wrong. Then the parser reads the file from its beginning, so that nothing is decided here: what this
//! reads it reads as the parser does, which the tests and the fuzz target hold it to.

mod block;
mod inline;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use saphyr_parser::ScalarStyle;

use super::{
    Failure,
    builder::{Builder, Content},
};
use crate::syntax::Place;

/// The parser is asked.
struct NotPlain;

impl From<Failure> for NotPlain {
    fn from(_: Failure) -> Self {
        NotPlain
    }
}

/// Longer keys must have a `?` before them.
const LONGEST_KEY: usize = 1000;

/// None where the parser is asked.
pub(super) fn read(text: &str) -> Option<Builder<'_>> {
    let mut builder = Builder::default();
    file(text, &mut builder).ok()?;
    Some(builder)
}

fn file<'t>(text: &'t str, builder: &mut Builder<'t>) -> Result<(), NotPlain> {
    // Among them the `\r` that ends lines elsewhere.
    let is_control = |byte: u8| (byte < b' ') & (byte != b'\n') & (byte != b'\t') | (byte == 0x7f);
    // To the end in any case: that takes less time than asking after each whether to stop.
    let controls = text.bytes().fold(false, |found, byte| found | is_control(byte));
    let ascii = text.is_ascii();
    if controls || !ascii && text.contains('\u{feff}') {
        return Err(NotPlain);
    }
    let mut reader = Reader {
        text,
        ascii,
        builder,
        start: 0,
        end: 0,
        next: 0,
        number: 0,
        counted: (0, 0),
        levels: Vec::new(),
        open_key: None,
    };
    while let Some(indent) = reader.line()? {
        reader.entry(indent)?;
    }
    reader.close(|_| true)
}

struct Reader<'t, 'b> {
    text: &'t str,
    /// So that a byte is a character.
    ascii: bool,
    builder: &'b mut Builder<'t>,
    /// The line: its first byte, the one behind its last, the next line's first, and its number from 1.
    start: usize,
    end: usize,
    next: usize,
    number: u32,
    /// A byte of the line and how many characters stand before it: lines may be long.
    counted: (usize, u32),
    levels: Vec<Level>,
    /// Where the value of a key would stand that has not come yet. The mapping is the last level.
    open_key: Option<Place>,
}

/// A collection that is open, and its column from 0.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Mapping(usize),
    List(usize),
}

impl<'t> Reader<'t, '_> {
    /// Goes on to the next line that says something; its indentation, none at the end.
    fn line(&mut self) -> Result<Option<usize>, NotPlain> {
        while self.advance() {
            let indent = self.spaces(self.start) - self.start;
            match self.byte(self.start + indent) {
                b'\n' | b'#' => {}
                b'\t' => return Err(NotPlain),
                _ => return Ok(Some(indent)),
            }
        }
        Ok(None)
    }

    fn advance(&mut self) -> bool {
        if self.next >= self.text.len() {
            return false;
        }
        self.start = self.next;
        self.end = memchr::memchr(b'\n', &self.text.as_bytes()[self.start..])
            .map_or(self.text.len(), |length| self.start + length);
        self.next = self.end + 1;
        self.number += 1;
        self.counted = (self.start, 0);
        true
    }

    /// A byte of the line; behind it there is nothing but its end.
    fn byte(&self, at: usize) -> u8 {
        if at < self.end { self.text.as_bytes()[at] } else { b'\n' }
    }

    /// The first byte from `at` on that is no space.
    fn spaces(&self, mut at: usize) -> usize {
        while self.byte(at) == b' ' {
            at += 1;
        }
        at
    }

    /// Asked for in the order of the line.
    fn place(&mut self, at: usize) -> Place {
        let (from, before) = self.counted;
        let between = if self.ascii { at - from } else { self.text[from..at].chars().count() };
        let count = before + between as u32;
        self.counted = (at, count);
        Place { line: self.number, column: count + 1 }
    }

    /// A line: of the last level that is as far to the right as it, or the value of the key before it.
    fn entry(&mut self, indent: usize) -> Result<(), NotPlain> {
        let at = self.start + indent;
        let dash = self.byte(at) == b'-' && self.byte(at + 1) == b' ';
        if indent == 0 && (self.text[at..].starts_with("---") || self.text[at..].starts_with("...")) {
            return Err(NotPlain);
        }
        let own = if dash { Level::List(indent) } else { Level::Mapping(indent) };
        let is_value = match (self.open_key, self.levels.last()) {
            (Some(_), Some(Level::Mapping(column))) => indent > *column || indent == *column && dash,
            (_, last) => last.is_none() && indent == 0 && !dash,
        };
        if is_value {
            self.open_key = None;
            if dash {
                // As the parser's are placed: those that are not indented and begin with another list, there.
                let first = self.spaces(at + 1);
                let indented = self.levels.last() != Some(&Level::Mapping(indent));
                let place = if indented || !matches!(self.byte(first), b'-' | b'[') { at } else { first };
                let place = Place { line: self.number, column: (place - self.start) as u32 + 1 };
                self.builder.start(place, 0, None, Content::list())?;
            } else {
                let place = self.place(at);
                self.builder.start(place, 0, None, Content::mapping())?;
            }
            self.levels.push(own);
        } else {
            self.close(|level| match level {
                Level::Mapping(column) => column > indent,
                Level::List(column) => column > indent || column == indent && !dash,
            })?;
            if self.levels.last() != Some(&own) {
                return Err(NotPlain);
            }
        }
        if dash { self.item(at + 1) } else { self.pair(at) }
    }

    /// Ends the levels that end here, and the key before them, which has no value.
    fn close(&mut self, ends: impl Fn(Level) -> bool) -> Result<(), NotPlain> {
        if let Some(place) = self.open_key.take() {
            self.builder.scalar(Cow::Borrowed(""), ScalarStyle::Plain, place, 0, None)?;
        }
        while self.levels.last().is_some_and(|level| ends(*level)) {
            self.levels.pop();
            self.builder.end()?;
        }
        Ok(())
    }

    /// What follows a dash.
    fn item(&mut self, mut at: usize) -> Result<(), NotPlain> {
        loop {
            at = self.spaces(at);
            if self.byte(at) != b'-' || self.byte(at + 1) != b' ' {
                break;
            }
            let place = self.place(at);
            self.builder.start(place, 0, None, Content::list())?;
            self.levels.push(Level::List(at - self.start));
            at += 1;
        }
        if matches!(self.byte(at), b'[' | b'{' | b'|' | b'>') {
            return self.value(at);
        }
        let scalar = self.scalar(at)?;
        let place = self.place(at);
        if !scalar.is_key {
            self.ends(scalar.end)?;
            return Ok(self.builder.scalar(scalar.text, scalar.style, place, 0, None)?);
        }
        self.builder.start(place, 0, None, Content::mapping())?;
        self.levels.push(Level::Mapping(at - self.start));
        self.pair(at)
    }

    /// A key and what stands behind its colon.
    fn pair(&mut self, at: usize) -> Result<(), NotPlain> {
        let key = self.scalar(at)?;
        if !key.is_key || key.end - at > LONGEST_KEY {
            return Err(NotPlain);
        }
        let place = self.place(at);
        self.builder.scalar(key.text, key.style, place, 0, None)?;
        let value = self.spaces(key.end + 1);
        if matches!(self.byte(value), b'\n' | b'#') {
            self.open_key = Some(self.place(value));
            return Ok(());
        }
        self.value(value)
    }

    /// A value that begins on the line of its dash or key.
    fn value(&mut self, at: usize) -> Result<(), NotPlain> {
        match self.byte(at) {
            b'[' | b'{' => {
                let end = self.flow(at, 0)?;
                self.ends(end)
            }
            b'|' | b'>' => self.block(at),
            _ => {
                let scalar = self.scalar(at)?;
                if scalar.is_key {
                    return Err(NotPlain);
                }
                self.ends(scalar.end)?;
                let place = self.place(at);
                Ok(self.builder.scalar(scalar.text, scalar.style, place, 0, None)?)
            }
        }
    }

    /// Nothing but a comment may follow.
    fn ends(&self, at: usize) -> Result<(), NotPlain> {
        let rest = self.spaces(at);
        match self.byte(rest) {
            b'\n' => Ok(()),
            b'#' if rest > at => Ok(()),
            _ => Err(NotPlain),
        }
    }
}
