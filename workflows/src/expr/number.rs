//! Numbers as GitHub reads and prints them.

/// A text as a number: trimmed, empty is 0, decimal, `0x` and `0o` of 32 bits, `Infinity`; else NaN.
pub(crate) fn parse(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16).unwrap_or(f64::NAN);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8).unwrap_or(f64::NAN);
    }
    // Rust's own grammar is decimal notation plus words (`inf`, `nan`), of which .NET has one, without case.
    if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return text.parse().unwrap_or(f64::NAN);
    }
    let (sign, word) = match text.strip_prefix('-') {
        Some(word) => (-1.0, word),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if word.eq_ignore_ascii_case("infinity") { sign * f64::INFINITY } else { f64::NAN }
}

/// Digits of a base below 10 or of 16: 32 bits that have a sign, so that `ffffffff` is -1. None for anything else.
pub(crate) fn radix(digits: &str, radix: u32) -> Option<f64> {
    // Rust takes a sign here, the language none.
    let digits = Some(digits).filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, radix).ok().map(|bits| f64::from(bits as i32))
}

/// .NET's `G15`: at most 15 significant digits, no trailing zeros, an exponent where it is below −4
/// or above 14 (`1E+15`, `1.5E-07`).
pub(crate) fn format(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    // Whole numbers of up to 15 digits need no rounding: almost every number in a workflow.
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return (number as i64).to_string();
    }
    let rounded = format!("{number:.14e}");
    let (mantissa, exponent) = rounded.split_once('e').expect("`e` formatting always writes an exponent");
    let exponent: i32 = exponent.parse().expect("`e` formatting writes a decimal exponent");
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let digits = digits.trim_end_matches('0');
    if !(-4..15).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}E{exponent_sign}{:02}", exponent.abs());
    }
    if exponent < 0 {
        let zeros = "0".repeat((-exponent - 1) as usize);
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        format!("{sign}{digits}{}", "0".repeat(whole - digits.len()))
    } else {
        format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
    }
}
