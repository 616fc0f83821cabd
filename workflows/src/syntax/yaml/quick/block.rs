use std::borrow::Cow;

use saphyr_parser::ScalarStyle;

use super::{Level, NotPlain, Reader};

impl Reader<'_, '_> {
    /// `|` or `>`, with or without `-`, and the lines below it.
    pub(super) fn block(&mut self, at: usize) -> Result<(), NotPlain> {
        let literal = self.byte(at) == b'|';
        let strips = self.byte(at + 1) == b'-';
        self.ends(at + 1 + usize::from(strips))?;
        let parent = match self.levels.last() {
            Some(Level::Mapping(column) | Level::List(column)) => *column,
            None => return Err(NotPlain),
        };
        let place = self.place(at);
        if !self.advance() {
            return Err(NotPlain);
        }
        let first = self.spaces(self.start);
        let indent = first - self.start;
        if indent <= parent || matches!(self.byte(first), b'\n' | b'\t') {
            return Err(NotPlain);
        }
        let mut content = self.text[first..self.end].to_owned();
        let mut was_blank = false;
        // Line breaks since the last line with content.
        let mut breaks = 1;
        while self.next < self.text.len() {
            let line = self.next;
            let bytes = &self.text.as_bytes()[line..];
            let bytes = &bytes[..memchr::memchr(b'\n', bytes).unwrap_or(bytes.len())];
            let end = line + bytes.len();
            let spaces = bytes.iter().take(indent).take_while(|byte| **byte == b' ').count();
            if spaces == bytes.len() {
                // Spaces that end the file are a line of their own, or none: let the parser say which.
                if end == self.text.len() {
                    return Err(NotPlain);
                }
                breaks += 1;
            } else if spaces == indent {
                let blank = matches!(bytes[indent], b' ' | b'\t');
                let folds = !literal && !was_blank && !blank;
                content.extend(match (folds, breaks) {
                    (true, 1) => std::iter::repeat_n(' ', 1),
                    (true, _) => std::iter::repeat_n('\n', breaks - 1),
                    (false, _) => std::iter::repeat_n('\n', breaks),
                });
                content.push_str(&self.text[line + indent..end]);
                (was_blank, breaks) = (blank, 1);
            } else {
                break;
            }
            self.advance();
        }
        if !strips {
            content.push('\n');
        }
        let style = if literal { ScalarStyle::Literal } else { ScalarStyle::Folded };
        Ok(self.builder.scalar(Cow::Owned(content), style, place, 0, None)?)
    }
}
