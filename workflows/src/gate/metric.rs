//! What a rule's key names, and what is known of a metric by its name.

/// `eval-cpu/accuracy[slice=night]` taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricRef<'a> {
    /// The evaluation or job that it is limited to.
    pub qualifier: Option<&'a str>,
    pub name: &'a str,
    pub slice: Option<&'a str>,
}

impl<'a> MetricRef<'a> {
    /// Takes a key apart; the message says what is wrong with it.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let (front, slice) = match text.split_once('[') {
            None => (text, None),
            Some((front, rest)) => {
                let slice = rest.strip_suffix(']').and_then(|inner| inner.trim().strip_prefix("slice="));
                let slice = slice.map(str::trim).filter(|slice| !slice.is_empty());
                (front, Some(slice.ok_or_else(|| format!("`[{rest}` should be `[slice=NAME]`"))?))
            }
        };
        let (qualifier, name) = match front.trim().rsplit_once('/') {
            None => (None, front.trim()),
            Some((qualifier, name)) => (Some(qualifier.trim()), name.trim()),
        };
        if name.is_empty() || qualifier.is_some_and(str::is_empty) {
            return Err(format!(
                "`{text}` names no metric; write `accuracy`, `job/accuracy` or `accuracy[slice=NAME]`"
            ));
        }
        Ok(Self { qualifier, name, slice })
    }
}

/// Which way a metric gets worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    HigherIsBetter,
    LowerIsBetter,
}

/// What a metric's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// A share between 0 and 1 (or −1 and 1): its changes are told in percentage points.
    Share,
    /// Milliseconds.
    Time,
    Bytes,
    /// Anything else, in its own unit.
    Plain,
}

const SHARES: [&str; 16] = [
    "accuracy",
    "balanced_accuracy",
    "top_",
    "f1",
    "precision",
    "recall",
    "jaccard",
    "roc_auc",
    "average_precision",
    "exact_match",
    "specificity",
    "sensitivity",
    "mean_iou",
    "iou",
    "hit_rate",
    "error_rate",
];
const LOWER: [&str; 17] = [
    "latency",
    "loss",
    "error",
    "mae",
    "mse",
    "rmse",
    "brier",
    "perplexity",
    "wer",
    "cer",
    "ece",
    "_ms",
    "_bytes",
    "parameters",
    "nodes",
    "mape",
    "hinge",
];

/// Which way the metric gets worse, where its name tells; a step's own metric may not be known.
pub fn direction(name: &str) -> Option<Direction> {
    // scikit-learn's scorers negate errors so that higher is better.
    if name.starts_with("neg_") {
        return Some(Direction::HigherIsBetter);
    }
    if LOWER.iter().any(|word| has_word(name, word)) {
        return Some(Direction::LowerIsBetter);
    }
    let higher =
        ["r2", "bleu", "rouge", "chrf", "throughput", "matthews_corrcoef", "cohen_kappa", "explained_variance"];
    let known = quantity(name) == Quantity::Share || higher.iter().any(|word| name.starts_with(word));
    known.then_some(Direction::HigherIsBetter)
}

/// What the metric's numbers are, by its name.
pub fn quantity(name: &str) -> Quantity {
    if name.starts_with("latency") || name.ends_with("_ms") {
        Quantity::Time
    } else if name.ends_with("_bytes") {
        Quantity::Bytes
    } else if SHARES.iter().any(|share| name.starts_with(share)) {
        Quantity::Share
    } else {
        Quantity::Plain
    }
}

/// A fact about a file that has no sampling error: two numbers differ or they do not.
pub fn is_exact(name: &str) -> bool {
    matches!(name, "model_bytes" | "model_parameters" | "model_nodes")
}

/// `latency_p99` → `latency` and 0.99; `p999` is 0.999.
pub fn quantile_of(name: &str) -> Option<(&str, f64)> {
    let (of, digits) = name.rsplit_once("_p")?;
    if digits.len() < 2 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: f64 = format!("0.{digits}").parse().ok()?;
    (number > 0.0).then_some((of, number))
}

/// `word` stands in `name` with no letter beside it: `log_loss` has `loss`, `glossary` has not.
fn has_word(name: &str, word: &str) -> bool {
    name.match_indices(word).any(|(at, _)| {
        let letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
        let bound = word.starts_with('_');
        (bound || !letter(name[..at].chars().next_back())) && !letter(name[at + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_apart() {
        let check = |text: &str, qualifier, name, slice| {
            assert_eq!(MetricRef::parse(text), Ok(MetricRef { qualifier, name, slice }));
        };
        check("accuracy", None, "accuracy", None);
        check("accuracy[slice=night]", None, "accuracy", Some("night"));
        check("eval-cpu/accuracy", Some("eval-cpu"), "accuracy", None);
        check("call/eval.3/f1_macro[slice=a b]", Some("call/eval.3"), "f1_macro", Some("a b"));
        for text in ["", "/accuracy", "job/", "accuracy[night]", "accuracy[slice=]", "accuracy[slice=x"] {
            assert!(MetricRef::parse(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn quantiles_are_read_from_names() {
        assert_eq!(quantile_of("latency_p99"), Some(("latency", 0.99)));
        assert_eq!(quantile_of("latency_p999"), Some(("latency", 0.999)));
        assert_eq!(quantile_of("latency_p5"), None);
        assert_eq!(quantile_of("latency_mean"), None);
    }

    #[test]
    fn directions_follow_from_names() {
        use Direction::*;
        for name in ["accuracy", "f1_macro", "roc_auc", "bleu", "neg_log_loss", "r2", "throughput_qps"] {
            assert_eq!(direction(name), Some(HigherIsBetter), "{name}");
        }
        for name in ["log_loss", "latency_p99", "model_bytes", "rmse", "mean_absolute_error", "load_ms", "error_rate"] {
            assert_eq!(direction(name), Some(LowerIsBetter), "{name}");
        }
        assert_eq!(direction("my_score"), None);
        assert_eq!(direction("glossary"), None);
    }
}
