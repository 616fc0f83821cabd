//! Walks a tree along the schema: unknown, doubled and missing keys, values of the wrong kind, and
//! every expression parsed with the names that its place allows.

use std::{borrow::Cow, collections::HashSet};

use super::{
    diagnostic::Sink,
    hint,
    schema::{self, Keys, Shape},
    scope::Scope,
    yaml::{Kind, Node, Scalar},
};
use crate::expr::{self, ErrorKind, Segment, shortened};

/// Checks a whole workflow file.
pub(super) fn workflow(root: &Node, sink: &mut Sink<'_>) {
    Checker { sink }.node(root, &schema::WORKFLOW, Scope::NONE);
}

/// Checks one value along a shape.
pub(super) fn value(node: &Node, shape: &Shape, scope: Scope, sink: &mut Sink<'_>) {
    Checker { sink }.node(node, shape, scope);
}

struct Checker<'s, 'f> {
    sink: &'s mut Sink<'f>,
}

impl Checker<'_, '_> {
    fn node(&mut self, node: &Node, shape: &Shape, scope: Scope) {
        let (shape, scope) = resolve(shape, scope);
        if matches!(shape, Shape::Elsewhere) {
            return;
        }
        match &node.kind {
            Kind::Scalar { text, value } => self.scalar(node, text, *value, shape, scope),
            Kind::Sequence(items) => match find(shape, scope, |shape| matches!(shape, Shape::List(_) | Shape::Any)) {
                Some((Shape::List(item), scope)) => items.iter().for_each(|each| self.node(each, item, scope)),
                Some((_, scope)) => items.iter().for_each(|each| self.node(each, &Shape::Any, scope)),
                None => self.error(node, "unexpected-sequence", format!("expected {}, found a list", expected(shape))),
            },
            Kind::Mapping(entries) => match find(shape, scope, |shape| matches!(shape, Shape::Map(_) | Shape::Any)) {
                Some((Shape::Map(kinds), scope)) => self.mapping(node, entries, kinds, scope),
                Some((_, scope)) => self.any_mapping(entries, scope),
                None => {
                    self.error(node, "unexpected-mapping", format!("expected {}, found a mapping", expected(shape)));
                }
            },
        }
    }

    fn error(&mut self, node: &Node, code: &str, message: String) {
        self.sink.error(node.at, node.length, code, message);
    }

    fn scalar(&mut self, node: &Node, text: &str, value: Scalar, shape: &Shape, scope: Scope) {
        let scope = alternatives(shape).fold(scope, |scope, each| match each {
            Shape::In(more, _) => scope.and(*more),
            _ => scope,
        });
        if value == Scalar::Text {
            if matches!(shape, Shape::Condition) {
                return self.condition(node, text, scope);
            }
            if expr::has_expression(text) {
                if !scope.is_empty() && is_written_out(shape) {
                    let message = "the keys must be written out here: an expression cannot be the whole mapping";
                    return self.error(node, "expression-not-allowed", message.to_owned());
                }
                return self.template(node, text, scope);
            }
        }
        let fits = alternatives(shape).any(|shape| fits(text, value, resolve(shape, scope).0));
        if !fits {
            let written = value.to_text(text);
            let mut diagnostic = self.sink.make(
                node.at,
                node.length,
                "unexpected-value",
                match value {
                    Scalar::Null => format!("expected {}, found nothing", expected(shape)),
                    _ => format!("expected {}, found `{}`", expected(shape), shortened(&written)),
                },
            );
            diagnostic.help = self.sink.nearest(&written, words(shape)).map(|word| format!("did you mean `{word}`?"));
            self.sink.push(diagnostic);
        }
    }

