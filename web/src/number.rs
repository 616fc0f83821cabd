//! Numbers for people. Metrics are read as [`workflows::gate::number`] writes them, so that the page, the check run
//! and the terminal agree; what is not a number is never shown as one.

use workflows::gate::number;

/// A value of the metric: `0.9644`, `1.830 ms`, `4.44 kB`.
pub(crate) fn value(metric: &str, value: f64) -> String {
    if value.is_finite() { minus(number::value(metric, value)) } else { "not a number".to_owned() }
}

/// A value, or a dash where there is none.
pub(crate) fn optional(metric: &str, number: Option<f64>) -> String {
    number.map_or_else(|| "–".to_owned(), |number| value(metric, number))
}

/// A change of the metric, with its sign: `−3.11 pp`, `+0.20 ms`, `±0.00 pp`.
pub(crate) fn change(metric: &str, change: f64) -> String {
    // −0.0 is no change.
    if change.is_finite() { minus(number::change(metric, change + 0.0)) } else { "not a number".to_owned() }
}

/// The size of a change, without its sign.
pub(crate) fn size(metric: &str, size: f64) -> String {
    if size.is_finite() { number::size(metric, size) } else { "not a number".to_owned() }
}

/// A sign that is as wide as the plus.
fn minus(text: String) -> String {
    if text.starts_with('-') { text.replacen('-', "−", 1) } else { text }
}

/// `12.3 MB`: powers of 1,000, as disks and downloads are sold.
pub(crate) fn bytes(bytes: f64) -> String {
    let mut size = bytes.max(0.0);
    for unit in ["B", "kB", "MB", "GB"] {
        // What would be rounded up to the next unit is shown in it.
        if size < 999.5 {
            let digits = if unit == "B" || size >= 99.95 { 0 } else { 1 };
            return format!("{size:.digits$} {unit}");
        }
        size /= 1000.0;
    }
    format!("{size:.1} TB")
}

/// `= 0.0213`, and `< 0.0001` below what four decimals can show.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("= {p:.4}") }
}

/// With thousands separated: `1,544`.
pub(crate) fn integer(n: u64) -> String {
    number::thousands(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_number_is_not_shown_as_one() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for metric in ["accuracy", "latency_p50", "model_bytes", "bleu"] {
                assert_eq!(value(metric, odd), "not a number");
                assert_eq!(change(metric, odd), "not a number");
                assert_eq!(size(metric, odd), "not a number");
            }
        }
        assert_eq!(optional("accuracy", None), "–");
    }

    #[test]
    fn values_and_changes_read_as_on_the_check_run() {
        assert_eq!(value("accuracy", 0.9644), "0.9644");
        assert_eq!(value("bleu", -3.5), "−3.5000");
        assert_eq!(change("accuracy", -0.0311), "−3.11 pp");
        assert_eq!(change("accuracy", -0.0), "±0.00 pp");
        assert_eq!(p_value(0.00001), "< 0.0001");
        assert_eq!(p_value(0.02134), "= 0.0213");
    }

    #[test]
    fn sizes_never_read_as_a_thousand_of_a_smaller_unit() {
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(999.4), "999 B");
        assert_eq!(bytes(999.9), "1.0 kB");
        assert_eq!(bytes(999_900.0), "1.0 MB");
        assert_eq!(bytes(5e15), "5000.0 TB");
    }
}
