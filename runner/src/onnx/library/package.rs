//! The library inside an installed `onnxruntime` or `onnxruntime-gpu` package.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{
    Library, Source,
    python::{PythonError, run},
};

/// Finds the package without importing it: importing takes 160 ms and loads the library.
const QUESTION: &str = r#"
import glob, importlib.metadata as metadata, importlib.util as util, json, os
spec = util.find_spec("onnxruntime")
answer = {"paths": [], "package": None, "version": None}
if spec and spec.submodule_search_locations:
    for place in spec.submodule_search_locations:
        answer["paths"] += sorted(glob.glob(os.path.join(glob.escape(place), "capi", "libonnxruntime.so.*")))
    for package in ("onnxruntime-gpu", "onnxruntime"):
        try:
            answer["version"] = metadata.version(package)
            answer["package"] = package
            break
        except metadata.PackageNotFoundError:
            pass
print(json.dumps(answer))
"#;

#[derive(Deserialize)]
struct Answer {
    paths: Vec<PathBuf>,
    package: Option<String>,
    version: Option<String>,
}

/// Why Python has no library for us.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPackage {
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error("`{python}` has no onnxruntime package", python = .0.display())]
    Absent(PathBuf),
    #[error("the onnxruntime {version} package of `{python}` holds no shared library", python = .python.display())]
    NoLibrary { python: PathBuf, version: String },
}

pub(super) fn find(python: &Path) -> Result<Library, NoPackage> {
    let text = run(python, &["-c", QUESTION])?;
    let answer: Answer = serde_json::from_str(&text).map_err(|_| NoPackage::Absent(python.to_owned()))?;
    let Some(package) = answer.package else { return Err(NoPackage::Absent(python.to_owned())) };
    let Some(path) = answer.paths.into_iter().next() else {
        let version = answer.version.unwrap_or_default();
        return Err(NoPackage::NoLibrary { python: python.to_owned(), version });
    };
    Ok(Library { path, version: answer.version, source: Source::Python { package } })
}
