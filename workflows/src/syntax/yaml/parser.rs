//! Any YAML, by `saphyr-parser`: events pulled one by one.

use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::{
    Failure,
    builder::{Builder, Content},
    lines::Lines,
};
use crate::syntax::Place;

/// Reads `text`, whose places are looked up in `lines`.
pub(super) fn read(text: &str, mut lines: Lines<'_>, builder: &mut Builder<'_>) -> Result<(), Failure> {
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = event?;
        let at = place(&span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(Failure::new(at, "a workflow file holds one document"));
                }
            }
            Event::Alias(anchor) => builder.alias(anchor, at)?,
            Event::Scalar(text, ScalarStyle::Plain, anchor, tag) if text.is_empty() => {
                builder.scalar(Cow::Borrowed(""), ScalarStyle::Plain, lines.of_nothing(at), anchor, tag.as_deref())?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let at = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => lines.of_block(at),
                    ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => at,
                };
                builder.scalar(Cow::Owned(text.into_owned()), style, at, anchor, tag.as_deref())?;
            }
            Event::SequenceStart(anchor, tag) => {
                builder.start(lines.of_list(at), anchor, tag.as_deref(), Content::list())?;
            }
            Event::MappingStart(anchor, tag) => builder.start(at, anchor, tag.as_deref(), Content::mapping())?,
            Event::SequenceEnd | Event::MappingEnd => builder.end()?,
        }
    }
    Ok(())
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        let help = error.info().contains("tab").then(|| "YAML indents with spaces".to_owned());
        Failure { at: place(error.marker()), message: error.info().to_owned(), help }
    }
}

fn place(marker: &Marker) -> Place {
    Place {
        line: marker.line().try_into().unwrap_or(u32::MAX),
        column: (marker.col() + 1).try_into().unwrap_or(u32::MAX),
    }
}
