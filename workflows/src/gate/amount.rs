//! `0.5pp`, `10%`, `20ms`, `5MB`, `0.3`: a number with its unit.

use std::fmt;

use super::{Amount, Unit};

/// Suffix → unit and the factor to the unit that amounts are kept in (milliseconds, bytes).
/// Longer suffixes stand before those that they end with.
const SUFFIXES: [(&str, Unit, f64); 16] = [
    ("pp", Unit::PercentagePoints, 1.0),
    ("%", Unit::Percent, 1.0),
    ("ms", Unit::Milliseconds, 1.0),
    ("us", Unit::Milliseconds, 1e-3),
    ("µs", Unit::Milliseconds, 1e-3),
    ("ns", Unit::Milliseconds, 1e-6),
    ("KiB", Unit::Bytes, 1024.0),
    ("MiB", Unit::Bytes, 1_048_576.0),
    ("GiB", Unit::Bytes, 1_073_741_824.0),
    ("kB", Unit::Bytes, 1e3),
    ("KB", Unit::Bytes, 1e3),
    ("MB", Unit::Bytes, 1e6),
    ("GB", Unit::Bytes, 1e9),
    ("TB", Unit::Bytes, 1e12),
    ("s", Unit::Milliseconds, 1e3),
    ("B", Unit::Bytes, 1.0),
];

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an amount; write a number, or a number with pp, %, ms, s, kB, MB or GB, such as 0.5pp or 20ms"
)]
pub struct InvalidAmount {
    pub text: String,
}

impl Amount {
    /// Reads an amount; spaces between number and unit are allowed, NaN, infinities and hexadecimal are not.
    pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
        let invalid = || InvalidAmount { text: text.chars().take(60).collect() };
        let trimmed = text.trim();
        let (number, unit, factor) = SUFFIXES
            .iter()
            .find_map(|(suffix, unit, factor)| Some((trimmed.strip_suffix(suffix)?.trim_end(), *unit, *factor)))
            .unwrap_or((trimmed, Unit::Absolute, 1.0));
        let plain = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'_' | b'e' | b'E'));
        if !plain {
            return Err(invalid());
        }
        let value: f64 = number.replace('_', "").parse().map_err(|_| invalid())?;
        if value.is_finite() { Ok(Self { value: value * factor, unit }) } else { Err(invalid()) }
    }

    /// This amount in the metric's own unit; `base` is what percents are of.
    pub fn in_metric_unit(self, base: f64) -> f64 {
        match self.unit {
            Unit::Absolute | Unit::Milliseconds | Unit::Bytes => self.value,
            Unit::PercentagePoints => self.value / 100.0,
            Unit::Percent => self.value / 100.0 * base.abs(),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value;
        match self.unit {
            Unit::Absolute => write!(f, "{value}"),
            Unit::PercentagePoints => write!(f, "{value}pp"),
            Unit::Percent => write!(f, "{value}%"),
            Unit::Milliseconds if value >= 1e3 => write!(f, "{}s", value / 1e3),
            Unit::Milliseconds => write!(f, "{value}ms"),
            Unit::Bytes => {
                let (scale, suffix) = match value.abs() {
                    v if v >= 1e9 => (1e9, "GB"),
                    v if v >= 1e6 => (1e6, "MB"),
                    v if v >= 1e3 => (1e3, "kB"),
                    _ => (1.0, "B"),
                };
                write!(f, "{}{suffix}", value / scale)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_every_unit_are_read() {
        let check = |text: &str, value: f64, unit: Unit, shown: &str| {
            let amount = Amount::parse(text).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!((amount.value, amount.unit), (value, unit), "{text}");
            assert_eq!(amount.to_string(), shown);
        };
        check("0.5pp", 0.5, Unit::PercentagePoints, "0.5pp");
        check("10%", 10.0, Unit::Percent, "10%");
        check(" 10 % ", 10.0, Unit::Percent, "10%");
        check("20ms", 20.0, Unit::Milliseconds, "20ms");
        check("1.5s", 1500.0, Unit::Milliseconds, "1.5s");
        check("250us", 0.25, Unit::Milliseconds, "0.25ms");
        check("5MB", 5e6, Unit::Bytes, "5MB");
        check("4 MiB", 4.0 * 1_048_576.0, Unit::Bytes, "4.194304MB");
        check("512B", 512.0, Unit::Bytes, "512B");
        check("0.3", 0.3, Unit::Absolute, "0.3");
        check("0", 0.0, Unit::Absolute, "0");
        check("-1e-3", -0.001, Unit::Absolute, "-0.001");
    }

    #[test]
    fn what_is_no_amount_is_refused_whole() {
        for text in ["", "pp", "five", "NaN", "inf", "1e999", "0x10", "5 apples", "5pp5", "ms20", "1..2", "infinity%"] {
            assert!(Amount::parse(text).is_err(), "{text:?} was taken");
        }
    }
}
