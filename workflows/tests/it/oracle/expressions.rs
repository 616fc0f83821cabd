use serde_json::{Value, json};
use workflows::expr::{Environment, evaluate_datum};

use super::{Differences, ask};
use crate::mutation::Random;

const CASES: usize = 3_000;

fn contexts() -> serde_json::Map<String, Value> {
    let contexts = json!({
        "github": {
            "ref": "refs/heads/main", "Event_Name": "push", "run_number": 17, "empty": "", "nothing": null, "yes": true,
            "event": {
                "labels": [{"name": "a", "n": 1}, {"name": "B"}, 3, ["x", "y"], null],
                "commits": [{"author": {"name": "ada"}}, {"author": {"name": "grace"}}],
                "k0": "zero", "1.5": "one and a half", "true": "yes"
            }
        },
        "matrix": {"n": 1.5, "big": 123456789012345680.0, "small": 1e-7, "list": [1, "1", true, null, "é"], "o": {}},
        "env": {"A": "1", "hex": "0xff", "octal": "0o17", "exp": "1e3", "space": " 12 ", "word": "abc", "i": "Infinity"}
    });
    contexts.as_object().expect("it is an object").clone()
}

const ATOMS: [&str; 58] = [
    "null",
    "true",
    "false",
    "NaN",
    "Infinity",
    "-Infinity",
    "+Infinity",
    "0",
    "-0",
    "1",
    "-1",
    "+1",
    "1.5",
    "-.5",
    "1.",
    "1e3",
    "1E-7",
    "0xff",
    "0xFG",
    "0o17",
    "0b1",
    "1e400",
    "123456789012345678",
    "0.1",
    "1e21",
    "1e15",
    "999999999999999",
    "0.0001",
    "0.00001",
    "''",
    "'a'",
    "'A'",
    "'it''s'",
    "' '",
    "'1'",
    "'0x10'",
    "'1e1'",
    "'é'",
    "'ß'",
    "'ı'",
    "'{0}'",
    "'[1, 2, [3]]'",
    "'{\"a\": {\"b\": [1, null]}}'",
    "'true'",
    "github",
    "github.ref",
    "GITHUB.event_name",
    "github.event.labels",
    "github.event.labels.*.name",
    "github.event.commits.*.author.name",
    "github.nothing",
    "matrix.n",
    "matrix.list",
    "matrix.big",
    "env.word",
    "env['hex']",
    "env.nope.more",
    "foo",
];

const FORMATS: [&str; 18] = [
    "{0}",
    "{1}",
    "{{0}}",
    "{{{0}}}",
    "{",
    "}",
    "{}",
    "{a}",
    "{0",
    "0}",
    "{0:x}",
    "{ 0}",
    "{00}",
    "a{0}b{1}c",
    "{{",
    "}}",
    "{0}}",
    "{999999999999}",
];

const FUNCTIONS: [&str; 10] =
    ["contains", "startsWith", "endsWith", "format", "join", "toJSON", "fromJSON", "CONTAINS", "tojson", "nope"];

fn expression(random: &mut Random, depth: usize) -> String {
    if depth == 0 || random.below(4) == 0 {
        return ATOMS[random.below(ATOMS.len())].to_owned();
    }
    let inner = |random: &mut Random| expression(random, depth - 1);
    match random.below(12) {
        0..=2 => {
            const OPERATORS: [&str; 8] = ["==", "!=", "<", "<=", ">", ">=", "&&", "||"];
            let operator = OPERATORS[random.below(OPERATORS.len())];
            format!("{} {operator} {}", inner(random), inner(random))
        }
        3 => format!("!{}", inner(random)),
        4 => format!("({})", inner(random)),
        5 => format!("{}[{}]", inner(random), inner(random)),
        6 => format!("{}.*", inner(random)),
        7 => format!("({}).name", inner(random)),
        8 => {
            let arguments: Vec<String> = (0..random.below(4)).map(|_| inner(random)).collect();
            let format = FORMATS[random.below(FORMATS.len())];
            std::iter::once(format!("format('{format}'")).chain(arguments).collect::<Vec<_>>().join(", ") + ")"
        }
        9 => {
            let arguments: Vec<String> = (0..random.below(6)).map(|_| inner(random)).collect();
            format!("case({})", arguments.join(", "))
        }
        _ => {
            let arguments: Vec<String> = (0..1 + random.below(2)).map(|_| inner(random)).collect();
            format!("{}({})", FUNCTIONS[random.below(FUNCTIONS.len())], arguments.join(","))
        }
    }
}

