//! `cargo +nightly fuzz run expression`: any expression ends in a value or an error.
#![no_main]

use workflows::expr::{Environment, condition, evaluate, interpolate};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let github = serde_json::json!({"ref": "r", "event": {"labels": [{"name": "a"}, 1, [2]]}});
    let environment = Environment { contexts: [("github".to_owned(), github)].into_iter().collect(), ..Environment::default() };
    let _ = (evaluate(text, &environment), interpolate(text, &environment), condition(Some(text), &environment));
});
