//! YAML text → a tree in which every node knows its place.
//!
//! The only module that names the YAML parser. What it settles: the core schema of YAML 1.2 (so `on`
//! is a word, not a boolean), aliases (copied, within [`MAX_NODES`] and [`MAX_TEXT`]), and the bounds that keep a
//! hostile file cheap. Events are pulled one by one and the stack is ours, so that nesting costs no
//! recursion.

mod scalar;

use std::{borrow::Cow, collections::HashMap};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::{Place, diagnostic::Sink};
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
pub(super) struct Node {
    pub(super) at: Place,
    /// Characters to underline.
    pub(super) length: u32,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// The text as written (unquoted, unfolded) and what the core schema makes of it.
    Scalar {
        text: String,
        value: Scalar,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

impl Node {
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
pub(super) fn read(text: &str, sink: &mut Sink<'_>) -> Option<Node> {
    if text.len() > MAX_BYTES {
        let message = format!("the file is {} bytes long; at most {MAX_BYTES} are read", text.len());
        sink.error(Place { line: 1, column: 1 }, 1, "file-too-large", message);
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder::of(text);
    let mut outcome = builder.run(text);
    let mut mended = String::new();
    for _ in 0..MAX_MENDED_COMMENTS {
        let Err(failure) = &outcome else { break };
        let Some(better) = with_space_before_comment(if mended.is_empty() { text } else { &mended }, failure) else {
            break;
        };
        sink.warn(failure.at, 1, "comment", "a comment begins after a space");
        mended = better;
        // Columns before the comment, all that it asks its text for, are the same in both.
        builder = Builder::of(text);
        outcome = builder.run(&mended);
    }
    for remark in std::mem::take(&mut builder.remarks) {
        sink.error(remark.at, 1, "yaml", remark.message);
    }
    match outcome {
        Ok(()) => Some(builder.root.unwrap_or(Node {
            at: Place { line: 1, column: 1 },
            length: 1,
            kind: Kind::Scalar { text: String::new(), value: Scalar::Null },
        })),
        Err(failure) => {
            let mut diagnostic = sink.make(failure.at, 1, "yaml", failure.message);
            diagnostic.help = failure.help;
            sink.push(diagnostic);
            None
        }
    }
}

/// Each costs another reading of the file.
const MAX_MENDED_COMMENTS: usize = 16;

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

struct Builder<'t> {
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Size)>,
    size: Size,
    /// Of what anchors remember, each a copy of its own.
    remembered: Size,
    root: Option<Node>,
    /// What is wrong with single values; the rest of the file can be read.
    remarks: Vec<Failure>,
    lines: Lines<'t>,
}

/// How large a tree is.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    nodes: usize,
    /// Bytes of its texts.
    text: usize,
}

impl Size {
    fn add(&mut self, more: Size, at: Place) -> Result<(), Failure> {
        self.nodes += more.nodes;
        self.text += more.text;
        if self.nodes > MAX_NODES {
            return Err(Failure::new(at, format!("more than {MAX_NODES} values once aliases are copied")));
        }
        if self.text > MAX_TEXT {
            return Err(Failure::new(at, format!("more than {MAX_TEXT} bytes of text once aliases are copied")));
        }
        Ok(())
    }

    fn since(self, before: Size) -> Size {
        Size { nodes: self.nodes - before.nodes, text: self.text - before.text }
    }
}

/// The lines of a text. Places are asked for nearly in their order, so that each search goes on from the last one: a
/// file of one line would cost its length for every place in it.
struct Lines<'t> {
    line: &'t str,
    rest: &'t str,
    number: u32,
    /// A column of the line, from 0, and the byte where it begins.
    column: usize,
    offset: usize,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
        Self { line, rest, number: 1, column: 0, offset: 0 }
    }

    /// The line of a place, cut in two there.
    fn around(&mut self, at: Place) -> (&'t str, &'t str) {
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

/// A collection whose end has not come yet.
struct Open {
    at: Place,
    anchor: usize,
    before: Size,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(Node, Node)>, key: Option<Node> },
}

impl<'t> Builder<'t> {
    fn of(text: &'t str) -> Self {
        Builder {
            open: Vec::new(),
            anchors: HashMap::new(),
            size: Size::default(),
            remembered: Size::default(),
            root: None,
            remarks: Vec::new(),
            lines: Lines::of(text),
        }
    }

