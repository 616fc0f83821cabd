/// An amount of memory: a number of bytes, or with a unit; `40GB` is 40·10⁹, `40GiB` is 40·2³⁰ bytes.
pub(super) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1_048_576.0,
        "gib" => 1_073_741_824.0,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * scale;
    (bytes > 0.0 && bytes < 1e15).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn memory() {
        assert_eq!(parse("40GB"), Some(40_000_000_000));
        assert_eq!(parse("1.5 GiB"), Some(1_610_612_736));
        for bad in ["", "GB", "-1GB", "4 parsecs", "1e9GB"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
