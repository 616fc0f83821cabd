//! `assay dispatch`: starting a workflow by hand.

use std::path::PathBuf;

use anyhow::bail;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::{
    api::{self, Api, Place, text},
    exit::Exit,
    ui,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// File name of the workflow, as `eval.yml`; it must name `workflow_dispatch` under `on`.
    workflow: String,
    /// Branch or tag; else the default branch.
    #[arg(long = "ref", value_name = "REF")]
    git_ref: Option<String>,
    /// An input; may be repeated.
    #[arg(short, long = "input", value_name = "NAME=VALUE", value_parser = input)]
    inputs: Vec<(String, String)>,
    #[command(flatten)]
    place: Place,
    /// The server's API token; else it is read from the variable ASSAY_API_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print the answer as one JSON document.
    #[arg(long)]
    json: bool,
}

fn input(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub async fn run(args: Args) -> anyhow::Result<Exit> {
    let Place { server, repo } = &args.place;
    let inputs: Map<String, Value> =
        args.inputs.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    let actor = std::env::var("USER").ok().filter(|user| !user.is_empty());
    let body = json!({ "ref": args.git_ref, "inputs": inputs, "actor": actor });
    let path = format!("/api/v1/repos/{repo}/workflows/{}/dispatches", args.workflow);
    let token = api::token(args.token_file.as_deref())?;
    let api = Api::new(server);
    let (status, answer) = api.send(Method::POST, &path, &token, Some(&body)).await?;
    match status {
        202 if args.json => ui::say(answer.to_string()),
        202 => {
            let head = text(&answer, "head");
            ui::say(format!(
                "{} is started at {} of {}",
                text(&answer, "workflow"),
                &head[..head.len().min(7)],
                text(&answer, "ref")
            ));
            ui::say(format!("Its run will be at {}", api.page(repo)));
        }
        400 | 401 | 404 => {
            eprintln!("error: {}", text(&answer, "message"));
            return Ok(if status == 404 { Exit::No } else { Exit::Usage });
        }
        other => bail!("the server answered {other}: {answer}"),
    }
    Ok(Exit::Yes)
}
