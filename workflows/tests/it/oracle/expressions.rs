mod generate;

use serde_json::{Value, json};
use workflows::expr::{Datum, Environment, Error, evaluate_datum};

use super::{Differences, ask, number, service};
use crate::mutation::Random;

#[test]
fn expressions_are_what_githubs_parser_makes_of_them() {
    let (count, seed) = (number("ASSAY_ORACLE_EXPRESSIONS", 6_000), number("ASSAY_ORACLE_SEED", 3));
    let service = service().is_some();
    let (mut maker, contexts) = (generate::Maker { random: Random(seed), service }, generate::contexts(service));
    let expressions: Vec<String> = (0..count).map(|_| maker.expression()).collect();
    let questions: Vec<Value> = expressions.iter().map(|expr| json!({"expr": expr, "contexts": contexts})).collect();
    let environment = Environment { contexts: contexts.into_iter().collect(), ..Environment::default() };
    let mut differences = Differences::default();
    for (expression, official) in expressions.iter().zip(ask(&questions)) {
        let ours = evaluate_datum(expression, &environment);
        let Err((class, shown)) = compare(ours.as_ref(), &official) else { continue };
        let known = if service {
            known_of_service(expression, &official, ours.as_ref())
        } else {
            known(expression, &official, ours.as_ref())
        };
        match known {
            Some(reason) => differences.explain(reason),
            None => differences.add(class, || format!("`{expression}`: GitHub {official}, we {shown}")),
        }
    }
    println!("== {count} expressions");
    differences.print();
    assert_eq!(differences.total(), 0, "of {count} expressions");
}

/// The class of what differs, and what we say.
fn compare(ours: Result<&Datum<'_>, &Error>, official: &Value) -> Result<(), (String, String)> {
    match ours {
        Ok(datum) => {
            let (kind, text) = (datum.kind(), datum.to_text().into_owned());
            let value = datum.clone().into_json();
            if official["empty"] == true && value.is_null() {
                return Ok(());
            }
            let shown = json!({"kind": kind, "value": value, "text": text}).to_string();
            if official["kind"] != kind {
                return Err((format!("kind {} {}", official["kind"], official["error"]), shown));
            }
            if !crate::expressions::same(&value, &official["value"]) {
                return Err((format!("value of kind {kind}"), shown));
            }
            // Of numbers the package shows what JavaScript shows.
            if official["text"] != text && (kind != "Number" || service().is_some()) {
                return Err((format!("text of kind {kind}"), shown));
            }
            Ok(())
        }
        Err(error) => {
            let shown = format!("{}: {} (offset {})", error.kind.as_str(), error.message, error.offset);
            // The service does not say which of both it is.
            let stage = match error.kind.as_str() {
                "lexing" if service().is_some() => "parsing",
                stage => stage,
            };
            if official["error"] != stage {
                return Err((format!("{} {stage}", official["error"]), shown));
            }
            // The package shows a text without its quotes.
            let plain = |text: &str| text.replace('\'', "").to_lowercase();
            let message = plain(official["message"].as_str().unwrap_or_default());
            let message = message.trim_start_matches("could not evaluate index for index access: ");
            // The service's own words, which its vectors have, for the package's.
            let agrees = match message {
                "unexpected symbol: eof" => error.message.starts_with("Unexpected end of expression: "),
                "empty input" => error.message.ends_with("fromJSON: empty input"),
                "error parsing fromjson" => error.message.starts_with("Error parsing JSON"),
                _ => plain(&error.message).starts_with(message),
            };
            if agrees {
                Ok(())
            } else {
                Err((format!("message {}", message.split(':').next().unwrap_or_default()), shown))
            }
        }
    }
}

/// Why npm's package and we may differ, where the service (`src/Sdk/Expressions` of actions/runner) is on our side.
fn known(expression: &str, official: &Value, ours: Result<&Datum<'_>, &Error>) -> Option<&'static str> {
    let compact: String = expression.to_lowercase().split_whitespace().collect();
    let refused = official["error"] == "evaluation";
    if refused && ours.is_ok() {
        // `Case.cs`, `Contains.cs`, `Format.cs`, `Index.cs` of it: `Parameters[1].Evaluate` stands behind the first `if`.
        return Some("the package evaluates arguments that do not count");
    }
    if refused && ours.is_err_and(|error| error.kind.as_str() == "evaluation") {
        return Some("of two errors the package meets another first");
    }
    if ours.is_err_and(|error| error.message.contains("format string is invalid")) {
        // `Format.cs`, `ReadFormatSpecifiers`.
        return Some("the package reads no further than the number of a format's argument");
    }
    if compact.contains("tojson(") && ["nan", "infinity"].iter().any(|word| compact.contains(word)) {
        // `ToJson.cs`, `WriteValue`.
        return Some("the package's JSON has `null` for NaN and infinity");
    }
    // `ExpressionUtility.cs`, `ParseNumber`.
    let wide = |word: &str| (word.starts_with("0x") || word.starts_with("0o")) && word.len() > 9;
    if compact.split(|c: char| !c.is_ascii_alphanumeric()).any(wide) {
        return Some("the package's hexadecimal and octal numbers have more than 32 bits");
    }
    // `ExpressionParser.cs`, `PushOperator`: a closing parenthesis must not follow a separator.
    compact.contains(",)").then_some("the package takes a comma before `)`")
}

/// Why the service and we may differ.
fn known_of_service(expression: &str, official: &Value, ours: Result<&Datum<'_>, &Error>) -> Option<&'static str> {
    // The runtimes before .NET 5 make an `I` of `ı`, and order letters by their own case; the vectors of `endsWith` say that the service does not.
    if expression.contains(['ı', 'ſ']) || !expression.is_ascii() && expression.contains(['<', '>']) {
        return Some("older runtimes' order of letters that are not ASCII");
    }
    if official["value"].to_string().contains("NaN") && expression.contains("[NaN") {
        return Some("NaN within an array is a text here: JSON values hold our contexts");
    }
    // It parses while it reads tokens, the package and we afterwards.
    (official.get("error").is_some() && ours.is_err()).then_some("of two errors the service meets another first")
}