    fn template(&mut self, node: &Node, text: &str, scope: Scope) {
        if scope.is_empty() {
            return self.error(node, "expression-not-allowed", "expressions are not allowed here".to_owned());
        }
        let mut pieces = 0;
        for segment in expr::segments(text) {
            pieces += 1;
            match segment {
                Ok(Segment::Text(_)) => {}
                Ok(Segment::Expression { source, .. }) => self.expression(node, source, scope, false),
                Err(error) => return self.expression_error(node, &error, scope),
            }
        }
        // GitHub turns a text with expressions in it into one call of `format`, which has a longest length.
        if pieces > 1 && text.len() > expr::MAX_LENGTH && text.chars().count() > expr::MAX_LENGTH {
            let message = format!(
                "a text with expressions in it may have {} characters; move it to a file or its expressions to `env`",
                expr::MAX_LENGTH
            );
            self.error(node, "expression-too-long", message);
        }
    }

    fn condition(&mut self, node: &Node, text: &str, scope: Scope) {
        match expr::condition_source(text) {
            Ok(expr::Condition::Expression { source, .. }) => {
                self.expression(node, source, scope, !expr::has_expression(text))
            }
            Ok(expr::Condition::Text) => {
                self.template(node, text, scope);
                let mut diagnostic = self.sink.make(
                    node.at,
                    node.length,
                    "condition-is-text",
                    "a text with `${{ }}` inside it is always true",
                );
                diagnostic.severity = super::Severity::Warning;
                diagnostic.help = Some("put the whole condition inside one `${{ }}`, or leave `${{ }}` out".to_owned());
                self.sink.push(diagnostic);
            }
            Err(error) => self.expression_error(node, &error, scope),
        }
    }

    fn expression(&mut self, node: &Node, source: &str, scope: Scope, may_be_empty: bool) {
        match expr::parse(source, &scope) {
            Ok(None) if may_be_empty => {}
            Ok(None) => {
                self.error(node, "empty-expression", "an expression was expected between `${{` and `}}`".to_owned())
            }
            Ok(Some(_)) => {}
            Err(error) => self.expression_error(node, &error, scope),
        }
    }

    fn expression_error(&mut self, node: &Node, error: &expr::Error, scope: Scope) {
        let code = match error.kind {
            ErrorKind::Lexing | ErrorKind::Parsing => "expression",
            ErrorKind::Evaluation => "expression-evaluation",
        };
        let mut diagnostic = self.sink.make(node.at, node.length, code, error.message.clone());
        diagnostic.help = hint::of(error, scope);
        self.sink.push(diagnostic);
    }

    fn any_mapping(&mut self, entries: &[(Node, Node)], scope: Scope) {
        let mut seen = Seen::among(entries.len());
        for (key, value) in entries {
            if self.key(key, &mut seen, scope).is_some() {
                self.node(value, &Shape::Any, scope);
            }
        }
    }

    /// The key's name; none where it is no name, was there before, or is an expression.
    fn key<'n>(&mut self, key: &'n Node, seen: &mut Seen<'n>, scope: Scope) -> Option<Cow<'n, str>> {
        let Some(name) = key.text() else {
            self.error(key, "unexpected-key", "a key is a word, not a list or a mapping".to_owned());
            return None;
        };
        if expr::has_expression(&name) {
            if !is_insert(&name) || scope.is_empty() {
                self.template(key, &name, scope);
            }
            return None;
        }
        if !seen.insert(name.clone()) {
            let message = format!("`{}` is already defined in this mapping", shortened(&name));
            self.error(key, "duplicate-key", message);
            return None;
        }
        Some(name)
    }

