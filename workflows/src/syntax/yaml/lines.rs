use crate::syntax::Place;

/// The lines of a text. Places are asked for nearly in their order, so that each search goes on from the last one: a
/// file of one line would cost its length for every place in it.
#[derive(Clone, Copy)]
pub(super) struct Lines<'t> {
    /// The last line above that is not blank, and its number.
    above: (&'t str, u32),
    line: &'t str,
    rest: &'t str,
    number: u32,
    /// A column of the line, from 0, and the byte where it begins.
    column: usize,
    offset: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
        Self { above: ("", 0), line, rest, number: 1, column: 0, offset: 0 }
    }

    /// The line of a place, cut in two there.
    fn around(&mut self, at: Place) -> (&'t str, &'t str) {
        let column = at.column as usize - 1;
        while self.number < at.line {
            let above = if self.line.trim().is_empty() { self.above } else { (self.line, self.number) };
            *self = Self { above, number: self.number + 1, ..Self::of(self.rest) };
        }
        if column < self.column {
            (self.column, self.offset) = (0, 0);
        }
        let mut characters = self.line[self.offset..].char_indices();
        self.offset += characters.nth(column - self.column).map_or(characters.offset(), |(offset, _)| offset);
        self.column = column;
        self.line.split_at(self.offset)
    }

    /// The parser places a value that is not there at the colon before it; GitHub's, where it would be.
    pub(super) fn of_nothing(&mut self, at: Place) -> Place {
        let (_, after) = self.around(at);
        let Some(after) = after.strip_prefix(':') else { return at };
        let spaces = after.len() - after.trim_start_matches([' ', '\t']).len();
        Place { column: at.column + 1 + spaces as u32, ..at }
    }

    /// The parser places a list whose dashes are not indented at its first item; GitHub's, at the dash.
    pub(super) fn of_list(&mut self, at: Place) -> Place {
        let (before, after) = self.around(at);
        match before.trim_end().strip_suffix('-') {
            Some(before) if !after.starts_with(['-', '[', '&', '!']) => {
                Place { column: before.chars().count() as u32 + 1, ..at }
            }
            Some(_) | None => at,
        }
    }

    /// The parser places a block scalar at its first line; GitHub's, at the `|` or `>` above it.
    pub(super) fn of_block(&mut self, at: Place) -> Place {
        let (_, after) = self.around(at);
        let (header, line) = self.above;
        if line == 0 || after.starts_with(['|', '>']) && is_block_header(after) {
            return at;
        }
        let mut places = header.char_indices().enumerate();
        let is_header = |offset: usize| {
            let stands_alone = header[..offset].chars().next_back().is_none_or(|before| matches!(before, ' ' | '\t'));
            stands_alone && is_block_header(&header[offset..])
        };
        match places.find(|(_, (offset, _))| is_header(*offset)) {
            Some((column, _)) => Place { line, column: column as u32 + 1 },
            None => at,
        }
    }
}

/// `|` or `>` with what may follow it to the end of its line: an indentation, `-` or `+`, and a comment.
fn is_block_header(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['|', '>']) else { return false };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+'));
    let comment = rest.trim_start_matches([' ', '\t']);
    comment.trim_end().is_empty() || comment.starts_with('#') && comment.len() < rest.len()
}
