//! `container:`, evaluated, and what of it a runner allows.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use workflows::syntax;

use crate::job::Scope;

/// A container as the job wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub image: String,
    pub env: IndexMap<String, String>,
    /// Words for the engine's `create`.
    pub options: Vec<String>,
    pub volumes: Vec<String>,
    pub ports: Vec<String>,
    /// Name and password.
    pub credentials: Option<(String, String)>,
}

/// Options that take a value and give the container nothing of this machine that it has not anyway.
const HARMLESS: [&str; 23] = [
    "--add-host",
    "--cap-drop",
    "--cpu-shares",
    "-c",
    "--cpus",
    "--cpuset-cpus",
    "--dns",
    "--dns-search",
    "--env",
    "-e",
    "--hostname",
    "-h",
    "--memory",
    "-m",
    "--memory-reservation",
    "--memory-swap",
    "--pids-limit",
    "--platform",
    "--shm-size",
    "--tmpfs",
    "--ulimit",
    "--user",
    "-u",
];
const HARMLESS_FLAGS: [&str; 2] = ["--init", "--read-only"];

/// Evaluates what is written. None where the image is empty, which an expression may make it: no container then.
pub(super) fn evaluate(
    written: &syntax::Container,
    scope: &mut Scope,
    workspace: &Path,
) -> Result<Option<Wanted>, String> {
    let env = scope.texts(workspace, "container.env", &written.env)?;
    let mut text = |name: &str, template: &str| {
        scope.interpolate(workspace, template).map_err(|e| format!("`container.{name}` is not valid: {e}"))
    };
    let mut all = |name: &str, templates: &[String]| {
        templates.iter().map(|each| text(name, each)).collect::<Result<Vec<String>, String>>()
    };
    let (volumes, ports) = (all("volumes", &written.volumes)?, all("ports", &written.ports)?);
    let options = text("options", written.options.as_deref().unwrap_or_default())?;
    let credentials = match &written.credentials {
        None => None,
        Some(given) => {
            Some((text("credentials.username", &given.username)?, text("credentials.password", &given.password)?))
        }
    };
    let image = scope.value(workspace, &written.image.value).map_err(|e| format!("`container` is not valid: {e}"))?;
    let wanted = match image {
        Value::Object(mapping) => of_mapping(&mapping)?,
        image => Wanted { image: as_text(&image), env, options: split(&options)?, volumes, ports, credentials },
    };
    if wanted.image.is_empty() {
        return Ok(None);
    }
    // It would be read as an option.
    if wanted.image.starts_with('-') || wanted.image.contains(char::is_whitespace) {
        return Err(format!("`{}` is no name of an image", wanted.image));
    }
    Ok(Some(wanted))
}

/// `container: ${{ fromJSON(…) }}`.
fn of_mapping(mapping: &Map<String, Value>) -> Result<Wanted, String> {
    let text = |name: &str| mapping.get(name).map(as_text).unwrap_or_default();
    let list = |name: &str| match mapping.get(name) {
        Some(Value::Array(items)) => items.iter().map(as_text).collect(),
        Some(one) => vec![as_text(one)],
        None => Vec::new(),
    };
    let object = |name: &str| mapping.get(name).and_then(Value::as_object);
    Ok(Wanted {
        image: text("image"),
        env: object("env").into_iter().flatten().map(|(name, value)| (name.clone(), as_text(value))).collect(),
        options: split(&text("options"))?,
        volumes: list("volumes"),
        ports: list("ports"),
        credentials: object("credentials").map(|given| {
            let part = |name: &str| given.get(name).map(as_text).unwrap_or_default();
            (part("username"), part("password"))
        }),
    })
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn split(options: &str) -> Result<Vec<String>, String> {
    shlex::split(options).ok_or_else(|| format!("`container.options` has a quote that does not end: {options}"))
}

impl Wanted {
    /// A container is made by the engine's service, mostly as root: a path, a device or a privilege of the machine that a
    /// workflow names would be given to it. Where steps are isolated they get none by this door either.
    pub(super) fn confine(&self) -> Result<(), String> {
        const TRUST: &str =
            "this runner isolates what workflows run; whoever trusts them starts it with `--no-isolation`";
        if let Some(volume) = self.volumes.iter().find(|volume| volume.contains(':')) {
            return Err(format!(
                "`container.volumes` wants `{volume}` of this machine: only a path alone, for an empty volume, is allowed: {TRUST}"
            ));
        }
        if let Some(port) = self.ports.first() {
            return Err(format!(
                "`container.ports` wants the port `{port}` of this machine, which is not allowed: {TRUST}"
            ));
        }
        let mut words = self.options.iter();
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            if HARMLESS_FLAGS.contains(&name) {
                continue;
            }
            if !HARMLESS.contains(&name) {
                return Err(format!("`container.options` has `{word}`, which is not allowed: {TRUST}"));
            }
            let value = value.or_else(|| words.next().cloned());
            // A name alone would take the variable from the runner.
            if matches!(name, "--env" | "-e") && !value.is_some_and(|value| value.contains('=')) {
                return Err(format!("`container.options` has `{word}` without a value: {TRUST}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(options: &str) -> Wanted {
        let (volumes, ports) = (Vec::new(), Vec::new());
        let (image, options) = ("a".to_owned(), split(options).unwrap());
        Wanted { image, env: IndexMap::new(), options, volumes, ports, credentials: None }
    }

    #[test]
    fn limits_and_names_are_harmless() {
        for options in ["", "--cpus 2 --memory=4g", "--user root --init", "-e A=1 --env='B=x y'", "--shm-size 1g"] {
            assert_eq!(wanted(options).confine(), Ok(()), "{options}");
        }
    }

    #[test]
    fn nothing_of_the_machine_is_given_where_steps_are_isolated() {
        for options in [
            "--privileged",
            "--cpus 1 --privileged",
            "-v /:/host",
            "--volume=/:/host",
            "--mount type=bind,src=/,dst=/host",
            "--device /dev/sda",
            "--pid=host",
            "--network host",
            "--cap-add SYS_ADMIN",
            "--security-opt seccomp=unconfined",
            "--gpus all",
            "--env-file /etc/shadow",
            "-e SECRET",
            "--cpus",
            "1 other-image",
        ] {
            let refused = wanted(options).confine();
            // Without its value it is the engine's to refuse.
            assert_eq!(refused.is_err(), options != "--cpus", "{options}: {refused:?}");
        }
        for volume in ["/:/host", "cache:/cache"] {
            let wanted = Wanted { volumes: vec![volume.to_owned()], ..wanted("") };
            assert!(wanted.confine().unwrap_err().contains(volume));
        }
        let wanted = Wanted { volumes: vec!["/scratch".to_owned()], ..wanted("") };
        assert_eq!(wanted.confine(), Ok(()));
    }
}
