//! `fromJSON`: JSON as Json.NET reads it, GitHub's reader, which takes more than JSON is. Files that run on GitHub use it:
//! `[1, 2,]`, `['a']`, `{a: 1}`, comments, `NaN`, and whatever follows the value.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    Error,
    value::{Datum, equal_ignoring_case, folded},
};

/// How deep arrays and objects may nest; Json.NET's own limit.
const MAX_DEPTH: usize = 64;

/// `undefined`, and what is missing before a comma: Json.NET's kind of it has none in the language, and becomes a text.
const NOTHING: Datum<'static> = Datum::Text(Cow::Borrowed(""));

/// The first value of a text.
pub(super) fn read<'e>(text: &str) -> Result<Datum<'e>, Error> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = reader.skip().and_then(|()| match reader.peek() {
        None => Err("empty input".to_owned()),
        Some(',') => Ok(NOTHING),
        Some(_) => reader.value(),
    });
    // Where it was read to, a text without a value aside.
    value.map_err(|reason| {
        let place = match text.trim() {
            "" => String::new(),
            _ => {
                let before = &text[..reader.at];
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                format!(" at line {} column {column}", before.matches('\n').count() + 1)
            }
        };
        Error::evaluation(format!("Error parsing JSON when evaluating fromJSON: {reason}{place}"))
    })
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        self.at += if found { expected.len_utf8() } else { 0 };
        found
    }

    /// White space and comments.
    fn skip(&mut self) -> Result<(), String> {
        loop {
            self.at = self.text.len() - self.rest().trim_start().len();
            let rest = self.rest();
            let length = if rest.starts_with("//") {
                rest.find(['\n', '\r']).unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").ok_or("a comment has no end")? + 2
            } else {
                return Ok(());
            };
            self.at += length;
        }
    }

    fn unexpected<T>(&self) -> Result<T, String> {
        Err(match self.peek() {
            Some(found) => format!("unexpected `{found}`"),
            None => "unexpected end".to_owned(),
        })
    }

    fn value<'e>(&mut self) -> Result<Datum<'e>, String> {
        Ok(match self.peek() {
            Some('"' | '\'') => Datum::Text(Cow::Owned(self.quoted()?)),
            Some('[') => self.nested(Self::array)?,
            Some('{') => self.nested(Self::object)?,
            Some('0'..='9' | '.') => Datum::Number(self.number()?),
            Some('-') if !self.rest().starts_with("-I") => Datum::Number(self.number()?),
            _ => self.word()?,
        })
    }

    fn word<'e>(&mut self) -> Result<Datum<'e>, String> {
        let words: [(&str, Datum<'e>); 7] = [
            ("true", Datum::Boolean(true)),
            ("false", Datum::Boolean(false)),
            ("null", Datum::Null),
            ("NaN", Datum::Number(f64::NAN)),
            ("Infinity", Datum::Number(f64::INFINITY)),
            ("-Infinity", Datum::Number(f64::NEG_INFINITY)),
            ("undefined", NOTHING),
        ];
        let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}' | '/');
        let word = self.rest().split(ends).next().unwrap_or_default();
        let after = &self.rest()[word.len()..];
        let is_alone = !after.starts_with('/') || after.starts_with("//") || after.starts_with("/*");
        match words.into_iter().find(|(known, _)| *known == word && is_alone) {
            Some((_, value)) => {
                self.at += word.len();
                Ok(value)
            }
            None => self.unexpected(),
        }
    }

    /// `010` is 8 and `0x10` is 16; what else begins with a digit is decimal.
    fn number(&mut self) -> Result<f64, String> {
        let part = |c: char| c.is_ascii_hexdigit() || matches!(c, '-' | '+' | '.' | 'x' | 'X');
        let rest = self.rest();
        let text = &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())];
        // Rust takes a sign before the digits, Json.NET none.
        let radix = |digits: &str, radix| {
            let digits = Some(digits).filter(|digits| !digits.starts_with(['+', '-']))?;
            i64::from_str_radix(digits, radix).ok().map(|number| number as f64)
        };
        let number = match text.as_bytes() {
            [b'0', b'x' | b'X', ..] => radix(&text[2..], 16),
            [b'0', second, ..] if !matches!(second, b'.' | b'e' | b'E') => radix(text, 8),
            _ => text.parse().ok(),
        };
        let number = number.ok_or_else(|| format!("`{}` is no number", super::shortened(text)))?;
        self.at += text.len();
        match self.peek() {
            None | Some(',' | ']' | '}' | ')' | '/') => Ok(number),
            Some(space) if space.is_whitespace() => Ok(number),
            Some(_) => self.unexpected(),
        }
    }

    fn quoted(&mut self) -> Result<String, String> {
        let Some(quote) = self.peek() else { return self.unexpected() };
        self.at += 1;
        let mut units: Vec<u16> = Vec::new();
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let length = rest.find([quote, '\\']).ok_or("a text has no end")?;
            // Halves of a surrogate pair come one by one; half a pair is no character.
            if length > 0 || !rest.starts_with("\\u") {
                text.push_str(&String::from_utf16_lossy(&std::mem::take(&mut units)));
            }
            text.push_str(&rest[..length]);
            self.at += length + 1;
            if rest[length..].starts_with(quote) {
                return Ok(text);
            }
            let Some(escaped) = self.peek() else { return self.unexpected() };
            text.push(match escaped {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '\\' | '"' | '\'' | '/' => escaped,
                'u' => {
                    let digits = self.rest().get(1..5).filter(|digits| !digits.starts_with('+'));
                    let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
                    units.push(unit.ok_or("four hexadecimal digits are expected behind `\\u`")?);
                    self.at += 5;
                    continue;
                }
                _ => return self.unexpected(),
            });
            self.at += 1;
        }
    }

    /// An array or an object, whose first character is not read yet.
    fn nested<'e>(&mut self, read: fn(&mut Self) -> Result<Value, String>) -> Result<Datum<'e>, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(Datum::owned(value))
    }

    /// A value within another; nothing before a comma is one too.
    fn item(&mut self) -> Result<Value, String> {
        let value = if self.peek() == Some(',') { NOTHING } else { self.value()? };
        Ok(value.into_json())
    }

    fn array(&mut self) -> Result<Value, String> {
        let mut items = Vec::new();
        loop {
            self.skip()?;
            if self.take(']') {
                return Ok(Value::Array(items));
            }
            items.push(self.item()?);
            self.skip()?;
            if !self.take(',') && self.peek() != Some(']') {
                return self.unexpected();
            }
        }
    }

    fn object(&mut self) -> Result<Value, String> {
        let mut entries = Entries::default();
        loop {
            self.skip()?;
            if self.take('}') {
                return Ok(Value::Object(entries.map));
            }
            let key = self.key()?;
            self.skip()?;
            if !self.take(':') {
                return self.unexpected();
            }
            self.skip()?;
            entries.set(key, self.item()?);
            self.skip()?;
            if !self.take(',') && self.peek() != Some('}') {
                return self.unexpected();
            }
        }
    }

    fn key(&mut self) -> Result<String, String> {
        if matches!(self.peek(), Some('"' | '\'')) {
            return self.quoted();
        }
        let rest = self.rest();
        let name = &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len())];
        self.at += name.len();
        if name.is_empty() { self.unexpected() } else { Ok(name.to_owned()) }
    }
}

/// An object's: names are equal without case; of equal ones the first name stays, and the last value.
#[derive(Default)]
struct Entries {
    map: Map<String, Value>,
    /// In upper case, to the name as it was first; of larger objects alone.
    names: std::collections::HashMap<String, String>,
}

impl Entries {
    /// So many are compared one by one.
    const FEW: usize = 8;

    fn set(&mut self, key: String, value: Value) {
        if self.map.len() > Self::FEW && self.names.is_empty() {
            self.names = self.map.keys().map(|key| (folded(key), key.clone())).collect();
        }
        let known = match self.names.is_empty() {
            true => self.map.keys().find(|each| equal_ignoring_case(each, &key)).cloned(),
            false => {
                let known = self.names.get(&folded(&key)).cloned();
                if known.is_none() {
                    self.names.insert(folded(&key), key.clone());
                }
                known
            }
        };
        self.map.insert(known.unwrap_or(key), value);
    }
}
