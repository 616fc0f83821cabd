//! What the engine's client is run for before a step: the image fetched, and answers.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Engine, engine::words, wanted::Wanted};
use crate::{
    job::{
        Job,
        program::{self, Ended, Ran, Whereabouts},
        stop::Limits,
    },
    process::Invocation,
};

/// Fetches the image, as GitHub does for every job; one that is here already serves where that fails, which is said.
/// Gives its identity.
pub(super) async fn pull(job: &mut Job<'_>, engine: &Engine, wanted: &Wanted) -> anyhow::Result<String> {
    let mut invocation = engine.invocation(words(&["pull", &wanted.image]), &job.directories.workspace);
    let login = job.directories.private.join("registry");
    if let Some(credentials) = &wanted.credentials {
        if engine.is_docker() && !invocation.env.contains_key("DOCKER_HOST") {
            // The client's own configuration, which may name another engine, is not read below.
            let host = words(&["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]);
            if let Ok(host) = ask(job, engine, host).await {
                invocation.env.insert("DOCKER_HOST".to_owned(), host.trim().to_owned());
            }
        }
        let file = log_in(&login, &wanted.image, credentials).context("the credentials cannot be kept")?;
        invocation.env.insert("DOCKER_CONFIG".to_owned(), login.display().to_string());
        invocation.env.insert("REGISTRY_AUTH_FILE".to_owned(), file.display().to_string());
    }
    // Its bars of progress are for nobody; what it complains of is told below.
    job.log.say(&format!("##[group]Pull {}", wanted.image)).await;
    let pulled = run(job, &invocation).await;
    job.log.say("##[endgroup]").await;
    fs::remove_dir_all(&login).ok();
    let pulled = pulled?;
    let identity = ask(job, engine, words(&["image", "inspect", "--format", "{{.Id}}", &wanted.image])).await;
    match (pulled.ended, identity) {
        (Ended::Exited(0), identity) => Ok(identity?.trim().to_owned()),
        (Ended::Exited(_), Ok(identity)) => {
            job.log.say("##[warning]The image cannot be pulled: the one that is here is used").await;
            Ok(identity.trim().to_owned())
        }
        (Ended::Exited(_), Err(_)) => bail!("{}", last_line(&pulled.tail)),
        (Ended::Stopped(_), _) => bail!("the job was stopped while it was pulled"),
    }
}

/// Writes what `login` would, so that the password is in no command line. The file is the runner's alone.
fn log_in(directory: &Path, image: &str, (user, password): &(String, String)) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let file = directory.join("config.json");
    let auth = json!({ "auth": STANDARD.encode(format!("{user}:{password}")) });
    let auths: serde_json::Map<String, Value> =
        registries(image).into_iter().map(|registry| (registry.to_owned(), auth.clone())).collect();
    fs::write(&file, json!({ "auths": auths }).to_string())?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

/// The registry that an image's name begins with; Docker Hub's own two names where it begins with none.
fn registries(image: &str) -> Vec<&str> {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => vec![first],
        _ => vec!["https://index.docker.io/v1/", "docker.io"],
    }
}

/// Runs the client and gives what it says; the last line of its complaint where it fails.
pub(super) async fn ask(job: &mut Job<'_>, engine: &Engine, arguments: Vec<String>) -> anyhow::Result<String> {
    let mut invocation = engine.invocation(arguments, &job.directories.workspace);
    invocation.capture_stdout = true;
    let ran = run(job, &invocation).await?;
    match ran.ended {
        Ended::Exited(0) => Ok(String::from_utf8_lossy(&ran.captured).into_owned()),
        Ended::Exited(_) => bail!("{}", last_line(&ran.tail)),
        Ended::Stopped(_) => bail!("the job was stopped while it was made"),
    }
}

async fn run(job: &mut Job<'_>, invocation: &Invocation) -> anyhow::Result<Ran> {
    let limits = Limits::new(job.limits.clone(), None, false);
    program::run(job, invocation, &limits, &Whereabouts::Engine).await
}

fn last_line(tail: &str) -> &str {
    tail.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("the engine says nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_names_its_registry() {
        assert_eq!(registries("ghcr.io/acme/train:1"), ["ghcr.io"]);
        assert_eq!(registries("localhost:5000/x"), ["localhost:5000"]);
        assert_eq!(registries("localhost/x"), ["localhost"]);
        for hub in ["python:3.12", "library/python", "python@sha256:00"] {
            assert_eq!(registries(hub), ["https://index.docker.io/v1/", "docker.io"], "{hub}");
        }
    }
}
