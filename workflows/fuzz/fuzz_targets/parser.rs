//! `cargo +nightly fuzz run parser`: any text is read without a panic and in bounded time.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (workflow, diagnostics) = workflows::syntax::parse("w.yml", text);
    assert!(workflow.is_some() || !diagnostics.is_empty());
    for diagnostic in &diagnostics {
        workflows::syntax::to_text(diagnostic, text, &workflows::syntax::Paint::PLAIN);
    }
});
