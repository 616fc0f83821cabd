use std::borrow::Cow;

use saphyr_parser::Tag;

use crate::expr;

/// What YAML 1.2's core schema makes of a scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Boolean(bool),
    Number(f64),
    Text,
}

impl Scalar {
    pub(crate) fn resolve(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Scalar, String> {
        let Some(tag) = tag else {
            return if plain { Scalar::plain(text).ok_or_else(|| too_wide(text)) } else { Ok(Scalar::Text) };
        };
        // `!` alone means "no guessing".
        if tag.handle.is_empty() && tag.suffix == "!" {
            return Ok(Scalar::Text);
        }
        let Some(name) = core_name(tag) else {
            return Err(format!("the tag `{tag}` is not supported"));
        };
        if name == "str" {
            return Ok(Scalar::Text);
        }
        if !plain {
            return Err(format!("a quoted text cannot have the tag `!!{name}`"));
        }
        match (name, Scalar::plain(text).ok_or_else(|| too_wide(text))?) {
            ("null", Scalar::Null) => Ok(Scalar::Null),
            ("bool", Scalar::Boolean(value)) => Ok(Scalar::Boolean(value)),
            ("int", Scalar::Number(value)) if based(text).is_some() || decimal(text).is_some() => {
                Ok(Scalar::Number(value))
            }
            ("float", Scalar::Number(value)) => Ok(Scalar::Number(value)),
            ("null" | "bool" | "int" | "float", _) => {
                Err(format!("`{}` is invalid for the type `!!{name}`", expr::shortened(text)))
            }
            _ => Err(format!("the tag `!!{name}` is not supported")),
        }
    }

    /// None of a number that has no room in 32 bits where it must.
    fn plain(text: &str) -> Option<Scalar> {
        // Most scalars are words: one look at the first byte spares them the rest.
        let begins =
            |byte| matches!(byte, b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'+' | b'-' | b'.' | b'0'..=b'9');
        if text.bytes().next().is_some_and(|byte| !begins(byte)) {
            return Some(Scalar::Text);
        }
        Some(match text {
            "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
            "true" | "True" | "TRUE" => Scalar::Boolean(true),
            "false" | "False" | "FALSE" => Scalar::Boolean(false),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Number(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => Scalar::Number(f64::NEG_INFINITY),
            ".nan" | ".NaN" | ".NAN" => Scalar::Number(f64::NAN),
            _ => match based(text) {
                Some((digits, radix)) => Scalar::Number(expr::radix(digits, radix)?),
                None => decimal(text).or_else(|| float(text)).map_or(Scalar::Text, Scalar::Number),
            },
        })
    }

    /// As GitHub turns a value into a text: numbers are normalised (`1.0` → `1`).
    pub(crate) fn to_text(self, text: &str) -> Cow<'_, str> {
        match self {
            Scalar::Null => Cow::Borrowed(""),
            Scalar::Boolean(value) => Cow::Borrowed(if value { "true" } else { "false" }),
            Scalar::Number(value) => Cow::Owned(expr::Datum::Number(value).to_text().into_owned()),
            Scalar::Text => Cow::Borrowed(text),
        }
    }
}

/// `str` of `!!str` and of `!<tag:yaml.org,2002:str>`; none for tags outside of YAML's own.
pub(crate) fn core_name(tag: &Tag) -> Option<&str> {
    if tag.is_yaml_core_schema() {
        return Some(&tag.suffix);
    }
    tag.suffix.strip_prefix("tag:yaml.org,2002:").filter(|_| tag.handle.is_empty())
}

fn too_wide(text: &str) -> String {
    format!("`{}` has more than 32 bits", expr::shortened(text))
}

/// The digits of `0x1f` and `0o17`, and their base; none of other texts.
fn based(text: &str) -> Option<(&str, u32)> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text.strip_prefix("0o")?, 8),
    };
    (!digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))).then_some((digits, radix))
}

fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    decimal.then(|| text.parse().unwrap_or(f64::NAN))
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        None => !mantissa.is_empty() && digits(mantissa),
        Some((whole, fraction)) => digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    if mantissa_fits && exponent_fits { text.parse().ok() } else { None }
}
