//! Metrics' numbers as people read them.

use super::metric::{MetricRef, Quantity, quantity};

fn quantity_of(metric: &str) -> Quantity {
    quantity(MetricRef::parse(metric).map_or(metric, |parsed| parsed.name))
}

/// A value of the metric: `0.9412`, `12.3 ms`, `5.2 MB`.
pub fn value(metric: &str, x: f64) -> String {
    match quantity_of(metric) {
        Quantity::Share => format!("{x:.4}"),
        Quantity::Time => format!("{} ms", digits(x, 4)),
        Quantity::Bytes => bytes(x),
        Quantity::Plain => digits(x, 5),
    }
}

/// A change of the metric with its sign: `−2.10 pp`, `+1.2 ms`.
pub fn change(metric: &str, x: f64) -> String {
    let sign = if x < 0.0 {
        "−"
    } else if x > 0.0 {
        "+"
    } else {
        "±"
    };
    format!("{sign}{}", size(metric, x))
}

/// The size of a change, without its sign: `2.10 pp`.
pub fn size(metric: &str, x: f64) -> String {
    let x = x.abs();
    match quantity_of(metric) {
        Quantity::Share => {
            let points = x * 100.0;
            // Two decimals unless they would hide the change.
            if points == 0.0 || points >= 0.095 {
                format!("{points:.2} pp")
            } else {
                format!("{} pp", digits(points, 2))
            }
        }
        Quantity::Time => format!("{} ms", digits(x, 3)),
        Quantity::Bytes => bytes(x),
        Quantity::Plain => digits(x, 3),
    }
}

fn bytes(x: f64) -> String {
    let (scale, suffix) = match x.abs() {
        v if v >= 1e9 => (1e9, "GB"),
        v if v >= 1e6 => (1e6, "MB"),
        v if v >= 1e3 => (1e3, "kB"),
        _ => return format!("{x:.0} B"),
    };
    format!("{:.2} {suffix}", x / scale)
}

/// `x` with that many significant digits; scientific only where plain digits would be unreadable.
pub fn digits(x: f64, significant: usize) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}");
    }
    let magnitude = x.abs().log10().floor();
    if !(-5.0..9.0).contains(&magnitude) {
        return format!("{x:.*e}", significant.saturating_sub(1));
    }
    let decimals = (significant as f64 - 1.0 - magnitude).max(0.0) as usize;
    format!("{x:.decimals$}")
}

/// 12345 → `12,345`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// To two significant digits, upwards: an estimate should not look like a count.
pub fn round_up(n: u64) -> u64 {
    let scale = 10u64.pow((n.max(1).ilog10()).saturating_sub(1));
    n.div_ceil(scale) * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(value("accuracy", 0.94117), "0.9412");
        assert_eq!(change("accuracy", -0.021), "−2.10 pp");
        assert_eq!(change("f1_macro[slice=night]", 0.0), "±0.00 pp");
        assert_eq!(change("accuracy", 0.000012), "+0.0012 pp");
        assert_eq!(value("latency_p99", 12.3456), "12.35 ms");
        assert_eq!(value("model_bytes", 5_230_000.0), "5.23 MB");
        assert_eq!(value("rmse", 1234.5678), "1234.6");
        assert_eq!(digits(0.00000012345, 3), "1.23e-7");
        assert_eq!(
            (thousands(7), thousands(1234), thousands(1234567)),
            ("7".into(), "1,234".into(), "1,234,567".into())
        );
    }
}
