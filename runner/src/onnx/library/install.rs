//! Installing the pinned library from the Python package index into Assay's cache.
//!
//! `pip download` fetches the wheel, so that proxies, mirrors and certificates are as the machine's
//! owner set them for pip. The wheel is unpacked in a directory of its own beside the final one and
//! renamed into place: another process sees nothing or everything. A lock makes processes that
//! start together download once.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest as _, Sha256};

use super::{
    Library, Places, Source, pinned,
    pinned::{Flavor, VERSION, Wheel},
    python::{self, Python, PythonError},
};

/// Why the library could not be installed, with what mends it.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error(
        "the Python package index has no ONNX Runtime {VERSION} for {os} on {arch}; set ORT_DYLIB_PATH to a libonnxruntime of your own (1.23 or newer)"
    )]
    Platform { os: &'static str, arch: &'static str },
    #[error(
        "to install ONNX Runtime, Assay needs Python 3 with pip: {0}; or set ORT_DYLIB_PATH to a libonnxruntime of your own"
    )]
    Python(#[from] PythonError),
    #[error("to install ONNX Runtime, Assay needs pip, and `{python} -m pip` does not run (Debian, Ubuntu: `apt-get install python3-pip`; elsewhere `{python} -m ensurepip`)", python = .0.display())]
    NoPip(PathBuf),
    #[error("`pip download {package}=={VERSION}` failed: {stderr}")]
    Download { package: &'static str, stderr: String },
    #[error(
        "the wheel {file} has SHA-256 {found}, not the pinned {expected}: it is not the one that Assay was tested with"
    )]
    WrongDigest { file: String, expected: &'static str, found: String },
    #[error("the wheel {file} could not be unpacked: {reason}")]
    Wheel { file: String, reason: String },
    #[error("cannot write to the cache {path} (ASSAY_CACHE sets another)", path = .path.display())]
    Cache { path: PathBuf, source: io::Error },
}

/// Downloads the pinned wheel, checks its digest and unpacks its libraries into the cache. Gives the
/// cached one where it is there already. `progress` is told what happens, a line at a time.
pub fn install(places: &Places, flavor: Flavor, progress: &dyn Fn(&str)) -> Result<Library, InstallError> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let wheel = pinned::wheel(flavor, os, arch).ok_or(InstallError::Platform { os, arch })?;
    let directory = pinned::directory(&places.cache, flavor);
    let path = directory.join(pinned::library_name());
    let found = |source| Library { path: path.clone(), version: Some(VERSION.to_owned()), source };
    if path.is_file() {
        return Ok(found(Source::Cache));
    }

    let parent = directory.parent().expect("joined from the cache's path").to_owned();
    let cache_error = |source| InstallError::Cache { path: parent.clone(), source };
    fs::create_dir_all(&parent).map_err(cache_error)?;
    let lock = File::create(parent.join(".lock")).map_err(cache_error)?;
    lock.lock().map_err(cache_error)?;
    if path.is_file() {
        return Ok(found(Source::Cache));
    }

    let python = Python::probe(&places.python)?;
    if python.pip.is_none() {
        return Err(InstallError::NoPip(python.command));
    }
    let work = tempfile::Builder::new().prefix(".install-").tempdir_in(&parent).map_err(cache_error)?;
    progress(&format!("downloading ONNX Runtime {VERSION} ({}) with pip", wheel.package));
    let file = download(&python, &wheel, work.path())?;
    let unpacked = work.path().join("unpacked");
    fs::create_dir(&unpacked).map_err(cache_error)?;
    unpack(&file, &unpacked)?;
    if flavor == Flavor::Cuda {
        progress("downloading NVIDIA's CUDA 13 and cuDNN 9 libraries with pip (1.3 GB)");
        let wheels = work.path().join("nvidia");
        for file in download_cuda(&python, &wheel, &wheels)? {
            unpack(&file, &unpacked)?;
        }
    }
    match fs::rename(&unpacked, &directory) {
        Ok(()) => {}
        // On a file system whose locks do not work another process may have been quicker.
        Err(_) if path.is_file() => {}
        Err(error) => return Err(cache_error(error)),
    }
    progress(&format!("installed {}", path.display()));
    Ok(found(Source::Installed))
}

/// The wheel as a file, its digest checked.
fn download(python: &Python, wheel: &Wheel, into: &Path) -> Result<PathBuf, InstallError> {
    let requirement = format!("{}=={VERSION}", wheel.package);
    pip_download(python, wheel, into, &["--no-deps", &requirement])?;
    let [file] = &wheels_in(into)?[..] else {
        let reason = "pip reported success and left no single wheel".to_owned();
        return Err(InstallError::Wheel { file: requirement, reason });
    };
    let unreadable = |e: io::Error| InstallError::Wheel { file: name_of(file), reason: e.to_string() };
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(file).map_err(unreadable)?, &mut hasher).map_err(unreadable)?;
    let digest = hex::encode(hasher.finalize());
    if digest != wheel.sha256 {
        return Err(InstallError::WrongDigest { file: name_of(file), expected: wheel.sha256, found: digest });
    }
    Ok(file.clone())
}

/// The NVIDIA wheels that the package's own metadata asks for.
fn download_cuda(python: &Python, wheel: &Wheel, into: &Path) -> Result<Vec<PathBuf>, InstallError> {
    let requirement = format!("{}[cuda,cudnn]=={VERSION}", wheel.package);
    let near = into.parent().expect("joined from the work directory").display().to_string();
    pip_download(python, wheel, into, &["--find-links", &near, &requirement])?;
    Ok(wheels_in(into)?.into_iter().filter(|file| name_of(file).starts_with("nvidia_")).collect())
}

fn pip_download(python: &Python, wheel: &Wheel, into: &Path, what: &[&str]) -> Result<(), InstallError> {
    let output = Command::new(&python.command)
        .args(["-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--only-binary=:all:"])
        .args(["--implementation", "cp", "--python-version", "311"])
        .args(wheel.platforms.iter().flat_map(|platform| ["--platform", platform]))
        .arg("--dest")
        .arg(into)
        .args(what)
        .output()
        .map_err(|source| PythonError::Start { command: python.command.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = python::last_lines(&String::from_utf8_lossy(&output.stderr), 3);
    Err(InstallError::Download { package: wheel.package, stderr })
}

fn wheels_in(directory: &Path) -> Result<Vec<PathBuf>, InstallError> {
    let error = |source| InstallError::Cache { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Unpacks the shared libraries of a wheel, flat: ONNX Runtime looks for its providers beside itself.
fn unpack(wheel: &Path, into: &Path) -> Result<(), InstallError> {
    let error = |reason: String| InstallError::Wheel { file: name_of(wheel), reason };
    let file = File::open(wheel).map_err(|e| error(e.to_string()))?;
    let mut archive = zip::ZipArchive::new(file).map_err(|e| error(e.to_string()))?;
    let mut count = 0;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|e| error(e.to_string()))?;
        // The last component alone is used as a name, so no entry can leave the directory.
        let name = entry.name().map_err(|e| error(e.to_string()))?.into_owned();
        let name = name.rsplit('/').next().unwrap_or_default();
        if entry.is_dir() || !name.starts_with("lib") || !name.contains(".so") {
            continue;
        }
        let mut out = File::create(into.join(name)).map_err(|e| error(e.to_string()))?;
        io::copy(&mut entry, &mut out).map_err(|e| error(format!("{name}: {e}")))?;
        out.sync_all().map_err(|e| error(format!("{name}: {e}")))?;
        count += 1;
    }
    if count == 0 { Err(error("it holds no shared library".to_owned())) } else { Ok(()) }
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
