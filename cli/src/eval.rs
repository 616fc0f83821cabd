//! `assay eval`: one model on one data set. The action `assay/eval@v1` is the same code.

use std::{collections::BTreeMap, path::PathBuf};

use runner::onnx::{
    EvalError, EvalSettings, TaskKind,
    library::{self, Places},
    limits,
    preprocess::Preprocess,
    reuse::{self, Results, evaluate_or_reuse},
};
use workflows::evaluation::Evaluation;

use crate::{
    compute::Compute,
    exit::Exit,
    ui::{Style, paint, say},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ONNX model.
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// The labelled examples: .npz, .npy, .csv, .jsonl, .parquet, or a directory of images by class.
    #[arg(long, value_name = "FILE")]
    pub dataset: PathBuf,
    /// What the model does: classification, text-classification, multilabel, regression, similarity, retrieval or
    /// ranking.
    #[arg(long)]
    pub task: TaskKind,
    /// Column of the right answers; for multilabel, several.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", default_value = "target")]
    pub target: Vec<String>,
    /// Metrics by scikit-learn's names; by default the task's usual ones.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub metrics: Vec<String>,
    #[command(flatten)]
    pub compute: Compute,
    /// Column of the examples' names; by default `id` where there is one, else the row's number.
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
    /// Column of groups whose examples are not independent of each other.
    #[arg(long, value_name = "COLUMN")]
    pub group: Option<String>,
    /// Columns by whose values metrics are told apart.
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub slices: Vec<String>,
    /// Columns for inputs of the model: INPUT=COLUMN,COLUMN,…,INPUT=COLUMN,…
    #[arg(long, value_name = "INPUT=COLUMN,…", value_parser = parse_inputs)]
    pub inputs: Vec<Mapping>,
    /// The same for the other one of a pair (similarity, ranking).
    #[arg(long, value_name = "INPUT=COLUMN,…", value_parser = parse_inputs)]
    pub pair: Vec<Mapping>,
    /// What is done to images and texts first: resize=256,crop=224,mean=…,std=…,layout=nchw,max-length=128.
    #[arg(long, value_name = "WORD=VALUE,…", default_value = "")]
    pub preprocess: Preprocess,
    /// A Hugging Face tokenizer.json, for models that take tokens.
    #[arg(long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    /// Class labels in the order of the model's scores.
    #[arg(long, value_delimiter = ',', value_name = "LABELS")]
    pub classes: Vec<String>,
    /// The evaluation's name in reports.
    #[arg(long, default_value = "eval")]
    pub name: String,
    /// Write each example's outcome here: .jsonl or .jsonl.zst.
    #[arg(long, value_name = "FILE")]
    pub outcomes: Option<PathBuf>,
    /// Evaluate even where the result of the same evaluation is known, and keep nothing.
    #[arg(long)]
    pub no_cache: bool,
    /// Most memory that the process may take, for example 8G; by default seven eighths of the machine's.
    #[arg(long, value_name = "SIZE", value_parser = limits::parse_size)]
    pub memory: Option<u64>,
    /// Print only the key under which the result would be known, as JSON; null where there is none.
    #[arg(long, hide = true)]
    pub key: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Model input → columns.
type Mapping = BTreeMap<String, Vec<String>>;

fn parse_inputs(text: &str) -> Result<Mapping, String> {
    let mut inputs = Mapping::new();
    let mut last = None;
    for part in text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
        let column = match part.split_once('=') {
            Some((input, column)) => {
                last = Some(input.trim().to_owned());
                column.trim()
            }
            None => part,
        };
        let input = last.clone().ok_or("expected INPUT=COLUMN,…")?;
        inputs.entry(input).or_default().push(column.to_owned());
    }
    Ok(inputs)
}

/// A list as people write it: spaces and empty parts do not count.
fn names(list: Vec<String>) -> Vec<String> {
    list.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

pub fn run(args: Args) -> anyhow::Result<Exit> {
    limits::confine(args.memory)?;
    let Args { json, key, no_cache, .. } = args;
    let settings = settings(args);
    if key {
        let library = library::locate(&Places::from_env()).ok();
        say(serde_json::to_string(&library.and_then(|library| reuse::key(&library, &settings).ok()))?);
        return Ok(Exit::Yes);
    }
    let results = (!no_cache).then(|| Results::of_user(&library::cache_dir()));
    match evaluate_or_reuse(&settings, results.as_ref(), &|line| eprintln!("{line}")) {
        Ok(evaluation) if json => say(serde_json::to_string(&evaluation)?),
        Ok(evaluation) => print(&evaluation),
        Err(error) => return Ok(report(&error)),
    }
    Ok(Exit::Yes)
}

/// One message, and the exit code that goes with it.
pub(crate) fn report(error: &EvalError) -> Exit {
    eprintln!("assay: {error}");
    if error.exit_code() == 2 { Exit::Usage } else { Exit::Broken }
}

fn settings(args: Args) -> EvalSettings {
    let metrics = names(args.metrics);
    EvalSettings {
        name: args.name,
        metrics: (!metrics.is_empty()).then_some(metrics),
        provider: args.compute.provider,
        device: args.compute.device,
        batch: args.compute.batch,
        threads: args.compute.threads,
        sessions: args.compute.sessions,
        target: names(args.target),
        id: args.id,
        group: args.group,
        slices: names(args.slices),
        inputs: args.inputs.into_iter().flatten().collect(),
        pair: args.pair.into_iter().flatten().collect(),
        preprocess: args.preprocess,
        tokenizer: args.tokenizer,
        classes: names(args.classes),
        outcomes: args.outcomes,
        ..EvalSettings::new(args.model, args.dataset, args.task)
    }
}

fn print(evaluation: &Evaluation) {
    let nodes: Vec<String> =
        evaluation.provider.nodes.iter().map(|(name, count)| format!("{count} on {name}")).collect();
    say(paint(Style::Bold, &format!("{} on {}", evaluation.model.path, evaluation.dataset.path)));
    let width = evaluation.metrics.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in &evaluation.metrics {
        say(format!("  {name:width$}  {}", number(*value)));
    }
    for (slice, metrics) in &evaluation.slices {
        say(format!("  {slice}"));
        for (name, value) in metrics {
            say(format!("    {name:width$}  {}", number(*value)));
        }
    }
    let how = if evaluation.cached {
        "known from an earlier evaluation".to_owned()
    } else {
        format!("{:.0} ms", evaluation.timing.total_ms)
    };
    let facts = format!(
        "{} examples; nodes: {}; ONNX Runtime {}, {}, {} thread(s); {how}",
        evaluation.n,
        nodes.join(", "),
        evaluation.provider.version,
        evaluation.provider.device,
        evaluation.provider.threads
    );
    say(paint(Style::Dim, &facts));
}

/// Whole numbers as such, others with six digits.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value:.6}") }
}
