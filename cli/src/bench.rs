//! `assay bench`: how fast a model is, alone or against another. The action `assay/bench@v1` is the same code.

use std::{path::PathBuf, time::Duration};

use runner::onnx::{
    EvalError,
    bench::{
        BenchSettings, DEFAULT_BLOCKS, DEFAULT_LEAST_BLOCK, DEFAULT_QUERIES, DEFAULT_WARMUP, bench, fewest_queries,
        parse_shape, plan::Scenario,
    },
    limits,
    runtime::runtime,
};
use workflows::evaluation::Evaluation;

use crate::{
    compute::Compute,
    eval::report,
    exit::Exit,
    ui::{Style, paint, say},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ONNX model.
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// Time this one too, in turns on the same device.
    #[arg(long, value_name = "BASE")]
    pub against: Option<PathBuf>,
    /// MLPerf's: single-stream, offline or server.
    #[arg(long, default_value = "single-stream")]
    pub scenario: Scenario,
    #[command(flatten)]
    pub compute: Compute,
    /// Fewest queries of each model; more where the blocks would be too short.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_QUERIES)]
    pub queries: u64,
    /// Blocks of each model: what a gate compares.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BLOCKS)]
    pub blocks: u32,
    /// Fewest seconds of a block, for single-stream and offline.
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_LEAST_BLOCK.as_secs_f64())]
    pub least_block: f64,
    /// Queries before anything is measured.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_WARMUP)]
    pub warmup: u64,
    /// Seconds after which a model is asked no more.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    pub duration: f64,
    /// Refuse to measure too few queries for this percentile, for example 99.
    #[arg(long, value_name = "P")]
    pub percentile: Option<f64>,
    /// Queries a second, for server.
    #[arg(long, value_name = "QPS")]
    pub rate: Option<f64>,
    /// Shapes of inputs that the model leaves open: image=1x3x224x224.
    #[arg(long, value_delimiter = ',', value_name = "NAME=SHAPE", value_parser = parse_shape)]
    pub inputs: Vec<(String, Vec<usize>)>,
    /// Draws inputs, arrivals and the order of blocks.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The benchmark's name in reports.
    #[arg(long, default_value = "bench")]
    pub name: String,
    /// Most memory that the process may take, for example 8G; by default seven eighths of the machine's.
    #[arg(long, value_name = "SIZE", value_parser = limits::parse_size)]
    pub memory: Option<u64>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: Args) -> anyhow::Result<Exit> {
    limits::confine(args.memory)?;
    let json = args.json;
    let (Ok(duration), Ok(least_block)) =
        (Duration::try_from_secs_f64(args.duration), Duration::try_from_secs_f64(args.least_block))
    else {
        return Ok(report(&EvalError::Usage("--duration and --least-block are numbers of seconds".to_owned())));
    };
    let settings = BenchSettings {
        name: args.name,
        model: args.model,
        against: args.against,
        scenario: args.scenario,
        provider: args.compute.provider,
        device: args.compute.device,
        batch: args.compute.batch,
        threads: args.compute.threads,
        sessions: args.compute.sessions,
        queries: args.queries,
        blocks: args.blocks,
        warmup: args.warmup,
        least_block,
        duration,
        percentile: args.percentile,
        rate: args.rate,
        inputs: args.inputs.into_iter().collect(),
        seed: args.seed,
    };
    let measured =
        runtime(&|line| eprintln!("{line}")).map_err(EvalError::from).and_then(|runtime| bench(runtime, &settings));
    match measured {
        Ok(evaluation) if json => say(serde_json::to_string(&evaluation)?),
        Ok(evaluation) => print(&evaluation),
        Err(error) => return Ok(report(&error)),
    }
    Ok(Exit::Yes)
}

fn print(head: &Evaluation) {
    let base = head.beside.as_ref().map(|beside| &beside.evaluation);
    let against = base.map_or(String::new(), |base| format!(" against {}", base.model.path));
    say(paint(Style::Bold, &format!("{}{against}: {}", head.model.path, head.task)));
    let width = head.metrics.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in &head.metrics {
        let number = format!("{value:.4}");
        match base.and_then(|base| base.metrics.get(name)) {
            Some(other) => {
                let change =
                    if *other == 0.0 { String::new() } else { format!("{:+.1} %", 100.0 * (value / other - 1.0)) };
                say(format!("  {name:width$}  {number:>16}  base {other:>16.4}  {change}"));
            }
            None => say(format!("  {name:width$}  {number:>16}")),
        }
    }
    for (percentile, metric) in [(0.9, "latency_p90"), (0.99, "latency_p99"), (0.999, "latency_p999")] {
        if !head.metrics.contains_key(metric) {
            let fewest = fewest_queries(percentile);
            say(paint(
                Style::Dim,
                &format!("  {metric} is not claimed: it takes {fewest} queries, {} were made", head.n),
            ));
            break;
        }
    }
    let benchmark = head.benchmark.clone().unwrap_or_default();
    for disturbance in &benchmark.disturbances {
        say(format!("  disturbed: {disturbance}"));
    }
    let blocks = benchmark.blocks.get("throughput").map_or(0, Vec::len);
    let facts = format!(
        "{} queries in {blocks} blocks; times in milliseconds; ONNX Runtime {}, {}, {} thread(s)",
        head.n, head.provider.version, head.provider.device, head.provider.threads
    );
    say(paint(Style::Dim, &facts));
}
