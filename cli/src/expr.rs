//! `assay expr`: evaluates expressions, for people who wonder and for other tools' tests.

use std::{
    io::{BufRead, BufWriter, Write},
    path::PathBuf,
};

use anyhow::Context;
use serde_json::{Map, Value, json};
use workflows::expr::{Environment, evaluate_datum};

use crate::exit::Exit;

/// Evaluate an expression of the workflow language.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The expression, with or without `${{ }}`.
    #[arg(required_unless_present = "stdin", allow_hyphen_values = true)]
    expression: Option<String>,
    /// A JSON file with an object of contexts: `{"github": {…}}`.
    #[arg(long)]
    contexts: Option<PathBuf>,
    /// Read `{"expr": …, "contexts": {…}}` line by line, and answer line by line.
    #[arg(long, conflicts_with = "expression")]
    stdin: bool,
}

pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let contexts = match &args.contexts {
        None => Map::new(),
        Some(path) => {
            let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            match serde_json::from_slice(&text) {
                Ok(contexts) => contexts,
                Err(error) => {
                    eprintln!("{} is no JSON object: {error}", path.display());
                    return Ok(Exit::Usage);
                }
            }
        }
    };
    let mut output = BufWriter::new(std::io::stdout().lock());
    let Some(expression) = &args.expression else { return lines(contexts, &mut output) };
    let (answer, fine) = answer(bare(expression), contexts);
    writeln!(output, "{answer}")?;
    output.flush()?;
    Ok(if fine { Exit::Yes } else { Exit::Usage })
}

fn lines(contexts: Map<String, Value>, output: &mut impl Write) -> anyhow::Result<Exit> {
    let mut exit = Exit::Yes;
    for line in std::io::stdin().lock().lines() {
        let line = line.context("cannot read standard input")?;
        if line.trim().is_empty() {
            continue;
        }
        let request: Option<(String, Map<String, Value>)> =
            serde_json::from_str::<Value>(&line).ok().and_then(|line| {
                let mut contexts = contexts.clone();
                contexts.extend(line.get("contexts").and_then(Value::as_object).cloned().unwrap_or_default());
                Some((line.get("expr")?.as_str()?.to_owned(), contexts))
            });
        let answer = match request {
            Some((expression, contexts)) => answer(&expression, contexts).0,
            None => {
                exit = Exit::Usage;
                let message = r#"the line is not {"expr": "…", "contexts": {…}}"#;
                json!({"error": {"kind": "parsing", "message": message, "offset": 0}})
            }
        };
        writeln!(output, "{answer}")?;
    }
    output.flush()?;
    Ok(exit)
}

/// One JSON document, and whether the expression has a value.
fn answer(expression: &str, contexts: Map<String, Value>) -> (Value, bool) {
    let environment = Environment { contexts: contexts.into_iter().collect(), ..Environment::default() };
    match evaluate_datum(expression, &environment) {
        Ok(datum) => (json!({"kind": datum.kind(), "value": datum.into_json()}), true),
        Err(error) => {
            let kind = error.kind.as_str();
            (json!({"error": {"kind": kind, "message": error.message, "offset": error.offset}}), false)
        }
    }
}

fn bare(expression: &str) -> &str {
    let trimmed = expression.trim();
    trimmed.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(expression)
}
