//! `assay serve` and `assay runner`.

use std::path::PathBuf;

use anyhow::Context;
use runner::agent::{IsolationChoice, RunnerConfig};
use server::ServerConfig;

use crate::{
    embedded::{self, Embedded, RunnerChoice},
    exit::Exit,
    ui,
};

#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Configuration file; everything has a default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, value_name = "DIR", default_value = "assay-data")]
    data: PathBuf,
    /// Address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8470")]
    listen: String,
    /// Leave running jobs to runners elsewhere.
    #[arg(long)]
    no_runner: bool,
    /// Jobs that the embedded runner executes at once.
    #[arg(long, default_value_t = 2)]
    slots: u32,
    /// Run the embedded runner's steps without a sandbox, even where one works.
    #[arg(long)]
    no_isolation: bool,
}

pub async fn serve(args: Serve) -> anyhow::Result<Exit> {
    let listener = embedded::bind(&args.listen)?;
    let url = embedded::url_of(listener.local_addr()?);
    std::fs::create_dir_all(&args.data).with_context(|| format!("cannot make {}", args.data.display()))?;
    let data = args.data.canonicalize()?;
    let mut config = match &args.config {
        None => ServerConfig::for_data_dir(&data),
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            ServerConfig::from_toml(&text, &data).with_context(|| format!("{}", file.display()))?
        }
    };
    if config.public_url.is_empty() {
        config.public_url = url.clone();
    }
    let runner = (!args.no_runner).then(|| RunnerChoice { slots: args.slots, isolation: isolation(args.no_isolation) });
    let embedded = Embedded::start(config, listener, runner)?;
    ui::say(format!("Assay serves {url} from {}", data.display()));
    embedded.run_until(embedded::interrupted()).await?;
    Ok(Exit::Yes)
}

#[derive(Debug, clap::Args)]
pub struct Runner {
    /// Address of the server.
    #[arg(long, value_name = "URL")]
    server: String,
    /// File with the runner token (DATA/secrets/runner-token of the server).
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Further labels, by which `runs-on` chooses.
    #[arg(long, value_delimiter = ',')]
    labels: Vec<String>,
    /// Name among the server's runners; the machine's by default.
    #[arg(long)]
    name: Option<String>,
    /// Jobs at once.
    #[arg(long, default_value_t = 1)]
    slots: u32,
    /// Where jobs run and caches are kept.
    #[arg(long, value_name = "DIR", default_value = "assay-runner")]
    work: PathBuf,
    /// Stop after one job, and keep nothing of it.
    #[arg(long)]
    ephemeral: bool,
    /// Stop when there is nothing to do.
    #[arg(long)]
    once: bool,
    /// Run steps without a sandbox, even where one works.
    #[arg(long)]
    no_isolation: bool,
}

pub async fn runner(args: Runner) -> anyhow::Result<Exit> {
    let token = std::fs::read_to_string(&args.token_file)
        .with_context(|| format!("cannot read the token file {}", args.token_file.display()))?;
    std::fs::create_dir_all(&args.work).with_context(|| format!("cannot make {}", args.work.display()))?;
    let work = args.work.canonicalize()?;
    let config = RunnerConfig {
        server: args.server.trim_end_matches('/').to_owned(),
        token: token.trim().to_owned(),
        name: args.name.unwrap_or_else(embedded::host_name),
        labels: args.labels,
        slots: args.slots,
        work_dir: work.join("work"),
        cache_dir: work.join("cache"),
        assay: embedded::own_binary()?,
        isolation: isolation(args.no_isolation),
        once: args.once,
        ephemeral: args.ephemeral,
    };
    runner::agent::run(config, embedded::interrupted()).await?;
    Ok(Exit::Yes)
}

fn isolation(none: bool) -> IsolationChoice {
    if none { IsolationChoice::None } else { IsolationChoice::Auto }
}
