//! Walks a tree along the schema: unknown, doubled and missing keys, values of the wrong kind, and
//! every expression parsed with the names that its place allows.

mod keys;
mod shapes;

use shapes::{alternatives, expected, find, fits, resolve, words};

use super::{
    diagnostic::Sink,
    hint,
    schema::{self, Shape},
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
}
