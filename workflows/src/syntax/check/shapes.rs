//! What may stand where a shape is asked for.

use crate::syntax::{
    schema::{self, Shape},
    scope::Scope,
    yaml::Scalar,
};

pub(super) fn resolve(shape: &Shape, scope: Scope) -> (&Shape, Scope) {
    match shape {
        Shape::In(more, inner) => resolve(inner, scope.and(*more)),
        Shape::Step => (&schema::STEP, scope),
        _ => (shape, scope),
    }
}

pub(super) fn alternatives(shape: &Shape) -> impl Iterator<Item = &Shape> {
    match shape {
        Shape::Either(shapes) => shapes.iter(),
        other => std::slice::from_ref(other).iter(),
    }
}

pub(super) fn find(shape: &Shape, scope: Scope, wanted: fn(&Shape) -> bool) -> Option<(&Shape, Scope)> {
    alternatives(shape).map(|each| resolve(each, scope)).find(|(shape, _)| wanted(shape))
}

pub(super) fn fits(text: &str, value: Scalar, shape: &Shape) -> bool {
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

pub(super) fn words(shape: &Shape) -> Vec<&'static str> {
    alternatives(shape)
        .flat_map(|shape| match shape {
            Shape::Word(words) => words.to_vec(),
            _ => Vec::new(),
        })
        .collect()
}

/// What may stand here, for people.
pub(super) fn expected(shape: &Shape) -> String {
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