    fn mapping(&mut self, node: &Node, entries: &[(Node, Node)], kinds: &'static [Keys], scope: Scope) {
        let mut kinds = Possible { all: kinds, bits: (1 << kinds.len()) - 1 };
        let mut seen = Seen::among(entries.len());
        let mut computed = false;
        for (key, value) in entries {
            let Some(name) = self.key(key, &mut seen, scope) else {
                if let Some(name) = key.text().filter(|name| expr::has_expression(name)) {
                    // What it adds is known when it is evaluated; its value is one of the mapping's all the same. Where no
                    // expression may stand it is a key like others, of which there are none.
                    computed |= is_insert(&name) || !scope.is_empty();
                    let loose = kinds.all.iter().all(|keys| keys.known.is_empty());
                    match kinds.all.iter().find_map(|keys| keys.others).filter(|_| loose) {
                        Some(others) if !is_insert(&name) || !scope.is_empty() => self.node(value, others, scope),
                        None if !scope.is_empty() => self.node(value, &Shape::Any, scope),
                        Some(_) | None => {}
                    }
                }
                continue;
            };
            if let Some(shape) = kinds.iter().find_map(|keys| keys.shape(&name)) {
                kinds.narrow(&name);
                self.node(value, shape, scope);
            } else if let Some(others) = kinds.iter().find_map(|keys| keys.others) {
                if name.is_empty() {
                    self.error(key, "unexpected-value", "a key must not be empty".to_owned());
                }
                self.node(value, others, scope);
            } else {
                self.unknown_key(key, &name, kinds);
            }
        }
        let mut left = kinds.iter();
        match (left.next(), left.next()) {
            (Some(keys), None) if !computed => {
                for required in keys.required {
                    if !seen.contains(required) {
                        self.error(node, "missing-key", format!("`{required}` is required here and missing"));
                    }
                }
            }
            (_, None) => {}
            (_, Some(_)) => {
                let names = kinds.marks().join(", ");
                self.error(node, "missing-key", format!("one of these is required here: {names}"));
            }
        }
    }

    fn unknown_key(&mut self, key: &Node, name: &str, kinds: Possible) {
        let of_other = kinds.all.iter().any(|keys| keys.shape(name).is_some());
        let chosen = kinds.marks();
        let known = || kinds.iter().flat_map(|keys| keys.known).map(|(name, _)| *name);
        let mut diagnostic =
            self.sink.make(key.at, key.length, "unknown-key", format!("unknown key `{}`", shortened(name)));
        diagnostic.help = Some(if name == "true" && known().any(|key| key == "on") {
            "did you mean `on`? A tool that reads YAML 1.1 takes it for a boolean, and writes it back so".to_owned()
        } else if name == "<<" {
            "merge keys are not part of the language; repeat the keys, or use an alias for the whole value".to_owned()
        } else if of_other && !chosen.is_empty() {
            format!("`{name}` cannot stand beside {}", chosen.join(" or "))
        } else if let Some(near) = self.sink.nearest(name, known()) {
            format!("did you mean `{near}`?")
        } else {
            let mut names: Vec<&str> = known().collect();
            names.sort_unstable();
            names.dedup();
            format!("known here are: {}", names.join(", "))
        });
        self.sink.push(diagnostic);
    }
}

/// Which kinds a mapping may still be, after the keys that were read.
#[derive(Clone, Copy)]
struct Possible {
    all: &'static [Keys],
    /// One for each of them.
    bits: u32,
}

impl Possible {
    fn iter(self) -> impl Iterator<Item = &'static Keys> {
        self.all.iter().enumerate().filter(move |(index, _)| self.bits >> index & 1 == 1).map(|(_, keys)| keys)
    }

    /// Those that know the key.
    fn narrow(&mut self, name: &str) {
        // Most mappings are of one kind, and one that knows the key is left.
        if self.bits.count_ones() > 1 {
            let knows = |index: usize| self.all[index].shape(name).is_some();
            self.bits = (0..self.all.len())
                .filter(|index| self.bits >> index & 1 == 1 && knows(*index))
                .fold(0, |bits, index| bits | 1 << index);
        }
    }

    /// The key that tells each kind, for people.
    fn marks(self) -> Vec<String> {
        self.iter().filter_map(|keys| keys.required.first()).map(|name| format!("`{name}`")).collect()
    }
}

/// The keys of one mapping, compared without case, as on GitHub.
///
/// Almost every mapping has a handful of keys: comparing them is faster than hashing copies in one
/// case. A hostile one has a hundred thousand.
struct Seen<'n> {
    few: Vec<Cow<'n, str>>,
    many: HashSet<String>,
}

impl<'n> Seen<'n> {
    const FEW: usize = 16;

    /// Nothing yet, of a mapping with so many keys.
    fn among(keys: usize) -> Self {
        Self { few: Vec::with_capacity(keys.min(Self::FEW)), many: HashSet::new() }
    }

