//! What holds for any input: nothing panics, everything ends, what was read can be written and read.

use proptest::prelude::*;
use serde_json::json;
use workflows::{
    expr::{Environment, condition, evaluate, interpolate},
    filter::Glob,
    matrix,
    syntax::{Workflow, parse},
};

/// Pieces of workflows: random text alone would never get past the YAML.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "on: push\n",
        "jobs:\n",
        "  a:\n",
        "    runs-on: x\n",
        "    steps:\n",
        "      - run: echo\n",
        "    needs: [a, b]\n",
        "    if: ",
        "${{ ",
        " }}",
        "github.ref",
        "&x ",
        "*x",
        "[",
        "]",
        "{",
        "}",
        ": ",
        "\n",
        "\t",
        "'",
        "\"",
        "|\n",
        "- ",
        "!!int ",
        "gate:\n",
        "  accuracy: { max-drop: 1pp }\n",
        "    strategy: { matrix: { a: [1, 2] } }\n",
        "é",
        "\u{feff}",
        "#",
        "? ",
        "<<: ",
        "---\n",
        "on",
        "  workflow_dispatch:\n",
        "    inputs: { x: { type: number } }\n",
    ])
}

fn expression_piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "github",
        ".",
        "*",
        "[",
        "]",
        "(",
        ")",
        "'a'",
        "'",
        "1",
        "-",
        "0x",
        "==",
        "!",
        "&&",
        "||",
        "<",
        ">=",
        ",",
        " ",
        "contains(",
        "format('{0}{1}', ",
        "fromJSON('[1,{\"a\":2}]')",
        "toJSON(",
        "join(",
        "case(",
        "success()",
        "null",
        "true",
        "NaN",
        "Infinity",
        "é",
        "${{",
        "}}",
        "list",
        "nosuch",
    ])
}

fn joined(pieces: &[&str]) -> String {
    pieces.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_never_panics_and_survives_json(pieces in prop::collection::vec(piece(), 0..40)) {
        let (workflow, diagnostics) = parse("w.yml", &joined(&pieces));
        for diagnostic in &diagnostics {
            prop_assert!(diagnostic.line >= 1 && diagnostic.column >= 1 && !diagnostic.message.is_empty());
        }
        if let Some(workflow) = workflow {
            let text = serde_json::to_string(&workflow).expect("a workflow is JSON");
            let again: Workflow = serde_json::from_str(&text).expect("what was written can be read");
            prop_assert_eq!(serde_json::to_string(&again).expect("a workflow is JSON"), text);
        }
    }

    #[test]
    fn reading_any_text_never_panics(text in any::<String>()) {
        let (workflow, diagnostics) = parse("w.yml", &text);
        prop_assert!(workflow.is_some() || !diagnostics.is_empty());
    }

    #[test]
    fn evaluation_ends(pieces in prop::collection::vec(expression_piece(), 0..30)) {
        let text = joined(&pieces);
        let contexts = [("github".to_owned(), json!({"ref": "r", "n": 1})), ("list".to_owned(), json!([1, [2], {"a": 3}]))];
        let environment = Environment { contexts: contexts.into_iter().collect(), ..Environment::default() };
        let value = evaluate(&text, &environment);
        prop_assert_eq!(&value, &evaluate(&text, &environment));
        if let Err(error) = value {
            prop_assert!(error.offset <= text.len(), "{error:?}");
        }
        let _ = (interpolate(&text, &environment), condition(Some(&text), &environment));
    }

    #[test]
    fn rows_are_never_more_than_allowed(sizes in prop::collection::vec(1..40_usize, 1..5)) {
        let vectors: serde_json::Map<_, _> = sizes
            .iter()
            .enumerate()
            .map(|(index, size)| (format!("v{index}"), json!((0..*size).collect::<Vec<_>>())))
            .collect();
        let product: usize = sizes.iter().product();
        match matrix::rows(&vectors.into()) {
            Ok(rows) => prop_assert_eq!(rows.rows.len(), product),
            Err(_) => prop_assert!(product > matrix::MAX_ROWS),
        }
    }

    #[test]
    fn a_literal_pattern_takes_itself_alone(name in "[a-z/._-]{1,20}", other in "[a-z/._-]{1,20}") {
        let glob = Glob::new(&name).expect("no character of it is special");
        prop_assert!(glob.matches(&name));
        prop_assert_eq!(glob.matches(&other), name == other);
    }
}
