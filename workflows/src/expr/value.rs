use std::{borrow::Cow, cmp::Ordering};

use serde_json::Value;

use super::number;

/// A value of the language, read where it lies in the contexts.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum<'a> {
    Null,
    Boolean(bool),
    Number(f64),
    Text(Cow<'a, str>),
    /// An array or an object: of a context, or made by `fromJSON`.
    Tree(Cow<'a, Value>),
    /// What `.*` gives: an array on whose items the next dereference works one by one.
    Filtered(Vec<Datum<'a>>),
}

impl<'a> Datum<'a> {
    pub(crate) fn borrowed(value: &'a Value) -> Self {
        match value {
            Value::Null => Datum::Null,
            Value::Bool(value) => Datum::Boolean(*value),
            Value::Number(value) => Datum::Number(value.as_f64().unwrap_or(f64::NAN)),
            Value::String(value) => Datum::Text(Cow::Borrowed(value)),
            Value::Array(_) | Value::Object(_) => Datum::Tree(Cow::Borrowed(value)),
        }
    }

    pub(crate) fn owned(value: Value) -> Self {
        match value {
            Value::Null => Datum::Null,
            Value::Bool(value) => Datum::Boolean(value),
            Value::Number(value) => Datum::Number(value.as_f64().unwrap_or(f64::NAN)),
            Value::String(value) => Datum::Text(Cow::Owned(value)),
            Value::Array(_) | Value::Object(_) => Datum::Tree(Cow::Owned(value)),
        }
    }

    /// `Boolean`, `Number`, `String`, `Null`, `Array` or `Object`.
    pub fn kind(&self) -> &'static str {
        match self {
            Datum::Null => "Null",
            Datum::Boolean(_) => "Boolean",
            Datum::Number(_) => "Number",
            Datum::Text(_) => "String",
            Datum::Tree(tree) if tree.is_object() => "Object",
            Datum::Tree(_) | Datum::Filtered(_) => "Array",
        }
    }

    pub(crate) fn is_primitive(&self) -> bool {
        match self {
            Datum::Null | Datum::Boolean(_) | Datum::Number(_) | Datum::Text(_) => true,
            Datum::Tree(_) | Datum::Filtered(_) => false,
        }
    }

    /// As JSON; a number that JSON cannot hold becomes its text.
    pub fn into_json(self) -> Value {
        match self {
            Datum::Null => Value::Null,
            Datum::Boolean(value) => Value::Bool(value),
            Datum::Number(value) => json_number(value),
            Datum::Text(text) => Value::String(text.into_owned()),
            Datum::Tree(tree) => tree.into_owned(),
            Datum::Filtered(items) => Value::Array(items.into_iter().map(Datum::into_json).collect()),
        }
    }

    /// As text, the way a template shows it.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Datum::Null => Cow::Borrowed(""),
            Datum::Boolean(true) => Cow::Borrowed("true"),
            Datum::Boolean(false) => Cow::Borrowed("false"),
            Datum::Number(value) => Cow::Owned(number::format(*value)),
            Datum::Text(text) => Cow::Borrowed(text),
            Datum::Tree(_) | Datum::Filtered(_) => Cow::Borrowed(self.kind()),
        }
    }

    pub(crate) fn to_number(&self) -> f64 {
        match self {
            Datum::Null => 0.0,
            Datum::Boolean(value) => f64::from(u8::from(*value)),
            Datum::Number(value) => *value,
            Datum::Text(text) => number::parse(text),
            Datum::Tree(_) | Datum::Filtered(_) => f64::NAN,
        }
    }

    /// False are `false`, 0, NaN, the empty text and null.
    pub fn is_truthy(&self) -> bool {
        match self {
            Datum::Null => false,
            Datum::Boolean(value) => *value,
            Datum::Number(value) => *value != 0.0 && !value.is_nan(),
            Datum::Text(text) => !text.is_empty(),
            Datum::Tree(_) | Datum::Filtered(_) => true,
        }
    }

    /// `==`: kinds that differ are coerced to numbers, texts ignore case, arrays and objects are equal
    /// only to themselves.
    pub(crate) fn equals(&self, other: &Datum<'_>) -> bool {
        match (self, other) {
            (Datum::Text(a), Datum::Text(b)) => equal_ignoring_case(a, b),
            (Datum::Tree(Cow::Borrowed(a)), Datum::Tree(Cow::Borrowed(b))) => std::ptr::eq(*a, *b),
            (a, b) if a.is_primitive() && b.is_primitive() => a.to_number() == b.to_number(),
            _ => false,
        }
    }

    /// `<` and `>`; none where the two have no order.
    pub(crate) fn order(&self, other: &Datum<'_>) -> Option<Ordering> {
        match (self, other) {
            (Datum::Text(a), Datum::Text(b)) => Some(compare_ignoring_case(a, b)),
            (Datum::Null, Datum::Null) => None,
            (a, b) if a.is_primitive() && b.is_primitive() => a.to_number().partial_cmp(&b.to_number()),
            _ => None,
        }
    }
}

fn json_number(value: f64) -> Value {
    // Whole numbers print without `.0`, as GitHub prints them.
    if value.fract() == 0.0 && value.abs() < 1e15 && !(value == 0.0 && value.is_sign_negative()) {
        return Value::from(value as i64);
    }
    serde_json::Number::from_f64(value).map_or_else(|| Value::String(number::format(value)), Value::Number)
}

/// One character's upper case as .NET's ordinal comparison has it, which makes one of one: `ß` stays, the Greek letters
/// with an iota below have one of their own. The dotless ı and the long ſ, whose upper cases are ASCII, stay.
pub(crate) fn upper(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) if c != 'ı' && c != 'ſ' => single,
        _ => match u32::from(c) {
            point @ (0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7) => char::from_u32(point + 8).unwrap_or(c),
            point @ (0x1fb3 | 0x1fc3 | 0x1ff3) => char::from_u32(point + 9).unwrap_or(c),
            _ => c,
        },
    }
}

/// A text in one case, to be compared and hashed.
pub(crate) fn folded(text: &str) -> String {
    text.chars().map(upper).collect()
}

pub(crate) fn equal_ignoring_case(a: &str, b: &str) -> bool {
    // No other character has an ASCII one for its upper case.
    a.eq_ignore_ascii_case(b) || !a.is_ascii() && !b.is_ascii() && a.chars().map(upper).eq(b.chars().map(upper))
}

fn compare_ignoring_case(a: &str, b: &str) -> Ordering {
    // UTF-16 order, as on GitHub: it differs from Rust's own above U+FFFF.
    let units = |text: &str| text.chars().map(upper).collect::<String>().encode_utf16().collect::<Vec<u16>>();
    if a.is_ascii() && b.is_ascii() {
        let upper = |text: &'_ str| text.bytes().map(|b| b.to_ascii_uppercase()).collect::<Vec<u8>>();
        return upper(a).cmp(&upper(b));
    }
    units(a).cmp(&units(b))
}
