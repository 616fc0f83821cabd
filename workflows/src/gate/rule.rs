//! From a workflow's `gate:` section to a policy: every mistake at once, each with the key that it is about.

use super::{
    Amount, Bound, Correction, Defaults, OnUnknown, Policy, Rule, TestChoice, Unit,
    metric::{Direction, MetricRef, Quantity, direction, quantity},
};

/// What is wrong with one field of a rule or of `defaults`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's key; none where the rule's own key is meant.
    pub key: Option<String>,
    /// Stable, kebab-case.
    pub code: &'static str,
    /// A sentence without a full stop.
    pub message: String,
    pub help: Option<String>,
}

impl FieldError {
    fn new(key: &str, code: &'static str, message: String) -> Self {
        Self { key: Some(key.to_owned()), code, message, help: None }
    }

    fn help(self, help: &str) -> Self {
        Self { help: Some(help.to_owned()), ..self }
    }
}

const FIELDS: [&str; 5] = ["min", "max", "max-drop", "max-increase", "test"];
const DEFAULTS: [&str; 7] =
    ["alpha", "power", "on-inconclusive", "on-no-baseline", "correction", "self-check", "repetitions"];

/// Of `repetitions`: each takes a device for as long as the first.
const MOST_REPETITIONS: u32 = 10;

impl Policy {
    /// One rule from its key and its mapping, scalars as written. The caller sets [`Rule::line`].
    pub fn rule(metric: &str, fields: &[(String, String)]) -> Result<Rule, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut rule = Rule { metric: metric.to_owned(), bounds: Vec::new(), test: TestChoice::Auto, line: 0 };
        let name = match MetricRef::parse(metric) {
            Ok(parsed) => parsed.name,
            Err(message) => {
                errors.push(FieldError { key: None, code: "gate-metric", message, help: None });
                metric
            }
        };
        for (key, value) in fields {
            match field(name, key, value) {
                Ok(Field::Bound(bound)) => rule.bounds.push(bound),
                Ok(Field::Test(test)) => rule.test = test,
                Err(error) => errors.push(error),
            }
        }
        errors.extend(contradiction(&rule.bounds));
        if rule.bounds.is_empty() && errors.is_empty() {
            let message = format!("`{metric}` sets no bound");
            let error = FieldError { key: None, code: "gate-no-bound", message, help: None };
            errors.push(error.help("write `min`, `max`, `max-drop` or `max-increase`"));
        }
        if errors.is_empty() { Ok(rule) } else { Err(errors) }
    }
}

enum Field {
    Bound(Bound),
    Test(TestChoice),
}

fn field(metric: &str, key: &str, value: &str) -> Result<Field, FieldError> {
    let make = match key {
        "min" => Bound::Min,
        "max" => Bound::Max,
        "max-drop" => Bound::MaxDrop,
        "max-increase" => Bound::MaxIncrease,
        "test" => return test_choice(value).map(Field::Test),
        _ => {
            let error = FieldError::new(key, "unknown-key", format!("a rule has no field `{key}`"));
            return Err(error.help(&format!("fields are {}", FIELDS.join(", "))));
        }
    };
    let amount = Amount::parse(value).map_err(|e| FieldError::new(key, "gate-amount", e.to_string()))?;
    let bound = make(amount);
    fits(metric, key, &bound)?;
    Ok(Field::Bound(bound))
}

