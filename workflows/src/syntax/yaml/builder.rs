//! What the parser tells, one thing after the other → the tree, within its bounds. The stack is ours, so that nesting costs
//! no recursion.

use std::{borrow::Cow, collections::HashMap};

use saphyr_parser::{ScalarStyle, Tag};

use super::{Failure, Kind, MAX_NODE_DEPTH, MAX_NODES, MAX_TEXT, Node, Scalar, scalar};
use crate::{expr, syntax::Place};

#[derive(Default)]
pub(super) struct Builder<'t> {
    open: Vec<Open<'t>>,
    anchors: HashMap<usize, (Node<'t>, Size)>,
    size: Size,
    /// Of what anchors remember, each a copy of its own.
    remembered: Size,
    root: Option<Node<'t>>,
    /// What is wrong with single values; the rest of the file can be read.
    remarks: Vec<Failure>,
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

/// Longer places are underlined in part.
const MAX_UNDERLINED: usize = 200;

/// A collection whose end has not come yet.
struct Open<'t> {
    at: Place,
    anchor: usize,
    before: Size,
    content: Content<'t>,
}

pub(super) enum Content<'t> {
    Sequence(Vec<Node<'t>>),
    Mapping { entries: Vec<(Node<'t>, Node<'t>)>, key: Option<Node<'t>> },
}

impl Content<'_> {
    pub(super) fn list() -> Self {
        Content::Sequence(Vec::new())
    }

    pub(super) fn mapping() -> Self {
        Content::Mapping { entries: Vec::new(), key: None }
    }
}

impl<'t> Builder<'t> {
    /// Of a document that says nothing there is none.
    pub(super) fn finish(self) -> (Option<Node<'t>>, Vec<Failure>) {
        (self.root, self.remarks)
    }

    /// `anchor` is 0 where it has none.
    pub(super) fn scalar(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        at: Place,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), Failure> {
        let value = match Scalar::resolve(&text, style == ScalarStyle::Plain, tag) {
            Ok(value) => value,
            Err(message) => {
                self.remarks.push(Failure::new(at, message));
                // What has no room in its number is one all the same.
                Scalar::resolve(&text, true, None).unwrap_or(Scalar::Number(f64::NAN))
            }
        };
        let length = underline(&text, style);
        let text = match value {
            Scalar::Text if text.starts_with("${{") => expr::literal(&text).map_or(text, Cow::Owned),
            _ => text,
        };
        let size = Size { nodes: 1, text: text.len() };
        let node = Node { at, length, kind: Kind::Scalar { text, value } };
        self.size.add(size, at)?;
        self.remember(anchor, &node, size)?;
        self.add(node);
        Ok(())
    }

    /// A collection begins; `anchor` is 0 where it has none.
    pub(super) fn start(
        &mut self,
        at: Place,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content<'t>,
    ) -> Result<(), Failure> {
        let kind = match content {
            Content::Sequence(_) => "seq",
            Content::Mapping { .. } => "map",
        };
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

    pub(super) fn end(&mut self) -> Result<(), Failure> {
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

    fn add(&mut self, node: Node<'t>) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { content: Content::Sequence(items), .. }) => items.push(node),
            Some(Open { content: Content::Mapping { entries, key }, .. }) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }

    fn remember(&mut self, anchor: usize, node: &Node<'t>, size: Size) -> Result<(), Failure> {
        if anchor != 0 {
            self.remembered.add(size, node.at)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(())
    }

    pub(super) fn alias(&mut self, anchor: usize, at: Place) -> Result<(), Failure> {
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

/// How many characters to underline of what is written on one line.
fn underline(text: &str, style: ScalarStyle) -> u32 {
    // The place is the `|` or `>`.
    if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
        return 1;
    }
    // Nearly all texts are of such characters, and none needs more of them.
    let head = &text.as_bytes()[..text.len().min(MAX_UNDERLINED)];
    let first_line = if head.iter().all(|byte| (b' '..0x7f).contains(byte)) {
        head.len()
    } else {
        text.lines().next().unwrap_or("").chars().count()
    };
    let quotes = if style == ScalarStyle::Plain { 0 } else { 2 };
    (first_line + quotes).clamp(1, MAX_UNDERLINED) as u32
}
