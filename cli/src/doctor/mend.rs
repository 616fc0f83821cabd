//! What `--fix` does, and the commands that a person is told.

use std::path::Path;

use runner::onnx::{
    library::{self, Flavor, Places, Source},
    runtime::{self, LoadError, Runtime},
};

/// Finds and loads ONNX Runtime, as evaluations will. With a flavour it is installed where it is not there
/// or does not load. What `ORT_DYLIB_PATH` names is its owner's choice: it is never passed over.
pub(super) fn onnxruntime(fix: Option<Flavor>, note: &dyn Fn(&str)) -> Result<&'static Runtime, LoadError> {
    let places = Places::from_env();
    let find = || match fix {
        Some(Flavor::Cuda) if places.variable.is_none() => {
            library::install(&places, Flavor::Cuda, note).map_err(library::FindError::from)
        }
        Some(_) => library::locate_or_install(&places, note),
        None => library::locate(&places).map_err(library::FindError::from),
    };
    let found = find()?;
    let (source, path) = (found.source.clone(), found.path.clone());
    match (runtime::load(found), fix) {
        (Err(error), Some(flavor)) if matches!(source, Source::Cache | Source::Python { .. }) => {
            note(&format!("{error}; installing another"));
            if let (Source::Cache, Some(directory)) = (source, path.parent()) {
                let failed = |e: std::io::Error| LoadError::Load { path: path.clone(), reason: e.to_string() };
                std::fs::remove_dir_all(directory).map_err(failed)?;
            }
            runtime::load(library::install(&places, flavor, note).map_err(library::FindError::from)?)
        }
        (loaded, _) => loaded,
    }
}

/// What mends a machine on which [`onnxruntime`] gave this error.
pub(super) fn of_onnxruntime(error: &LoadError) -> String {
    match error {
        LoadError::Find(library::FindError::NotFound(library::NotFound::Variable(_))) => {
            "unset ORT_DYLIB_PATH".to_owned()
        }
        LoadError::Load { .. } | LoadError::Start { .. } if std::env::var_os("ORT_DYLIB_PATH").is_some() => {
            "unset ORT_DYLIB_PATH".to_owned()
        }
        LoadError::Find(library::FindError::Install(
            library::InstallError::Python(_) | library::InstallError::NoPip(_),
        )) => install("python3 python3-pip"),
        LoadError::Find(_) | LoadError::Load { .. } | LoadError::Start { .. } => "assay doctor --fix".to_owned(),
    }
}

/// How this machine's own package manager installs packages; they have the same name with all of these.
pub(super) fn install(packages: &str) -> String {
    let managers = [
        ("apt-get", "apt-get install -y"),
        ("dnf", "dnf install -y"),
        ("apk", "apk add"),
        ("zypper", "zypper install -y"),
        ("pacman", "pacman -S"),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_here = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let sudo = if rustix::process::geteuid().is_root() { "" } else { "sudo " };
    match managers.iter().find(|(program, _)| is_here(program)) {
        Some((_, command)) => format!("{sudo}{command} {packages}"),
        None => format!("install {packages} with this system's package manager"),
    }
}

/// The nearest directory that exists: where a new one would be made.
pub(super) fn existing(path: &Path) -> &Path {
    let found = path.ancestors().find(|path| path.is_dir());
    // A relative path of one part has the empty path above it, which is where we stand.
    found.unwrap_or(Path::new("."))
}
