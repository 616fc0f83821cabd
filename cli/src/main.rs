//! The one binary, `assay`: arguments and wiring only.

mod api;
mod demo;
mod embedded;
mod exit;
mod hook;
mod init;
mod serve;
mod ui;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::Exit;

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
    /// Write a workflow for the models in a repository.
    Init(init::Args),
    /// Hooks of the local forge.
    #[command(subcommand)]
    Hook(hook::Command),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("ASSAY_LOG").unwrap_or_else(|_| "warn".into()))
        .with_writer(std::io::stderr)
        .init();
    match run(cli.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("{} {error:#}", ui::paint_error("error:"));
            Exit::Broken.into()
        }
    }
}

fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Serve(args) => block_on(serve::serve(args)),
        Command::Runner(args) => block_on(serve::runner(args)),
        Command::Init(args) => init::run(&args),
        Command::Hook(command) => block_on(hook::run(command)),
    }
}

/// Only the commands that talk to others pay for a runtime.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}
