//! `assay accept` and `assay audit`: deciding to merge in spite of a failed gate, and who did.

use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use workflows::ids::Sha;

use crate::{
    api::{self, Api, Place, text},
    exit::Exit,
    ui,
};

#[derive(Debug, clap::Args)]
pub struct Accept {
    /// The head commit, in full; or the number of one of its runs.
    what: String,
    /// Why it is right to merge this.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: Place,
    /// The server's API token; else it is read from the variable ASSAY_API_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Accept this rule alone (its metric); may be repeated. Without it all that stand in the way.
    #[arg(long = "rule", value_name = "METRIC")]
    rules: Vec<String>,
    /// Whose decision it is: on GitHub an account that maintains the repository; else by default you.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Print the record as one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Audit {
    #[command(flatten)]
    place: Place,
    /// Print the records as one JSON document.
    #[arg(long)]
    json: bool,
    /// Newest decisions that are shown.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

pub async fn accept(args: Accept) -> anyhow::Result<Exit> {
    let Place { server, repo } = &args.place;
    let what = match (args.what.parse::<u64>(), args.what.parse::<Sha>()) {
        // Forty digits may be a commit; runs do not count that far.
        (Ok(number), _) if args.what.len() < 20 => format!("runs/{number}/accept"),
        (_, Ok(sha)) => format!("commits/{sha}/gate/accept"),
        (_, Err(error)) => {
            eprintln!("error: `{}` is neither a run's number nor a commit: {error}", args.what);
            return Ok(Exit::Usage);
        }
    };
    let by = args.by.clone().or_else(|| std::env::var("USER").ok());
    let body = json!({ "reason": args.reason, "by": by, "rules": args.rules });
    let path = format!("/api/v1/repos/{repo}/{what}");
    let (status, answer) = Api::new(server).post(&path, &api::token(args.token_file.as_deref())?, &body).await?;
    match status {
        201 if args.json => ui::say(serde_json::to_string_pretty(&answer)?),
        201 => ui::say(told(&answer)),
        // The answer is no: nothing to accept, or not by this person.
        403 | 404 | 409 => {
            eprintln!("not accepted: {}", text(&answer, "message"));
            return Ok(Exit::No);
        }
        400 | 401 => {
            eprintln!("error: {}", text(&answer, "message"));
            return Ok(Exit::Usage);
        }
        other => bail!("the server answered {other}: {answer}"),
    }
    Ok(Exit::Yes)
}

pub async fn audit(args: Audit) -> anyhow::Result<Exit> {
    let Place { server, repo } = &args.place;
    let trail: Value = Api::new(server).get(&format!("/api/v1/repos/{repo}/audit?limit={}", args.limit)).await?;
    if args.json {
        ui::say(serde_json::to_string_pretty(&trail)?);
        return Ok(Exit::Yes);
    }
    let acceptances = trail["acceptances"].as_array().context("the server answered something unexpected")?;
    if acceptances.is_empty() {
        ui::say(format!("nobody accepted a failed gate of {repo}"));
    }
    for acceptance in acceptances {
        ui::say(told(acceptance));
    }
    Ok(Exit::Yes)
}

/// Who, when, why, which rules and which numbers.
fn told(acceptance: &Value) -> String {
    let by = &acceptance["by"];
    let account = by["account"].as_u64().map_or_else(String::new, |id| format!(" (account {id})"));
    let (name, via) = (text(by, "name"), text(by, "via"));
    let (at, sha, reason) = (text(acceptance, "at"), text(acceptance, "sha"), text(acceptance, "reason"));
    let mut lines = vec![format!("{at}  {sha}  accepted by {name}{account} via {via}: {reason}")];
    for rule in acceptance["rules"].as_array().into_iter().flatten() {
        let number = |key: &str| rule[key].as_f64().map_or_else(|| "–".to_owned(), |number| number.to_string());
        let (metric, allowed) = (text(rule, "metric"), text(rule, "allowed"));
        lines.push(format!("  {metric}: {} -> {} ({allowed})", number("base"), number("head")));
    }
    lines.join("\n")
}
