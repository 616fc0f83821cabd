use serde_json::Value;
use workflows::expr::{Datum, Environment, evaluate_datum};

use crate::vectors::{Tally, files, folder};

#[test]
fn githubs_expressions() {
    let Some(folder) = folder("expressions") else { return };
    let mut tally = Tally::default();
    for (file, text) in files(&folder) {
        let groups: serde_json::Map<String, Value> = serde_json::from_str(&text).expect("vectors are JSON");
        for (group, cases) in groups {
            for (index, case) in cases.as_array().into_iter().flatten().enumerate() {
                tally.check(&format!("{file} {group} {index}"), check(case));
            }
        }
    }
    tally.finish("expressions");
}

fn check(case: &Value) -> Result<(), String> {
    let expression = case["expr"].as_str().ok_or("no expression")?;
    let contexts = case["contexts"].as_object().cloned().unwrap_or_default();
    let environment = Environment { contexts: contexts.into_iter().collect(), ..Environment::default() };
    match (evaluate_datum(expression, &environment), case.get("err")) {
        (Ok(datum), None) => {
            let expected = (case["result"]["kind"].as_str().unwrap_or_default(), &case["result"]["value"]);
            let kind = datum.kind();
            let value = datum.into_json();
            if (kind, true) == (expected.0, same(&value, expected.1)) {
                Ok(())
            } else {
                Err(format!("`{expression}` is {kind} {value}, expected {} {}", expected.0, expected.1))
            }
        }
        (Err(error), Some(expected)) => {
            let kind = expected["kind"].as_str().unwrap_or_default();
            let message = expected["value"].as_str().unwrap_or_default();
            // The texts of the vectors end before or after "Located at …"; where they name the place, it counts.
            let agrees = error.message.starts_with(message) || message.starts_with(&error.message);
            if error.kind.as_str() == kind && agrees {
                Ok(())
            } else {
                Err(format!(
                    "`{expression}` fails {}: {}; expected {kind}: {message}",
                    error.kind.as_str(),
                    error.message
                ))
            }
        }
        (Ok(datum), Some(expected)) => Err(format!("`{expression}` is {:?}, expected {expected}", datum.into_json())),
        (Err(error), None) => Err(format!("`{expression}` fails: {}", error.message)),
    }
}

/// Equal, where 1 and 1.0 are the same number.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (a, b) => a == b,
    }
}

#[test]
fn a_datum_prints_as_a_template_shows_it() {
    assert_eq!(Datum::Number(1e15).to_text(), "1E+15");
    assert_eq!(Datum::Null.to_text(), "");
}
