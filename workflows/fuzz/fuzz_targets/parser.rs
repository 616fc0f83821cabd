//! `cargo +nightly fuzz run parser`: any text is read without a panic and in bounded time, and lines that are read without
//! the YAML parser are read as it reads them.
#![no_main]

use workflows::syntax::{Paint, parse, to_text};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (workflow, diagnostics) = parse("w.yml", text);
    assert!(workflow.is_some() || !diagnostics.is_empty());
    for diagnostic in &diagnostics {
        to_text(diagnostic, text, &Paint::PLAIN);
    }
    // A carriage return is always the parser's.
    let below = |comment: &str| format!("{:?}", parse("w.yml", &format!("{comment}\n{text}")));
    assert_eq!(below("#"), below("#\r"));
});
