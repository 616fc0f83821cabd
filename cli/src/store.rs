//! `assay store`: looking after the server's store while the server is stopped.

use std::path::{Path, PathBuf};

use anyhow::Context;
use server::store::{
    backup::{self, Summary},
    engine::Engine,
};

use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub struct Store {
    /// The server's data directory.
    #[arg(long, value_name = "DIR", default_value = "assay-data", global = true)]
    data: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Read everything in the store, and say what it holds.
    Check,
    /// Write everything in the store to a file. Copy the directories `blobs` and `logs` after it.
    Backup {
        /// The file to write; must not exist.
        file: PathBuf,
    },
    /// Make a store from a backup, in a data directory that has none.
    Restore {
        /// The file to read.
        file: PathBuf,
    },
    /// Rewrite the store into the space that it needs.
    Compact,
}

pub async fn store(args: Store) -> anyhow::Result<Exit> {
    let dir = args.data.join("store");
    match args.verb {
        Verb::Check => {
            let engine = open(&dir).await?;
            let checked = backup::check(&engine).await;
            let size = engine.size_on_disk().await;
            engine.close().await;
            println!("{}; {} on disk", contents(&checked?), megabytes(size?));
        }
        Verb::Backup { file } => {
            anyhow::ensure!(!file.exists(), "{} exists already", file.display());
            let engine = open(&dir).await?;
            let exported = backup::export(&engine, &file).await;
            engine.close().await;
            let summary = exported?;
            let verified = blocking({
                let file = file.clone();
                move || backup::verify(&file)
            });
            anyhow::ensure!(verified.await? == summary, "{} does not hold what was written to it", file.display());
            println!("{}: {}", file.display(), contents(&summary));
        }
        Verb::Restore { file } => {
            let summary = blocking(move || backup::restore(&file, &dir)).await?;
            println!("restored {}", contents(&summary));
        }
        Verb::Compact => {
            require_store(&dir)?;
            let compacted = blocking(move || backup::compact(&dir)).await?;
            let (before, after) = (megabytes(compacted.bytes_before), megabytes(compacted.bytes_after));
            println!("{}; {before} on disk before, {after} now", contents(&compacted.summary));
        }
    }
    Ok(Exit::Yes)
}

async fn open(dir: &Path) -> anyhow::Result<Engine> {
    require_store(dir)?;
    let dir = dir.to_owned();
    Ok(tokio::task::spawn_blocking(move || Engine::open(&dir)).await??)
}

/// Opening makes a store where there is none, which is not what someone wants who asks after one.
fn require_store(dir: &Path) -> anyhow::Result<()> {
    dir.metadata().map(|_| ()).with_context(|| format!("there is no store in {}", dir.display()))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, backup::BackupError> + Send + 'static,
) -> anyhow::Result<T> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

fn contents(summary: &Summary) -> String {
    let Summary { entries, bytes, digest } = summary;
    format!("{entries} entries, {}, {digest}", megabytes(*bytes))
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