/// A character more, less or other.
fn damaged(text: &str, random: &mut Random) -> String {
    const PIECES: [&str; 20] =
        ["", " ", "'", "(", ")", "[", "]", ".", "*", ",", "!", "=", "&", "|", "-", "1", "x", "$", "\"", "_"];
    let mut chars: Vec<char> = text.chars().collect();
    let at = random.below(chars.len());
    chars.splice(at..at + random.below(2), PIECES[random.below(PIECES.len())].chars());
    chars.into_iter().collect()
}

#[test]
fn expressions_are_what_githubs_parser_makes_of_them() {
    let (mut random, contexts) = (Random(3), contexts());
    let expressions: Vec<String> = (0..CASES)
        .map(|index| {
            let depth = 1 + random.below(3);
            let text = expression(&mut random, depth);
            if index % 4 == 3 { damaged(&text, &mut random) } else { text }
        })
        .collect();
    let questions: Vec<Value> = expressions.iter().map(|expr| json!({"expr": expr, "contexts": contexts})).collect();
    let environment = Environment { contexts: contexts.into_iter().collect(), ..Environment::default() };
    let mut differences = Differences::default();
    for (expression, official) in expressions.iter().zip(ask(&questions)) {
        if is_javascript(expression) {
            continue;
        }
        if let Err((class, ours)) = compare(expression, &official, &environment) {
            differences.add(class, || format!("`{expression}`: GitHub {official}, we {ours}"));
        }
    }
    differences.print();
    // One is open: its text is printed above.
    assert!(differences.total() <= 1, "of {CASES} expressions");
}

/// Where the package's answer is JavaScript's and not the language's: binary literals, numbers printed as JavaScript
/// prints them (the service prints .NET's `G15`), and `fromJSON` of the words that Newtonsoft takes for numbers.
fn is_javascript(expression: &str) -> bool {
    const NUMBERS: [&str; 8] =
        ["1E-7", "0.00001", "1e21", "1e15", "123456789012345678", "1e400", "999999999999999", "matrix.big"];
    let prints = ["join", "json", "format", "contains", "with(", "["]
        .iter()
        .any(|name| expression.to_lowercase().contains(name));
    expression.contains("0b1")
        || (prints && NUMBERS.iter().any(|number| expression.contains(number)))
        || (expression.to_lowercase().contains("fromjson")
            && ["Infinity", "NaN"].iter().any(|word| expression.contains(word)))
}

fn compare(expression: &str, official: &Value, environment: &Environment<'_>) -> Result<(), (String, String)> {
    match evaluate_datum(expression, environment) {
        Ok(datum) => {
            let (kind, text) = (datum.kind(), datum.to_text().into_owned());
            let value = datum.into_json();
            if official["empty"] == true && value.is_null() {
                return Ok(());
            }
            let ours = json!({"kind": kind, "value": value, "text": text});
            if official["kind"] != kind {
                return Err((format!("kind {} {}", official["kind"], official["error"]), ours.to_string()));
            }
            if !crate::expressions::same(&value, &official["value"]) {
                return Err((format!("value of kind {kind}"), ours.to_string()));
            }
            // GitHub's C# prints numbers as G15; its TypeScript as JavaScript does.
            if official["text"] != text && kind != "Number" {
                return Err((format!("text of kind {kind}"), ours.to_string()));
            }
            Ok(())
        }
        Err(error) => {
            let ours = format!("{}: {} (offset {})", error.kind.as_str(), error.message, error.offset);
            if official["error"] != error.kind.as_str() {
                return Err((format!("{} {}", official["error"], error.kind.as_str()), ours));
            }
            let message = official["message"].as_str().unwrap_or_default().to_lowercase();
            let message = message.trim_start_matches("could not evaluate index for index access: ");
            // The service's own words, which its vectors have, for the package's.
            let agrees = match message {
                "unexpected symbol: 'eof'" => error.message.starts_with("Unexpected end of expression: "),
                "empty input" => error.message.ends_with("fromJSON: empty input"),
                _ => error.message.to_lowercase().starts_with(message),
            };
            if !agrees {
                return Err((format!("message {}", message.split(':').next().unwrap_or_default()), ours));
            }
            Ok(())
        }
    }
}
