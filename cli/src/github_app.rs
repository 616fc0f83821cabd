//! `assay github-app`: makes the GitHub App of a server, with one press of a button.

use std::path::PathBuf;

use anyhow::Context;
use server::github_app::{self, Setup};

use crate::{embedded, exit::Exit, ui};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address under which GitHub reaches the server.
    #[arg(long, value_name = "URL")]
    url: String,
    /// The server's data directory: key and secrets are written there.
    #[arg(long, value_name = "DIR", default_value = "assay-data")]
    data: PathBuf,
    /// Name of the App, unique at GitHub; it can be changed there.
    #[arg(long, default_value_t = format!("assay-{}", embedded::host_name()))]
    name: String,
    /// The organisation whose App it will be; yours by default.
    #[arg(long, value_name = "ORG")]
    organization: Option<String>,
    /// GitHub's API; `https://HOST/api/v3` for an Enterprise Server.
    #[arg(long, value_name = "URL", default_value = "https://api.github.com")]
    api_url: String,
    /// Where the page with the button is served; a browser on this machine must reach it.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8471")]
    listen: String,
}

pub async fn run(args: Args) -> anyhow::Result<Exit> {
    let web = args.url.starts_with("http://") || args.url.starts_with("https://");
    anyhow::ensure!(web, "--url must start with http:// or https://");
    std::fs::create_dir_all(&args.data).with_context(|| format!("cannot make {}", args.data.display()))?;
    let listener = embedded::bind(&args.listen)?;
    let page = format!("http://{}/", listener.local_addr()?);
    let setup = Setup {
        data: args.data.canonicalize()?,
        public_url: args.url.trim_end_matches('/').to_owned(),
        name: args.name,
        organization: args.organization,
        api_url: args.api_url.trim_end_matches('/').to_owned(),
    };
    let data = setup.data.clone();
    ui::say(format!("Open {page} in a browser on this machine and press the button"));
    let app = tokio::select! {
        app = github_app::create(setup, listener) => app?,
        () = embedded::interrupted() => return Ok(Exit::No),
    };
    ui::say(format!("The App {} is made; its key and secret are in {}", app.slug, data.join("secrets").display()));
    ui::say(format!("Choose its repositories: {}/installations/new", app.html_url));
    ui::say(format!("Then: assay serve --data {} (public-url = \"{}\")", data.display(), args.url));
    Ok(Exit::Yes)
}
