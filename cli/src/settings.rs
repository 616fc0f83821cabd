//! `assay secret` and `assay var`: what a repository's workflows are given by its server.

use std::{io::Read, path::PathBuf};

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};
use workflows::{ids::RepoName, settings::SettingName};

use crate::{api::Api, exit::Exit, ui};

#[derive(Debug, clap::Subcommand)]
pub enum Secret {
    /// Set a secret; its value is read from standard input, so that it is in no list of processes.
    Set {
        name: SettingName,
        /// Read it from this file instead.
        #[arg(long, value_name = "FILE")]
        value_file: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Names of the secrets; their values are told to nobody.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Delete a secret.
    Delete {
        name: SettingName,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, clap::Subcommand)]
pub enum Variable {
    /// Set a variable.
    Set {
        name: SettingName,
        value: String,
        #[command(flatten)]
        place: Place,
    },
    /// The variables and their values.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Delete a variable.
    Delete {
        name: SettingName,
        #[command(flatten)]
        place: Place,
    },
}

/// Whose they are.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// Address of the server.
    #[arg(long, value_name = "URL")]
    server: String,
    /// The repository.
    #[arg(long, value_name = "OWNER/NAME")]
    repo: RepoName,
    /// The server's API token; else it is read from the variable ASSAY_API_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Place {
    async fn ask(&self, method: Method, what: &str, body: Option<&Value>) -> anyhow::Result<Result<Value, Exit>> {
        let path = format!("/api/v1/repos/{}/{what}", self.repo);
        let token = crate::api::token(self.token_file.as_deref())?;
        let (status, answer) = Api::new(&self.server).send(method, &path, &token, body).await?;
        let message = answer["message"].as_str().unwrap_or_default();
        match status {
            200..300 => Ok(Ok(answer)),
            404 | 409 => {
                eprintln!("error: {message}");
                Ok(Err(Exit::No))
            }
            400 | 401 | 413 => {
                eprintln!("error: {message}");
                Ok(Err(Exit::Usage))
            }
            other => bail!("the server answered {other}: {answer}"),
        }
    }

    async fn change(&self, method: Method, what: &str, body: Option<&Value>, done: &str) -> anyhow::Result<Exit> {
        Ok(match self.ask(method, what, body).await? {
            Ok(_) => {
                ui::say(done);
                Exit::Yes
            }
            Err(exit) => exit,
        })
    }

    async fn list(&self, what: &str, line: fn(&Value) -> String) -> anyhow::Result<Exit> {
        Ok(match self.ask(Method::GET, what, None).await? {
            Ok(answer) => {
                let all = answer[what].as_array().context("the server answered something unexpected")?;
                all.iter().for_each(|own| ui::say(line(own)));
                Exit::Yes
            }
            Err(exit) => exit,
        })
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

pub async fn secret(command: Secret) -> anyhow::Result<Exit> {
    match command {
        Secret::Set { name, value_file, place } => {
            let mut value = match &value_file {
                Some(file) => {
                    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
                }
                None => {
                    let mut value = String::new();
                    std::io::stdin().read_to_string(&mut value).context("the value is not UTF-8 text")?;
                    value
                }
            };
            // What `echo` and editors add.
            if value.ends_with('\n') && value.matches('\n').count() == 1 {
                value.truncate(value.trim_end_matches(['\r', '\n']).len());
            }
            let body = json!({ "value": value });
            let done = format!("{name} is set for {}", place.repo);
            place.change(Method::PUT, &format!("secrets/{name}"), Some(&body), &done).await
        }
        Secret::List { place } => {
            place.list("secrets", |own| format!("{}  set {}", text(own, "name"), text(own, "updated_at"))).await
        }
        Secret::Delete { name, place } => {
            let done = format!("{name} is deleted");
            place.change(Method::DELETE, &format!("secrets/{name}"), None, &done).await
        }
    }
}

pub async fn variable(command: Variable) -> anyhow::Result<Exit> {
    match command {
        Variable::Set { name, value, place } => {
            let body = json!({ "value": value });
            let done = format!("{name} is set for {}", place.repo);
            place.change(Method::PUT, &format!("variables/{name}"), Some(&body), &done).await
        }
        Variable::List { place } => {
            place.list("variables", |own| format!("{}={}", text(own, "name"), text(own, "value"))).await
        }
        Variable::Delete { name, place } => {
            let done = format!("{name} is deleted");
            place.change(Method::DELETE, &format!("variables/{name}"), None, &done).await
        }
    }
}