    fn run(&mut self, text: &str) -> Result<(), Failure> {
        let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = event?;
            match event {
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Failure::new(place(&span.start), "a workflow file holds one document"));
                    }
                }
                Event::Alias(anchor) => self.alias(anchor, span)?,
                Event::Scalar(text, style, anchor, tag) => {
                    let mut at = place(&span.start);
                    if text.is_empty() && style == ScalarStyle::Plain {
                        at = self.of_nothing(at);
                    }
                    let value = match Scalar::resolve(&text, style == ScalarStyle::Plain, tag.as_deref()) {
                        Ok(value) => value,
                        Err(message) => {
                            self.remarks.push(Failure::new(at, message));
                            Scalar::resolve(&text, true, None).unwrap_or(Scalar::Text)
                        }
                    };
                    let length = underline(&text, style);
                    let size = Size { nodes: 1, text: text.len() };
                    let node = Node { at, length, kind: Kind::Scalar { text: text.into_owned(), value } };
                    self.size.add(size, at)?;
                    self.remember(anchor, &node, size)?;
                    self.add(node);
                }
                Event::SequenceStart(anchor, tag) => {
                    self.start(span, anchor, tag.as_deref(), "seq", Content::Sequence(Vec::new()))?;
                }
                Event::MappingStart(anchor, tag) => {
                    let content = Content::Mapping { entries: Vec::new(), key: None };
                    self.start(span, anchor, tag.as_deref(), "map", content)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end()?,
            }
        }
        Ok(())
    }

    /// The parser places a value that is not there at the colon before it; GitHub's, where it would be.
    fn of_nothing(&mut self, at: Place) -> Place {
        let (_, after) = self.lines.around(at);
        let Some(after) = after.strip_prefix(':') else { return at };
        let spaces = after.len() - after.trim_start_matches([' ', '\t']).len();
        Place { column: at.column + 1 + spaces as u32, ..at }
    }

    /// The parser places a list whose dashes are not indented at its first item; GitHub's, at the dash.
    fn of_list(&mut self, at: Place) -> Place {
        let (before, after) = self.lines.around(at);
        match before.trim_end().strip_suffix('-') {
            Some(before) if !after.starts_with(['-', '[', '&', '!']) => {
                Place { column: before.chars().count() as u32 + 1, ..at }
            }
            Some(_) | None => at,
        }
    }

    fn start(
        &mut self,
        span: Span,
        anchor: usize,
        tag: Option<&saphyr_parser::Tag>,
        kind: &str,
        content: Content,
    ) -> Result<(), Failure> {
        let mut at = place(&span.start);
        if matches!(content, Content::Sequence(_)) {
            at = self.of_list(at);
        }
        if let Some(tag) = tag
            && scalar::core_name(tag) != Some(kind)
        {
            return Err(Failure::new(at, format!("the tag `{tag}` is not supported here")));
        }
        if self.open.len() >= MAX_NODE_DEPTH {
            return Err(Failure::new(at, format!("nested deeper than {MAX_NODE_DEPTH} levels")));
        }
        let before = self.size;
        self.size.add(Size { nodes: 1, text: 0 }, at)?;
        self.open.push(Open { at, anchor, before, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let kind = match open.content {
            Content::Sequence(items) => Kind::Sequence(items),
            Content::Mapping { entries, .. } => Kind::Mapping(entries),
        };
        let node = Node { at: open.at, length: 1, kind };
        self.remember(open.anchor, &node, self.size.since(open.before))?;
        self.add(node);
        Ok(())
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { content: Content::Sequence(items), .. }) => items.push(node),
            Some(Open { content: Content::Mapping { entries, key }, .. }) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }

    fn remember(&mut self, anchor: usize, node: &Node, size: Size) -> Result<(), Failure> {
        if anchor != 0 {
            self.remembered.add(size, node.at)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Failure> {
        let at = place(&span.start);
        // An anchor is known once its node is complete: an alias within it finds nothing.
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(Failure::new(at, "an alias cannot stand inside the node that it names"));
        };
        self.size.add(*size, at)?;
        let node = node.clone();
        self.add(node);
        Ok(())
    }
}

fn underline(text: &str, style: ScalarStyle) -> u32 {
    let first_line = text.lines().next().unwrap_or("").chars().count();
    let quotes = match style {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => 2,
        ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => 0,
    };
    let length = match style {
        // The place is the `|` or `>`.
        ScalarStyle::Literal | ScalarStyle::Folded => 1,
        ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => first_line + quotes,
    };
    length.clamp(1, 200) as u32
}
