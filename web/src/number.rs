//! Numbers in the unit that their metric is read in. What is not a number is never shown as one.

/// How a metric is read, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Between 0 and 1: read as percent, its changes as percentage points.
    Share,
    Milliseconds,
    Bytes,
    Plain,
}

/// The kind of `accuracy`, `eval-cpu/f1_macro`, `accuracy[slice=night]`, `latency_p50`, `model_bytes`.
pub(crate) fn kind(metric: &str) -> Kind {
    let name = metric.split('[').next().unwrap_or(metric);
    let name = name.rsplit('/').next().unwrap_or(name);
    let shares = ["accuracy", "f1", "precision", "recall", "roc_auc", "average_precision", "jaccard", "exact_match"];
    let is_share = |share: &str| name.strip_prefix(share).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    if name.ends_with("_bytes") {
        Kind::Bytes
    } else if name.starts_with("latency") || name.ends_with("_ms") {
        Kind::Milliseconds
    } else if name == "balanced_accuracy" || name == "top_k_accuracy" || shares.iter().any(|share| is_share(share)) {
        Kind::Share
    } else {
        Kind::Plain
    }
}

/// A value of the metric: `96.44 %`, `1.83 ms`, `4.4 KB`, `0.2513`.
pub(crate) fn value(metric: &str, value: f64) -> String {
    if !value.is_finite() {
        return "not a number".to_owned();
    }
    match kind(metric) {
        Kind::Share => format!("{} %", decimals(value * 100.0, 2)),
        Kind::Milliseconds => format!("{} ms", significant(value)),
        Kind::Bytes => bytes(value),
        Kind::Plain => significant(value),
    }
}

/// A value, or a dash where there is none.
pub(crate) fn optional(metric: &str, number: Option<f64>) -> String {
    number.map_or_else(|| "–".to_owned(), |number| value(metric, number))
}

/// A change of the metric, with its sign: `−3.11 pp`, `+0.20 ms`, `±0`.
pub(crate) fn change(metric: &str, change: f64) -> String {
    if !change.is_finite() {
        return "not a number".to_owned();
    }
    let (text, unit) = match kind(metric) {
        Kind::Share => (decimals(change.abs() * 100.0, 2), " pp"),
        Kind::Milliseconds => (significant(change.abs()), " ms"),
        Kind::Bytes => (bytes(change.abs()), ""),
        Kind::Plain => (significant(change.abs()), ""),
    };
    let sign = if text.trim_end_matches(" B").bytes().all(|b| matches!(b, b'0' | b'.')) {
        "±"
    } else if change < 0.0 {
        "−"
    } else {
        "+"
    };
    format!("{sign}{text}{unit}")
}

/// `12.3 MB`: powers of 1,000, as disks and downloads are sold.
pub(crate) fn bytes(bytes: f64) -> String {
    let sign = if bytes < 0.0 { "−" } else { "" };
    let mut size = bytes.abs();
    for unit in ["B", "KB", "MB", "GB"] {
        // What would be rounded up to the next unit is shown in it.
        if size < 999.5 {
            let digits = if unit == "B" || size >= 99.95 { 0 } else { 1 };
            return format!("{sign}{size:.digits$} {unit}");
        }
        size /= 1000.0;
    }
    format!("{sign}{size:.1} TB")
}

/// `0.0002` where it can be told from nothing, else `< 0.0001`.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("= {p:.4}") }
}

/// With thousands separated: `1,544`.
pub(crate) fn integer(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn decimals(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    text.replace('-', "−")
}

/// Four significant digits, thousands separated, exponents only where nothing else is readable.
fn significant(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    let text = if size >= 1e15 || size < 1e-5 {
        format!("{value:.3e}")
    } else if size >= 1000.0 {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", integer(size.round() as u64))
    } else {
        let digits = (3 - size.log10().floor() as i32).clamp(0, 8) as usize;
        format!("{value:.digits$}")
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_in_their_own_unit() {
        assert_eq!(value("accuracy", 0.9644), "96.44 %");
        assert_eq!(value("eval-cpu/f1_macro[slice=night]", 0.5), "50.00 %");
        assert_eq!(value("latency_p50", 1.83456), "1.835 ms");
        assert_eq!(value("model_bytes", 4_437.0), "4.4 KB");
        assert_eq!(value("log_loss", 0.251_349), "0.2513");
        assert_eq!(value("throughput", 123_456.7), "123,457");
        assert_eq!(value("recalls_of_cars", 3.0), "3.000");
    }

    #[test]
    fn changes_carry_their_sign_and_nothing_is_no_change() {
        assert_eq!(change("accuracy", -0.031_14), "−3.11 pp");
        assert_eq!(change("accuracy", 0.004), "+0.40 pp");
        assert_eq!(change("accuracy", -0.0), "±0.00 pp");
        assert_eq!(change("accuracy", -0.000_001), "±0.00 pp");
        assert_eq!(change("model_bytes", -1_200.0), "−1.2 KB");
        assert_eq!(change("model_bytes", 0.0), "±0 B");
        assert_eq!(change("log_loss", 1.0), "+1.000");
    }

    #[test]
    fn what_is_not_a_number_is_not_shown_as_one() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for metric in ["accuracy", "latency_p50", "model_bytes", "bleu"] {
                assert_eq!(value(metric, odd), "not a number");
                assert_eq!(change(metric, odd), "not a number");
            }
        }
        assert_eq!(optional("accuracy", None), "–");
    }

    #[test]
    fn sizes_never_read_as_a_thousand_of_a_smaller_unit() {
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(999.4), "999 B");
        assert_eq!(bytes(999.9), "1.0 KB");
        assert_eq!(bytes(999_900.0), "1.0 MB");
        assert_eq!(bytes(5e15), "5000.0 TB");
        assert_eq!(integer(1_234_567), "1,234,567");
        assert_eq!(integer(12), "12");
    }
}