/// Whether unit and sign make sense for the metric.
fn fits(metric: &str, key: &str, bound: &Bound) -> Result<(), FieldError> {
    let error = |message: String| FieldError::new(key, "gate-unit", message);
    let amount = bound.amount();
    let quantity = quantity(metric);
    match (amount.unit, quantity) {
        (Unit::Absolute, _) | (Unit::Percent, _) => {}
        (Unit::PercentagePoints, Quantity::Share | Quantity::Plain) => {}
        (Unit::Milliseconds, Quantity::Time | Quantity::Plain) | (Unit::Bytes, Quantity::Bytes | Quantity::Plain) => {}
        (Unit::PercentagePoints, Quantity::Time | Quantity::Bytes) => {
            let what = format!("percentage points do not fit `{metric}`, which is no share");
            return Err(error(what).help("write a percentage, such as 10%, or an amount with its unit"));
        }
        (Unit::Milliseconds, Quantity::Share | Quantity::Bytes) => {
            return Err(error(format!("`{metric}` is not a time")));
        }
        (Unit::Bytes, Quantity::Share | Quantity::Time) => {
            return Err(error(format!("`{metric}` is not a size in bytes")));
        }
    }
    match bound {
        Bound::Min(_) | Bound::Max(_) => {
            if amount.unit == Unit::Percent {
                let what = format!("`{key}` is a bound on the value itself, and {amount} would be of the base's value");
                return Err(error(what).help("write the number, such as 0.9"));
            }
        }
        Bound::MaxDrop(_) | Bound::MaxIncrease(_) => {
            if amount.value < 0.0 {
                return Err(error(format!("an allowed change cannot be negative: {amount}")));
            }
        }
    }
    match (bound, direction(metric)) {
        (Bound::MaxDrop(_), Some(Direction::LowerIsBetter)) => {
            let what = format!("a drop of `{metric}` is an improvement");
            Err(FieldError::new(key, "gate-direction", what).help("write `max-increase`"))
        }
        (Bound::MaxIncrease(_), Some(Direction::HigherIsBetter)) => {
            let what = format!("an increase of `{metric}` is an improvement");
            Err(FieldError::new(key, "gate-direction", what).help("write `max-drop`"))
        }
        (Bound::MaxDrop(_) | Bound::MaxIncrease(_) | Bound::Min(_) | Bound::Max(_), _) => Ok(()),
    }
}

fn contradiction(bounds: &[Bound]) -> Option<FieldError> {
    let min = bounds.iter().find_map(|b| if let Bound::Min(a) = b { Some(*a) } else { None })?;
    let max = bounds.iter().find_map(|b| if let Bound::Max(a) = b { Some(*a) } else { None })?;
    let contradicts = min.in_metric_unit(0.0) > max.in_metric_unit(0.0);
    contradicts
        .then(|| FieldError::new("min", "gate-contradiction", format!("no value is at least {min} and at most {max}")))
}

fn test_choice(value: &str) -> Result<TestChoice, FieldError> {
    match value.trim() {
        "auto" => Ok(TestChoice::Auto),
        "history" => Ok(TestChoice::History),
        "exact" => Ok(TestChoice::Exact),
        other => Err(FieldError::new("test", "gate-test", format!("there is no test `{other}`"))
            .help("tests are auto, history and exact")),
    }
}

impl Defaults {
    /// `gate.defaults` from its mapping, scalars as written; what is not written keeps its default.
    pub fn parse(fields: &[(String, String)]) -> Result<Self, Vec<FieldError>> {
        let mut defaults = Self::default();
        let mut errors = Vec::new();
        for (key, value) in fields {
            if let Err(error) = defaults.set(key, value) {
                errors.push(error);
            }
        }
        if errors.is_empty() { Ok(defaults) } else { Err(errors) }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), FieldError> {
        match key {
            "alpha" => self.alpha = share(key, value, 1e-6, 0.5)?,
            "power" => self.power = share(key, value, 0.5, 0.999_999)?,
            "self-check" => self.self_check = share(key, value, 0.0, 1.0)?,
            "repetitions" => {
                let number = value.trim().parse().ok().filter(|number| *number <= MOST_REPETITIONS);
                self.repetitions = number.ok_or_else(|| {
                    let message = format!("expected a whole number from 0 to {MOST_REPETITIONS}, found `{value}`");
                    FieldError::new(key, "gate-amount", message)
                })?;
            }
            "on-inconclusive" => self.on_inconclusive = on_unknown(key, value)?,
            "on-no-baseline" => self.on_no_baseline = on_unknown(key, value)?,
            "correction" => {
                self.correction = match value.trim() {
                    "holm" => Correction::Holm,
                    "benjamini-hochberg" => Correction::BenjaminiHochberg,
                    other => {
                        let error = FieldError::new(key, "gate-default", format!("there is no correction `{other}`"));
                        return Err(error.help("corrections are holm and benjamini-hochberg"));
                    }
                }
            }
            _ => {
                let error = FieldError::new(key, "unknown-key", format!("the gate's defaults have no field `{key}`"));
                return Err(error.help(&format!("fields are {}", DEFAULTS.join(", "))));
            }
        }
        Ok(())
    }
}

