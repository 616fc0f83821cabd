//! Secrets and variables of a repository: how they are named, and how a file gives them.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Most bytes of a value, as on GitHub.
pub const MAX_VALUE_BYTES: usize = 48_000;

/// Name of a secret or a variable, in capitals: GitHub's names do not differ by case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SettingName(String);

/// Why a text is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetting {
    #[error("`{0}` is not a name: letters, digits and `_`, not beginning with a digit, at most 120 of them")]
    Characters(String),
    #[error("`{0}` is not free: names that begin with `GITHUB_` are GitHub's")]
    Reserved(String),
}

impl SettingName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SettingName {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !letters || text.is_empty() || text.len() > 120 || text.as_bytes()[0].is_ascii_digit() {
            return Err(InvalidSetting::Characters(text.chars().take(120).collect()));
        }
        let name = text.to_ascii_uppercase();
        if name.starts_with("GITHUB_") { Err(InvalidSetting::Reserved(name)) } else { Ok(Self(name)) }
    }
}

impl TryFrom<String> for SettingName {
    type Error = InvalidSetting;

    fn try_from(text: String) -> Result<Self, InvalidSetting> {
        text.parse()
    }
}

impl From<SettingName> for String {
    fn from(name: SettingName) -> Self {
        name.0
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads lines of `NAME=value` (`export` before and comments between them allowed): as it stands, in single
/// quotes, or in double quotes with `\n`, `\r`, `\t`, `\"` and `\\`. A quoted value may have several lines.
/// The error is a sentence with the line's number, never with a value.
pub fn read_dotenv(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line_of = |rest: &str| text[..text.len() - rest.len()].matches('\n').count() + 1;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(values);
        }
        let at = line_of(rest);
        let end = rest.find('\n').unwrap_or(rest.len());
        if rest.starts_with('#') {
            rest = &rest[end..];
            continue;
        }
        let line = &rest[..end];
        let (name, after) = line.split_once('=').ok_or_else(|| format!("line {at}: expected NAME=value"))?;
        let name = name.trim().trim_start_matches("export ").trim();
        let name: SettingName = name.parse().map_err(|error| format!("line {at}: {error}"))?;
        let begins = end - after.len() + (after.len() - after.trim_start().len());
        let (value, left) = match rest[begins.min(end)..].chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let (value, left) = quoted(&rest[begins + 1..], quote)
                    .ok_or_else(|| format!("line {at}: the value of {name} has no closing {quote}"))?;
                let end = left.find('\n').unwrap_or(left.len());
                let behind = left[..end].trim();
                if !behind.is_empty() && !behind.starts_with('#') {
                    return Err(format!("line {at}: there is something behind the value of {name}"));
                }
                (value, &left[end..])
            }
            Some(_) | None => {
                let value = after.find(" #").map_or(after, |comment| &after[..comment]);
                (value.trim().to_owned(), &rest[end..])
            }
        };
        values.insert(name.into(), value);
        rest = left;
    }
}

/// The value up to its closing quote, and what follows it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return Some((value, &text[at + c.len_utf8()..])),
            '\\' if quote == '"' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                other @ ('"' | '\\' | '$') => value.push(other),
                other => value.extend(['\\', other]),
            },
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_githubs() {
        assert_eq!("hf_Token2".parse::<SettingName>().unwrap().as_str(), "HF_TOKEN2");
        for wrong in ["", "2x", "a-b", "a b", "é", "GITHUB_X", "github_token"] {
            assert!(wrong.parse::<SettingName>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_file_gives_values_plain_quoted_and_of_several_lines() {
        let text = "# comment\nexport A=one two # why\nB='x # \\n'\nC = \"a\\nb\\\"c\"\nKEY=\"-----\nline\n-----\" # k\nD=\nE=a#b=c";
        let values = read_dotenv(text).unwrap();
        let pairs: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let key = ("KEY", "-----\nline\n-----");
        assert_eq!(pairs, [("A", "one two"), ("B", "x # \\n"), ("C", "a\nb\"c"), ("D", ""), ("E", "a#b=c"), key]);
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_without_the_value() {
        for (text, line) in [("A=1\nhidden", 2), ("A='hidden", 1), ("\nA=\"x\" hidden", 2), ("1A=hidden", 1)] {
            let error = read_dotenv(text).unwrap_err();
            assert!(error.starts_with(&format!("line {line}: ")) && !error.contains("hidden"), "{error}");
        }
    }
}
