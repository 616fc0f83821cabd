//! The environment of steps.

use indexmap::IndexMap;
use serde_json::Value;
use workflows::expr::text_of;

use super::{Job, Scope, files::StepFiles};
use crate::process::TRACKING_VARIABLE;

/// `RUNNER_OS`, in GitHub's words.
pub(super) const OS: &str = if cfg!(target_os = "macos") { "macOS" } else { "Linux" };
/// `RUNNER_ARCH`, in GitHub's words.
pub(super) const ARCH: &str = if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" };

/// What of the `github` context is also a variable `GITHUB_…`.
const FROM_CONTEXT: [&str; 31] = [
    "action",
    "action_path",
    "action_ref",
    "action_repository",
    "actor",
    "actor_id",
    "api_url",
    "base_ref",
    "event_name",
    "event_path",
    "graphql_url",
    "head_ref",
    "job",
    "ref",
    "ref_name",
    "ref_protected",
    "ref_type",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "run_attempt",
    "run_id",
    "run_number",
    "server_url",
    "sha",
    "triggering_actor",
    "workflow",
    "workflow_ref",
    "workflow_sha",
    "workspace",
];

/// Of the runner's own environment, what a sandboxed step sees: how to reach the network and where
/// tools are. The rest may be secret.
const INHERITED: [&str; 20] = [
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "PYENV_ROOT",
    "RUSTUP_HOME",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
];

/// All variables of one step: the machine's, GitHub's, the workflow's in the order of their precedence. A step in a
/// container has none of the `machine`: its image has its own, and its own search path.
pub(super) fn of_step(
    job: &Job<'_>,
    scope: &Scope,
    step_env: &IndexMap<String, String>,
    files: &StepFiles,
    machine: bool,
) -> IndexMap<String, String> {
    let mut env = IndexMap::new();
    let isolated = job.user().is_some() || matches!(job.env.sandbox, crate::process::sandbox::Sandbox::Bubblewrap(_));
    for (name, value) in std::env::vars().filter(|_| machine) {
        let wanted = name == "PATH" || name.starts_with("LC_") || name.starts_with("PIP_");
        let ours = name.starts_with("ASSAY_");
        if if isolated { wanted || INHERITED.contains(&name.as_str()) } else { !ours } {
            env.insert(name, value);
        }
    }
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    let directories = &job.directories;
    if isolated || !machine {
        set("HOME", directories.home.display().to_string());
    }
    if isolated && machine {
        set("TMPDIR", "/tmp".to_owned());
    }
    if !machine {
        // Within, the files of the checkout belong to somebody else, which git refuses unless it is told.
        set("GIT_CONFIG_COUNT", "1".to_owned());
        set("GIT_CONFIG_KEY_0", "safe.directory".to_owned());
        set("GIT_CONFIG_VALUE_0", directories.workspace.display().to_string());
    }
    set("CI", "true".to_owned());
    if job.env.monitor.is_some() || !job.env.gpus.is_empty() {
        // An empty value hides every device: a job without a lease does not touch another's GPU.
        // A container has the lease's devices alone, and counts them from zero.
        let devices = job.env.gpus.iter().enumerate();
        let devices: Vec<String> =
            devices.map(|(position, gpu)| if machine { gpu.to_string() } else { position.to_string() }).collect();
        set("CUDA_VISIBLE_DEVICES", devices.join(","));
        set("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_owned());
    }
    for (name, value) in scope.env_with(&job.added_env).chain(step_env) {
        set(name, value.clone());
    }
    // From here on it is not the workflow's to set: what the runner says, and the files that it reads.
    for name in ["GITHUB_ACTIONS", "ASSAY"] {
        set(name, "true".to_owned());
    }
    if let Some(Value::Object(github)) = scope.context("github") {
        for key in FROM_CONTEXT {
            if let Some(text) = github.get(key).filter(|value| !value.is_null()).and_then(text_of) {
                set(&format!("GITHUB_{}", key.to_ascii_uppercase()), text);
            }
        }
    }
    set("GITHUB_SHA", job.spec.checkout.sha.to_string());
    set("GITHUB_REPOSITORY", job.spec.repo.to_string());
    set("RUNNER_NAME", job.env.runner_name.clone());
    set("RUNNER_OS", OS.to_owned());
    set("RUNNER_ARCH", ARCH.to_owned());
    set("RUNNER_ENVIRONMENT", "self-hosted".to_owned());
    set("RUNNER_TEMP", directories.temp.display().to_string());
    set("RUNNER_TOOL_CACHE", directories.tools.display().to_string());
    set(TRACKING_VARIABLE, directories.tracking_id.clone());
    for (name, path) in files.variables() {
        set(name, path.display().to_string());
    }
    // Of a container it is known only there.
    if machine && !job.added_path.is_empty() {
        let path = env.get("PATH").map_or("", String::as_str);
        let path = format!("{}:{path}", job.added_path.join(":"));
        env.insert("PATH".to_owned(), path);
    }
    env
}
