use std::borrow::Cow;

use serde_json::Value;

use super::{
    Error, number,
    value::{Datum, folded},
};

/// Every function of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Case,
    Contains,
    EndsWith,
    Format,
    FromJson,
    HashFiles,
    Join,
    StartsWith,
    ToJson,
    Always,
    Cancelled,
    Failure,
    Success,
}

impl Function {
    /// All of them by the name that people write; names are compared without case.
    pub(crate) const ALL: [(&'static str, Function); 13] = [
        ("contains", Function::Contains),
        ("startsWith", Function::StartsWith),
        ("endsWith", Function::EndsWith),
        ("format", Function::Format),
        ("join", Function::Join),
        ("toJSON", Function::ToJson),
        ("fromJSON", Function::FromJson),
        ("hashFiles", Function::HashFiles),
        ("case", Function::Case),
        ("success", Function::Success),
        ("failure", Function::Failure),
        ("cancelled", Function::Cancelled),
        ("always", Function::Always),
    ];

    pub(crate) fn named(name: &str) -> Option<Function> {
        Self::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, function)| *function)
    }

    /// Fewest and most arguments.
    pub(crate) fn arity(self) -> (usize, usize) {
        match self {
            Function::Case => (3, usize::MAX),
            Function::Contains | Function::EndsWith | Function::StartsWith => (2, 2),
            Function::Format | Function::HashFiles => (1, 255),
            Function::FromJson | Function::ToJson => (1, 1),
            Function::Join => (1, 2),
            Function::Always | Function::Cancelled => (0, 0),
            // Ids of jobs, in a job's condition alone: see `Names::status_takes_jobs`.
            Function::Failure | Function::Success => (0, usize::MAX),
        }
    }

    pub(crate) fn is_status(self) -> bool {
        match self {
            Function::Always | Function::Cancelled | Function::Failure | Function::Success => true,
            Function::Case
            | Function::Contains
            | Function::EndsWith
            | Function::Format
            | Function::FromJson
            | Function::HashFiles
            | Function::Join
            | Function::StartsWith
            | Function::ToJson => false,
        }
    }
}

/// Whether something could be in it.
pub(super) fn may_contain(search: &Datum<'_>) -> bool {
    match search {
        Datum::Filtered(items) => !items.is_empty(),
        Datum::Tree(tree) => tree.as_array().is_some_and(|items| !items.is_empty()),
        Datum::Null | Datum::Boolean(_) | Datum::Number(_) | Datum::Text(_) => true,
    }
}

pub(super) fn contains(search: &Datum<'_>, item: &Datum<'_>) -> bool {
    match search {
        Datum::Filtered(items) => items.iter().any(|each| each.equals(item)),
        Datum::Tree(tree) => match tree.as_ref() {
            Value::Array(items) => items.iter().any(|each| Datum::borrowed(each).equals(item)),
            _ => false,
        },
        Datum::Null | Datum::Boolean(_) | Datum::Number(_) | Datum::Text(_) => {
            item.is_primitive() && folded(&search.to_text()).contains(folded(&item.to_text()).as_str())
        }
    }
}

pub(super) fn starts_with(text: &Datum<'_>, start: &Datum<'_>) -> bool {
    text.is_primitive()
        && start.is_primitive()
        && folded(&text.to_text()).starts_with(folded(&start.to_text()).as_str())
}

pub(super) fn ends_with(text: &Datum<'_>, end: &Datum<'_>) -> bool {
    text.is_primitive() && end.is_primitive() && folded(&text.to_text()).ends_with(folded(&end.to_text()).as_str())
}

/// Whether there is something to separate.
pub(super) fn needs_separator(items: &Datum<'_>) -> bool {
    match items {
        Datum::Filtered(items) => items.len() > 1,
        Datum::Tree(tree) => tree.as_array().is_some_and(|items| items.len() > 1),
        Datum::Null | Datum::Boolean(_) | Datum::Number(_) | Datum::Text(_) => false,
    }
}

pub(super) fn join(items: &Datum<'_>, separator: Option<&Datum<'_>>) -> String {
    let separator = match separator {
        Some(separator) if separator.is_primitive() => separator.to_text(),
        Some(_) | None => Cow::Borrowed(","),
    };
    let texts: Vec<String> = match items {
        Datum::Filtered(items) => items.iter().map(|item| item.to_text().into_owned()).collect(),
        Datum::Tree(tree) => match tree.as_ref() {
            Value::Array(items) => items.iter().map(|item| Datum::borrowed(item).to_text().into_owned()).collect(),
            _ => Vec::new(),
        },
        Datum::Null | Datum::Boolean(_) | Datum::Number(_) | Datum::Text(_) => vec![items.to_text().into_owned()],
    };
    texts.join(&separator)
}

/// `{0}` is the first of `count` arguments after the text; `{{` and `}}` are braces. `append` puts an argument's text
/// behind another.
pub(super) fn format(
    template: &str,
    count: usize,
    append: &mut dyn FnMut(usize, &mut String) -> Result<(), Error>,
) -> Result<String, Error> {
    let invalid = || Error::evaluation(format!("The following format string is invalid: {template}"));
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(brace) = rest.find(['{', '}']) {
        text.push_str(&rest[..brace]);
        let (kind, after) = rest[brace..].split_at(1);
        if let Some(after) = after.strip_prefix(kind) {
            text.push_str(kind);
            rest = after;
            continue;
        }
        let end = after.find('}').filter(|_| kind == "{").ok_or_else(invalid)?;
        // .NET's specifiers behind the number (`{0:x}`) have no meaning here, and GitHub refuses them.
        let index: usize = match after[..end].strip_suffix(':').unwrap_or(&after[..end]) {
            digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().unwrap_or(usize::MAX)
            }
            _ => return Err(invalid()),
        };
        if index >= count {
            return Err(Error::evaluation(format!(
                "The following format string references more arguments than were supplied: {template}"
            )));
        }
        append(index, &mut text)?;
        rest = &after[end + 1..];
    }
    text.push_str(rest);
    Ok(text)
}

/// Pretty-printed with two spaces; numbers as [`number::format`] prints them.
pub(super) fn to_json(datum: &Datum<'_>) -> String {
    let mut text = String::new();
    match datum {
        Datum::Tree(tree) => write_json(tree, 0, &mut text),
        // `NaN` and `Infinity` are no JSON; GitHub writes them so.
        Datum::Number(value) => text.push_str(&number::format(*value)),
        other => write_json(&other.clone().into_json(), 0, &mut text),
    }
    text
}

fn write_json(value: &Value, depth: usize, text: &mut String) {
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
    };
    match value {
        Value::Number(value) => text.push_str(&number::format(value.as_f64().unwrap_or(f64::NAN))),
        Value::Array(items) if !items.is_empty() => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                line(text, depth + 1);
                write_json(item, depth + 1, text);
            }
            line(text, depth);
            text.push(']');
        }
        Value::Object(entries) if !entries.is_empty() => {
            text.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                line(text, depth + 1);
                text.push_str(&Value::String(key.clone()).to_string());
                text.push_str(": ");
                write_json(item, depth + 1, text);
            }
            line(text, depth);
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            text.push_str(&value.to_string());
        }
    }
}
