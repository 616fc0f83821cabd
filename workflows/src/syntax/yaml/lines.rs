use crate::syntax::Place;

/// The lines of a text. Places are asked for nearly in their order, so that each search goes on from the last one: a
/// file of one line would cost its length for every place in it.
pub(super) struct Lines<'t> {
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
        Self { line, rest, number: 1, column: 0, offset: 0 }
    }

    /// The line of a place, cut in two there.
    pub(super) fn around(&mut self, at: Place) -> (&'t str, &'t str) {
        let column = at.column as usize - 1;
        while self.number < at.line {
            *self = Self { number: self.number + 1, ..Self::of(self.rest) };
        }
        if column < self.column {
            (self.column, self.offset) = (0, 0);
        }
        let mut characters = self.line[self.offset..].char_indices();
        self.offset += characters.nth(column - self.column).map_or(characters.offset(), |(offset, _)| offset);
        self.column = column;
        self.line.split_at(self.offset)
    }
}
