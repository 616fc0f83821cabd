//! `assay inspect`: what a model is, and what it changes of another. The action `assay/inspect@v1` is the
//! same code.

use std::{fmt::Write, path::PathBuf};

use runner::onnx::{
    inspect::{Against, Difference, ExternalFile, Inspection, Names, inspect},
    limits,
};

use crate::{
    eval::report,
    exit::Exit,
    ui::{Style, paint, say},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ONNX model.
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// Also tell what it changes of this one.
    #[arg(long, value_name = "BASE")]
    pub against: Option<PathBuf>,
    /// Most memory that the process may take, for example 1G; by default seven eighths of the machine's.
    #[arg(long, value_name = "SIZE", value_parser = limits::parse_size)]
    pub memory: Option<u64>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<Exit> {
    limits::confine(args.memory)?;
    match inspect(&args.model, args.against.as_deref()) {
        Ok(inspection) if args.json => say(serde_json::to_string(&inspection)?),
        Ok(inspection) => print(&inspection),
        Err(error) => return Ok(report(&error)),
    }
    Ok(Exit::Yes)
}

fn print(inspection: &Inspection) {
    let Inspection { model, graph, weights, external, against } = inspection;
    say(paint(Style::Bold, &model.path));
    let opset: Vec<String> = graph.opset.iter().map(|(domain, version)| format!("{domain} {version}")).collect();
    let producer = if graph.producer.is_empty() { String::new() } else { format!("; written by {}", graph.producer) };
    say(format!("  opset {}; IR version {}{producer}", opset.join(", "), graph.ir_version));
    for input in &graph.inputs {
        say(format!("  input   {input}"));
    }
    for output in &graph.outputs {
        say(format!("  output  {output}"));
    }
    say(format!(
        "  {} bytes; {} parameters, {weights} initialisers; {} nodes",
        model.bytes, graph.parameters, graph.nodes
    ));
    let operators: Vec<String> = graph.operators.iter().map(|(name, count)| format!("{name} {count}")).collect();
    say(format!("  operators: {}", operators.join(", ")));
    for ExternalFile { location, bytes, digest } in external {
        say(format!("  weights in {location}: {bytes} bytes, {digest}"));
    }
    say(paint(Style::Dim, &format!("  {}", model.digest)));
    if let Some(Against { model, difference }) = against {
        say("");
        say(paint(Style::Bold, &format!("What it changes of {}", model.path)));
        say(changes(difference).trim_end());
    }
}

fn changes(difference: &Difference) -> String {
    if difference.identical {
        return "  nothing: the bytes are the same".to_owned();
    }
    let mut text = String::new();
    let mut line = |what: String| _ = writeln!(text, "  {what}");
    for change in &difference.signature {
        line(change.clone());
    }
    for (name, change) in difference.opset.iter().chain(&difference.operators) {
        line(format!("{name}: {} → {}", change.base, change.head));
    }
    for (what, change) in [("parameters", difference.parameters), ("bytes", difference.bytes)] {
        if change.base != change.head {
            line(format!("{what}: {} → {}", change.base, change.head));
        }
    }
    let weights = &difference.weights;
    for (what, names) in [
        ("new initialisers", &weights.added),
        ("initialisers gone", &weights.removed),
        ("initialisers of another type or shape", &weights.reshaped),
        ("initialisers with other numbers", &weights.changed),
        ("nodes with other attributes", &difference.nodes),
    ] {
        if names.count > 0 {
            line(format!("{what}: {}", listed(names)));
        }
    }
    if weights.unchanged > 0 {
        line(format!("initialisers unchanged: {}", weights.unchanged));
    }
    text
}

/// The number, and the first few names.
fn listed(Names { count, names }: &Names) -> String {
    const SHOWN: usize = 8;
    let more = if *count > SHOWN as u64 { ", …" } else { "" };
    format!("{count} ({}{more})", names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", "))
}
