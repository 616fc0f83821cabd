//! The one binary, `assay`: arguments and wiring only.
#![expect(unreachable_pub, reason = "a binary has no outside: `pub` marks what other modules use")]

mod accept;
mod api;
mod bench;
mod check;
mod compare;
mod compute;
mod demo;
mod dispatch;
mod doctor;
mod embedded;
mod eval;
mod exit;
mod expr;
mod github_app;
mod hook;
mod init;
mod inspect;
mod local;
mod outcomes;
mod plan;
mod serve;
mod settings;
mod simulate;
mod store;
mod token;
mod ui;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::Exit;

/// Parsing and planning are mostly small allocations, which cost less here than in glibc (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// CI for models: from a push to a verdict that can be trusted.
#[derive(Debug, Parser)]
#[command(name = "assay", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// From a push to a blocked merge, on this machine.
    Demo(demo::Args),
    /// Serve webhooks, runners, API and pages; with an embedded runner.
    Serve(serve::Serve),
    /// Execute jobs for a server.
    Runner(serve::Runner),
    /// Run a workflow here, on the working tree, and print the table that the check run will show.
    Run(local::Args),
    /// Lint workflows: every mistake at once.
    Check(check::Args),
    /// Evaluate an expression of the workflow language.
    Expr(expr::Args),
    /// Print what a workflow would run for an event.
    Plan(plan::Args),
    /// Evaluate one model on one data set.
    Eval(Box<eval::Args>),
    /// Time a model, alone or in turns with another.
    Bench(bench::Args),
    /// Tell what a model is, and what it changes of another.
    Inspect(inspect::Args),
    /// Judge two outcomes files, offline.
    Compare(compare::Args),
    /// The gate itself.
    #[command(subcommand)]
    Gate(Gate),
    /// Accept a failed gate, with a reason: recorded, and for one commit alone.
    Accept(accept::Accept),
    /// Who accepted which failed gates, when and why.
    Audit(accept::Audit),
    /// Write a workflow for the models in a repository.
    Init(init::Args),
    /// Hooks of the local forge.
    #[command(subcommand)]
    Hook(hook::Command),
    /// Say what Assay finds on this machine, and what mends what is missing.
    Doctor(doctor::Args),
    /// Make the GitHub App of a server.
    GithubApp(github_app::Args),
    /// Print a secret of a server, made when it is first asked for.
    Token(token::Args),
    /// Start a workflow by hand.
    Dispatch(dispatch::Args),
    /// Secrets of a repository, for its trusted jobs.
    #[command(subcommand)]
    Secret(settings::Secret),
    /// Variables of a repository: the `vars` of its workflows.
    #[command(subcommand)]
    Var(settings::Variable),
    /// Check, back up, restore or compact a server's store.
    Store(store::Store),
}

#[derive(Debug, Subcommand)]
enum Gate {
    /// Measure the gate's error rates on draws from known truths.
    Simulate(simulate::Args),
}

fn main() -> ExitCode {
    report_nothing();
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("ASSAY_LOG").unwrap_or_else(|_| "warn".into()))
        .with_writer(std::io::stderr)
        .init();
    match run(cli.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("assay: {error:#}");
            Exit::Broken.into()
        }
    }
}

/// From 1.29 on, ONNX Runtime's own builds for Linux send names of models, digests of their weights and more to its
/// maker, unless this variable is set when the library is loaded; `DisableTelemetryEvents` of its API comes too late.
#[expect(unsafe_code, reason = "C code reads the environment without a lock")]
fn report_nothing() {
    // SAFETY: called before anything else, so that there is no other thread.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Serve(args) => block_on(serve::serve(args)),
        Command::Runner(args) => block_on(serve::runner(args)),
        Command::Run(args) => block_on(local::run(args)),
        Command::Check(args) => check::run(&args),
        Command::Expr(args) => expr::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Eval(args) => eval::run(*args),
        Command::Bench(args) => bench::run(args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Gate(Gate::Simulate(args)) => simulate::run(&args),
        Command::Accept(args) => block_on(accept::accept(args)),
        Command::Audit(args) => block_on(accept::audit(args)),
        Command::Init(args) => init::run(&args),
        Command::Doctor(args) => block_on(doctor::run(args)),
        Command::GithubApp(args) => block_on(github_app::run(args)),
        Command::Token(args) => token::run(&args),
        Command::Dispatch(args) => block_on(dispatch::run(args)),
        Command::Secret(command) => block_on(settings::secret(command)),
        Command::Var(command) => block_on(settings::variable(command)),
        Command::Store(args) => block_on(store::store(args)),
        Command::Hook(command) => block_on(hook::run(command)),
    }
}

/// Only the commands that talk to others pay for a runtime.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}
