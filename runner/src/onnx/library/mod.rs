//! Finding ONNX Runtime's shared library, or installing it.
//!
//! In this order: what `ORT_DYLIB_PATH` names; Assay's own cache; the `onnxruntime` or
//! `onnxruntime-gpu` package of the Python on the path; and only when asked to ([`install()`]) the
//! pinned wheel from the Python package index. [`locate`] looks and changes nothing.

mod install;
mod nvidia;
mod package;
mod pinned;
mod python;

use std::{
    env, fmt,
    path::{Path, PathBuf},
};

pub use install::{InstallError, install};
pub use nvidia::{directories as nvidia_directories, preload as preload_nvidia};
pub use pinned::{Flavor, VERSION};
pub use python::{Python, PythonError};

/// ONNX Runtime's shared library on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Absolute.
    pub path: PathBuf,
    /// From the file's name or the package's metadata; none where neither says.
    pub version: Option<String>,
    pub source: Source,
}

/// Which of the places it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `ORT_DYLIB_PATH` names it.
    Variable,
    /// An earlier [`install()`] put it into Assay's cache.
    Cache,
    /// A package of the Python on the path: `onnxruntime` or `onnxruntime-gpu`.
    Python { package: String },
    /// This process installed it just now.
    Installed,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Variable => f.write_str("named by ORT_DYLIB_PATH"),
            Source::Cache => f.write_str("from Assay's cache"),
            Source::Python { package } => write!(f, "from the Python package {package}"),
            Source::Installed => f.write_str("installed from the Python package index"),
        }
    }
}

/// Where to look. A value, so that nothing below reads the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `ORT_DYLIB_PATH`.
    pub variable: Option<PathBuf>,
    /// Assay's cache directory; it need not exist yet.
    pub cache: PathBuf,
    /// The Python interpreter to ask, a name on the path or a path.
    pub python: PathBuf,
}

impl Places {
    /// As this process's environment says.
    pub fn from_env() -> Self {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            variable: set("ORT_DYLIB_PATH").map(PathBuf::from),
            cache: cache_dir(),
            python: set("ASSAY_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from),
        }
    }
}

/// Assay's cache: `$ASSAY_CACHE`, else `$XDG_CACHE_HOME/assay`, else `~/.cache/assay`, else a
/// directory beside the system's temporary files (a service without a home).
pub fn cache_dir() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("ASSAY_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("assay")))
        .or_else(|| set("HOME").map(|path| path.join(".cache/assay")))
        .unwrap_or_else(|| env::temp_dir().join("assay-cache"))
}

/// Why no library was found, with what mends it.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    #[error("ORT_DYLIB_PATH names `{path}`, which does not exist; correct it, or unset it to let Assay look elsewhere", path = .0.display())]
    Variable(PathBuf),
    #[error("ONNX Runtime was not found: not in the cache ({cache}), and {python}; `assay doctor --fix` installs it", cache = .cache.display())]
    Nowhere {
        cache: PathBuf,
        /// What Python said: `python3 is not installed`, `has no onnxruntime package`, …
        python: String,
    },
}

/// Looks for the library, and changes nothing.
pub fn locate(places: &Places) -> Result<Library, NotFound> {
    if let Some(path) = &places.variable {
        // Resolved, because the version stands in the name that the link points to.
        let path = path.canonicalize().map_err(|_| NotFound::Variable(path.clone()))?;
        let version = version_in_name(&path);
        return Ok(Library { path, version, source: Source::Variable });
    }
    if let Some(library) = pinned::cached(&places.cache) {
        return Ok(library);
    }
    match package::find(&places.python) {
        Ok(library) => Ok(library),
        Err(why) => Err(NotFound::Nowhere { cache: places.cache.clone(), python: why.to_string() }),
    }
}

/// Why no library could be had.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Install(#[from] InstallError),
}

/// [`locate`], and [`install()`] where that finds nothing.
pub fn locate_or_install(places: &Places, progress: &dyn Fn(&str)) -> Result<Library, FindError> {
    match locate(places) {
        Ok(library) => Ok(library),
        // A wrong variable is a mistake to mend, not a wish for another library.
        Err(error @ NotFound::Variable(_)) => Err(error.into()),
        Err(NotFound::Nowhere { .. }) => Ok(install(places, pinned::Flavor::Cpu, progress)?),
    }
}

/// `1.31.1` of `libonnxruntime.so.1.31.1`.
fn version_in_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let version = name.strip_prefix("libonnxruntime.so.")?;
    version.split('.').all(|part| part.parse::<u32>().is_ok()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests;
