//! `assay token`: the secrets of a server, for whoever may read its data directory.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::{exit::Exit, ui};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What runners present, people's tools present, or local repositories sign with.
    #[arg(value_enum)]
    kind: Kind,
    /// The server's data directory.
    #[arg(long, value_name = "DIR", default_value = "assay-data")]
    data: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Runner,
    Api,
    Webhook,
}

pub fn run(args: &Args) -> anyhow::Result<Exit> {
    ui::say(match args.kind {
        Kind::Runner => server::secrets::runner_token(&args.data)?,
        Kind::Api => server::secrets::api_token(&args.data)?,
        Kind::Webhook => server::secrets::local_webhook(&args.data)?,
    });
    Ok(Exit::Yes)
}