/// A share between bounds, as 0.05 or 5%.
fn share(key: &str, value: &str, min: f64, max: f64) -> Result<f64, FieldError> {
    let amount = Amount::parse(value).ok().and_then(|amount| match amount.unit {
        Unit::Absolute => Some(amount.value),
        Unit::Percent => Some(amount.value / 100.0),
        Unit::PercentagePoints | Unit::Milliseconds | Unit::Bytes => None,
    });
    amount.filter(|share| (min..=max).contains(share)).ok_or_else(|| {
        FieldError::new(key, "gate-default", format!("`{key}` is a share between {min} and {max}, not `{value}`"))
    })
}

fn on_unknown(key: &str, value: &str) -> Result<OnUnknown, FieldError> {
    match value.trim() {
        "neutral" => Ok(OnUnknown::Neutral),
        "failure" => Ok(OnUnknown::Failure),
        other => Err(FieldError::new(key, "gate-default", format!("`{key}` is neutral or failure, not `{other}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[track_caller]
    fn codes(metric: &str, pairs: &[(&str, &str)]) -> Vec<&'static str> {
        Policy::rule(metric, &fields(pairs)).expect_err("it was taken").iter().map(|e| e.code).collect()
    }

    #[test]
    fn a_rule_is_read_from_its_mapping() {
        let rule = Policy::rule("f1_macro", &fields(&[("min", "0.90"), ("max-drop", "1pp")])).unwrap();
        let drop = Bound::MaxDrop(Amount { value: 1.0, unit: Unit::PercentagePoints });
        assert_eq!(rule.bounds, [Bound::Min(Amount { value: 0.9, unit: Unit::Absolute }), drop]);
        let rule = Policy::rule("bleu", &fields(&[("max-drop", "0.3"), ("test", "history")])).unwrap();
        assert_eq!(rule.test, TestChoice::History);
    }

    #[test]
    fn every_mistake_is_reported_with_its_key() {
        assert_eq!(codes("accuracy", &[("max-drop", "x"), ("floor", "1")]), ["gate-amount", "unknown-key"]);
        assert_eq!(codes("accuracy", &[]), ["gate-no-bound"]);
        assert_eq!(codes("accuracy[night]", &[("min", "0.9")]), ["gate-metric"]);
        assert_eq!(codes("accuracy", &[("min", "0.9"), ("max", "0.8")]), ["gate-contradiction"]);
        assert_eq!(codes("accuracy", &[("min", "90%")]), ["gate-unit"]);
        assert_eq!(codes("accuracy", &[("max-drop", "-1pp")]), ["gate-unit"]);
        assert_eq!(codes("accuracy", &[("max-drop", "5ms")]), ["gate-unit"]);
        assert_eq!(codes("latency_p50", &[("max-increase", "1pp")]), ["gate-unit"]);
        assert_eq!(codes("latency_p50", &[("max-drop", "1ms")]), ["gate-direction"]);
        assert_eq!(codes("accuracy", &[("max-increase", "1pp")]), ["gate-direction"]);
        assert_eq!(codes("accuracy", &[("min", "0.9"), ("test", "vibes")]), ["gate-test"]);
    }

    #[test]
    fn defaults_are_checked() {
        let read = Defaults::parse(&fields(&[
            ("alpha", "1%"),
            ("on-inconclusive", "failure"),
            ("self-check", "1%"),
            ("repetitions", "3"),
        ]));
        let expected = Defaults {
            alpha: 0.01,
            on_inconclusive: OnUnknown::Failure,
            self_check: 0.01,
            repetitions: 3,
            ..Defaults::default()
        };
        assert_eq!(read, Ok(expected));
        for bad in [("alpha", "0"), ("alpha", "0.9"), ("power", "2"), ("on-no-baseline", "pass"), ("beta", "1")] {
            assert!(Defaults::parse(&fields(&[bad])).is_err(), "{bad:?} was taken");
        }
    }
}
