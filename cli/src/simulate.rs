//! `assay gate simulate`: the gate's error rates, measured on draws from known truths.

use workflows::gate::simulate::{self, Cell, Plan};

use crate::{exit::Exit, ui};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Simulated comparisons for each cell of the table.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    comparisons: u64,
    /// The same seed gives the same table.
    #[arg(long, default_value_t = 20_261_124)]
    seed: u64,
    /// Only cells whose draws or truth contain this text, such as `72 rules` or `latency`; all of several.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Print the cells as one JSON document.
    #[arg(long)]
    json: bool,
}

/// Exits with "no" where a bar is missed by more than the simulation's own uncertainty.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    let plan = Plan { comparisons: args.comparisons, seed: args.seed, threads, alpha: 0.05 };
    let task = ui::Task::start("Simulating the gate");
    let wanted = |draws: &str, truth: &str| args.only.iter().all(|text| draws.contains(text) || truth.contains(text));
    let cells = simulate::run(&plan, wanted, |cell: &Cell| task.note(cell.draws.clone()));
    if cells.is_empty() {
        anyhow::bail!("no cell is about {}", args.only.join(" and "));
    }
    let missed = cells.iter().filter(|cell| cell.met == Some(false)).count();
    let result = format!("{} cells of {} comparisons, {missed} bars missed", cells.len(), args.comparisons);
    if args.json {
        drop(task);
        ui::say(serde_json::to_string_pretty(&cells)?);
    } else {
        task.done(result);
        ui::say(simulate::table(&cells));
    }
    Ok(if missed == 0 { Exit::Yes } else { Exit::No })
}
