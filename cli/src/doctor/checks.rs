//! One function for each thing that Assay needs, or can use.

use std::{path::Path, process::Command};

use runner::{
    gpu::Nvml,
    job::container::Engine,
    onnx::{
        library::{Places, Python},
        runtime::{LoadError, Runtime},
        session,
    },
    process::sandbox::Sandbox,
};

use super::{Finding, mend};
use crate::embedded;

/// What the server leaves free on its disk, and some to work with.
const LEAST_FREE_BYTES: u64 = 512 << 20;

pub(super) fn onnxruntime(found: &Result<&'static Runtime, LoadError>) -> Finding {
    match found {
        Ok(runtime) => Finding::ok("ONNX Runtime", runtime.to_string()),
        Err(error) => Finding::missing("ONNX Runtime", error.to_string(), Some(mend::of_onnxruntime(error))),
    }
}

pub(super) fn git() -> Finding {
    match Command::new("git").arg("--version").output() {
        Ok(output) if output.status.success() => {
            let version = String::from_utf8_lossy(&output.stdout);
            Finding::ok("git", version.trim().trim_start_matches("git version "))
        }
        Ok(output) => Finding::missing("git", String::from_utf8_lossy(&output.stderr).trim(), None),
        Err(_) => Finding::missing("git", "not installed", Some(mend::install("git"))),
    }
}

/// Python is the way to the package index: once ONNX Runtime is there, nothing else needs it.
pub(super) fn python(has_onnxruntime: bool) -> Finding {
    let (found, packages) = match Python::probe(&Places::from_env().python) {
        Ok(Python { version, pip: Some(pip), .. }) => {
            return Finding::ok("Python", format!("{version} with pip {pip}"));
        }
        Ok(Python { version, pip: None, .. }) => (format!("{version} without pip"), "python3-pip"),
        Err(error) => (error.to_string(), "python3 python3-pip"),
    };
    let mend = Some(mend::install(packages));
    match has_onnxruntime {
        true => Finding::limited("Python", format!("{found}; needed only to install ONNX Runtime"), mend),
        false => Finding::missing("Python", found, mend),
    }
}

/// By a real trial: that a program is installed does not mean that it may make namespaces here.
pub(super) async fn sandbox() -> Finding {
    let tried = match tempfile::tempdir() {
        Ok(directory) => Sandbox::detect(directory.path(), &[]).await.map(drop),
        Err(error) => Err(format!("no temporary directory can be made: {error}")),
    };
    match tried {
        Ok(()) => Finding::ok("Sandbox", "bubblewrap works: steps are isolated"),
        Err(why) => {
            let mend = why.contains("not installed").then(|| mend::install("bubblewrap"));
            Finding::limited("Sandbox", format!("{why}: steps run unisolated"), mend)
        }
    }
}

/// Only jobs with `container:` ask for one.
pub(super) fn containers() -> Finding {
    const NAME: &str = "Containers";
    const EFFECT: &str = "jobs with `container:` fail";
    let Some(engine) = Engine::find() else {
        return Finding::limited(NAME, format!("neither Docker nor Podman: {EFFECT}"), Some(mend::install("podman")));
    };
    let program = engine.program().display();
    // Docker's client asks its service for this; Podman is its own.
    match Command::new(engine.program()).args(["version", "--format", "{{.Server.Version}}"]).output() {
        Ok(output) if output.status.success() => {
            Finding::ok(NAME, format!("{program} {}", String::from_utf8_lossy(&output.stdout).trim()))
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let why = said.trim().lines().next().unwrap_or("no answer").to_owned();
            Finding::limited(NAME, format!("{program}: {why}: {EFFECT}"), None)
        }
        Err(why) => Finding::limited(NAME, format!("{program}: {why}: {EFFECT}"), None),
    }
}

pub(super) fn gpus(runtime: Option<&'static Runtime>) -> Finding {
    let devices = match Nvml::load() {
        Ok(nvml) => nvml.facts(),
        Err(why) => {
            let why = why.trim_start_matches("a libloading error occurred: ");
            return Finding::limited("GPU", format!("no NVML library: {why}"), None);
        }
    };
    if devices.is_empty() {
        return Finding::limited("GPU", "NVML is there and finds no device", None);
    }
    let gibibytes = |bytes: u64| bytes >> 30;
    let device = |gpu: &workflows::protocol::GpuFacts| format!("{} ({} GiB)", gpu.name, gibibytes(gpu.memory_bytes));
    let list = devices.iter().map(device).collect::<Vec<_>>().join(", ");
    let driver = &devices[0].driver;
    match runtime.map(|runtime| session::try_cuda(runtime, devices[0].index)) {
        Some(Ok(())) => Finding::ok("GPU", format!("{list}, driver {driver}; the CUDA provider works")),
        Some(Err(error)) => Finding::limited(
            "GPU",
            format!("{list}, driver {driver}; {error}"),
            Some("assay doctor --fix --cuda".to_owned()),
        ),
        None => {
            Finding::limited("GPU", format!("{list}, driver {driver}"), Some("assay doctor --fix --cuda".to_owned()))
        }
    }
}

pub(super) fn data(directory: &Path) -> Finding {
    let shown = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let shown = shown.display();
    let existing = mend::existing(directory);
    let free = rustix::fs::statvfs(existing).map_or(0, |fs| fs.f_bavail.saturating_mul(fs.f_frsize));
    let megabytes = free / 1_000_000;
    if tempfile::tempfile_in(existing).is_err() {
        return Finding::missing("Data", format!("{shown}: {} cannot be written to", existing.display()), None);
    }
    if free < LEAST_FREE_BYTES {
        let found = format!("{shown}: {megabytes} MB free, a server needs {} MB", LEAST_FREE_BYTES / 1_000_000);
        return Finding::missing("Data", found, None);
    }
    match server::store::engine::holder(&directory.join("store")) {
        Some(holder) => Finding::ok("Data", format!("{shown}: in use by {holder}, {megabytes} MB free")),
        None if directory.is_dir() => Finding::ok("Data", format!("{shown}: not in use, {megabytes} MB free")),
        None => Finding::ok("Data", format!("{shown}: not there yet, {megabytes} MB free")),
    }
}

pub(super) fn port(address: &str, data: &Path) -> Finding {
    match embedded::bind(address) {
        Ok(_) => Finding::ok("Port", format!("{address} is free")),
        Err(_) if server::store::engine::holder(&data.join("store")).is_some() => {
            Finding::ok("Port", format!("{address} is in use, as is the data directory: a server runs"))
        }
        Err(error) => {
            let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
            Finding::limited("Port", error.to_string(), Some(format!("assay serve --listen {host}:PORT")))
        }
    }
}
