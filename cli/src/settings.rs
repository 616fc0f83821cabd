//! `assay secret` and `assay var`: what a repository's workflows are given by its server.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};
use workflows::settings::SettingName;

use crate::{
    api::{Api, Place, text},
    exit::Exit,
    ui,
};

#[derive(Debug, clap::Subcommand)]
pub enum Secret {
    /// Set a secret; its value is read from standard input, so that it is in no list of processes.
    Set {
        name: SettingName,
        /// Read it from this file instead.
        #[arg(long, value_name = "FILE")]
        value_file: Option<PathBuf>,
        #[command(flatten)]
        owner: Owner,
    },
    /// Names of the secrets; their values are told to nobody.
    List {
        #[command(flatten)]
        owner: Owner,
    },
    /// Delete a secret.
    Delete {
        name: SettingName,
        #[command(flatten)]
        owner: Owner,
    },
}

#[derive(Debug, clap::Subcommand)]
pub enum Variable {
    /// Set a variable.
    Set {
        name: SettingName,
        value: String,
        #[command(flatten)]
        owner: Owner,
    },
    /// The variables and their values.
    List {
        #[command(flatten)]
        owner: Owner,
    },
    /// Delete a variable.
    Delete {
        name: SettingName,
        #[command(flatten)]
        owner: Owner,
    },
}

/// Whose they are, and who asks.
#[derive(Debug, clap::Args)]
pub struct Owner {
    #[command(flatten)]
    place: Place,
    /// The server's API token; else it is read from the variable ASSAY_API_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Owner {
    async fn ask(&self, method: Method, what: &str, body: Option<&Value>) -> anyhow::Result<Result<Value, Exit>> {
        let Place { server, repo } = &self.place;
        let path = format!("/api/v1/repos/{repo}/{what}");
        let token = crate::api::token(self.token_file.as_deref())?;
        let (status, answer) = Api::new(server).send(method, &path, &token, body).await?;
        let message = text(&answer, "message");
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

    /// `kind` is `secrets` or `variables`.
    async fn set(&self, kind: &str, name: &SettingName, value: &str) -> anyhow::Result<Exit> {
        let done = format!("{name} is set for {}", self.place.repo);
        self.change(Method::PUT, &format!("{kind}/{name}"), Some(&json!({ "value": value })), &done).await
    }

    async fn delete(&self, kind: &str, name: &SettingName) -> anyhow::Result<Exit> {
        self.change(Method::DELETE, &format!("{kind}/{name}"), None, &format!("{name} is deleted")).await
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

/// What is asked for: a file, or all of standard input; without the line's end that `echo` and editors add.
fn given(file: Option<&Path>) -> anyhow::Result<String> {
    let mut value = String::new();
    match file {
        Some(file) => {
            value = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        }
        None => {
            std::io::stdin().read_to_string(&mut value).context("the value is not UTF-8 text")?;
        }
    }
    if value.ends_with('\n') && value.matches('\n').count() == 1 {
        value.truncate(value.trim_end_matches(['\r', '\n']).len());
    }
    Ok(value)
}

pub async fn secret(command: Secret) -> anyhow::Result<Exit> {
    const KIND: &str = "secrets";
    match command {
        Secret::Set { name, value_file, owner } => owner.set(KIND, &name, &given(value_file.as_deref())?).await,
        Secret::List { owner } => {
            owner.list(KIND, |own| format!("{}  set {}", text(own, "name"), text(own, "updated_at"))).await
        }
        Secret::Delete { name, owner } => owner.delete(KIND, &name).await,
    }
}

pub async fn variable(command: Variable) -> anyhow::Result<Exit> {
    const KIND: &str = "variables";
    match command {
        Variable::Set { name, value, owner } => owner.set(KIND, &name, &value).await,
        Variable::List { owner } => {
            owner.list(KIND, |own| format!("{}={}", text(own, "name"), text(own, "value"))).await
        }
        Variable::Delete { name, owner } => owner.delete(KIND, &name).await,
    }
}