    /// False where the key was there before.
    fn insert(&mut self, name: Cow<'n, str>) -> bool {
        if self.contains(&name) {
            return false;
        }
        if self.few.len() < Self::FEW {
            self.few.push(name);
        } else {
            self.many.insert(expr::folded(&name));
        }
        true
    }

    fn contains(&self, name: &str) -> bool {
        let is_ascii = name.is_ascii();
        let same = |each: &Cow<'_, str>| match is_ascii {
            true => each.eq_ignore_ascii_case(name),
            false => expr::equal_ignoring_case(each, name),
        };
        self.few.iter().any(same) || (!self.many.is_empty() && self.many.contains(&expr::folded(name)))
    }
}

/// A directive of GitHub's templates, not an expression: merges a mapping.
fn is_insert(key: &str) -> bool {
    key.split_whitespace().eq(["${{", "insert", "}}"])
}

fn resolve(shape: &Shape, scope: Scope) -> (&Shape, Scope) {
    match shape {
        Shape::In(more, inner) => resolve(inner, scope.and(*more)),
        Shape::Step => (&schema::STEP, scope),
        _ => (shape, scope),
    }
}

fn alternatives(shape: &Shape) -> impl Iterator<Item = &Shape> {
    match shape {
        Shape::Either(shapes) => shapes.iter(),
        other => std::slice::from_ref(other).iter(),
    }
}

/// Whether it takes a mapping from names to values (`env`, `with`, `secrets`) and no other scalar than a word.
fn is_written_out(shape: &Shape) -> bool {
    let mut maps = false;
    let others = alternatives(shape).any(|each| match resolve(each, Scope::NONE).0 {
        Shape::Map([Keys { known: [], others: Some(values), .. }]) if !matches!(values, Shape::Any) => {
            maps = true;
            false
        }
        Shape::Word(_) => false,
        _ => true,
    });
    maps && !others
}

fn find(shape: &Shape, scope: Scope, wanted: fn(&Shape) -> bool) -> Option<(&Shape, Scope)> {
    alternatives(shape).map(|each| resolve(each, scope)).find(|(shape, _)| wanted(shape))
}

fn fits(text: &str, value: Scalar, shape: &Shape) -> bool {
    match shape {
        Shape::Any | Shape::Elsewhere | Shape::Text | Shape::Condition => true,
        Shape::Null => value == Scalar::Null,
        Shape::Filled => value != Scalar::Null && !text.is_empty(),
        Shape::Word(words) => words.contains(&text) && value != Scalar::Null,
        Shape::Boolean => matches!(value, Scalar::Boolean(_)),
        Shape::Number => matches!(value, Scalar::Number(_)),
        Shape::List(_) | Shape::Map(_) | Shape::Step => false,
        Shape::Either(shapes) => shapes.iter().any(|shape| fits(text, value, shape)),
        Shape::In(_, inner) => fits(text, value, inner),
    }
}

fn words(shape: &Shape) -> Vec<&'static str> {
    alternatives(shape)
        .flat_map(|shape| match shape {
            Shape::Word(words) => words.to_vec(),
            _ => Vec::new(),
        })
        .collect()
}

/// What may stand here, for people.
fn expected(shape: &Shape) -> String {
    let names: Vec<String> = alternatives(shape)
        .map(|shape| match resolve(shape, Scope::NONE).0 {
            Shape::Any | Shape::Elsewhere => "a value".to_owned(),
            Shape::Null => "nothing".to_owned(),
            Shape::Text => "a text".to_owned(),
            Shape::Filled => "a text that is not empty".to_owned(),
            Shape::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "),
            Shape::Boolean => "`true` or `false`".to_owned(),
            Shape::Number => "a number".to_owned(),
            Shape::Condition => "a condition".to_owned(),
            Shape::List(_) => "a list".to_owned(),
            Shape::Map(_) | Shape::Step => "a mapping".to_owned(),
            Shape::Either(_) | Shape::In(..) => "a value".to_owned(),
        })
        .collect();
    names.join(" or ")
}
