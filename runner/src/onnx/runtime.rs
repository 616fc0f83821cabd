//! ONNX Runtime, loaded. Once for the process: the library allows no second environment.

use std::{
    fmt,
    path::PathBuf,
    sync::{Mutex, Once, OnceLock},
};

use ort::{
    environment::Environment,
    ep::{self, ExecutionProvider},
};

use super::library::{self, FindError, Library, Places};

/// The loaded library with its one environment.
#[derive(Debug)]
pub struct Runtime {
    environment: Environment,
    library: Library,
    version: String,
    providers: Vec<String>,
}

/// `1.31.1 from Assay's cache (CPUExecutionProvider)  /…/libonnxruntime.so.1.31.1`
impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Library { path, source, .. } = &self.library;
        write!(f, "{} {source} ({})  {}", self.version, self.providers.join(", "), path.display())
    }
}

impl Runtime {
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    pub fn library(&self) -> &Library {
        &self.library
    }

    /// ONNX Runtime's version: `1.31.1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Execution providers that the library was built with. Whether one works on this machine shows
    /// only when a session asks for it.
    pub fn providers(&self) -> &[String] {
        &self.providers
    }

    /// Loads the CUDA and cuDNN libraries that lie where the system's loader does not look; once.
    pub fn preload_nvidia(&self) {
        static DONE: Once = Once::new();
        DONE.call_once(|| library::preload_nvidia(&self.library.path, |path| ort::util::preload_dylib(path)));
    }
}

/// Why a library that is there cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("ONNX Runtime at `{path}` cannot be loaded: {reason}", path = .path.display())]
    Load { path: PathBuf, reason: String },
    #[error("ONNX Runtime at `{path}` did not start: {reason}", path = .path.display())]
    Start { path: PathBuf, reason: String },
    #[error(transparent)]
    Find(#[from] FindError),
}

static RUNTIME: OnceLock<Runtime> = OnceLock::new();
/// Held while loading, so that two threads do not both try; a failure may be tried again.
static LOADING: Mutex<()> = Mutex::new(());

/// Finds, installs where needed, and loads ONNX Runtime; the same one at every call.
pub fn runtime(progress: &dyn Fn(&str)) -> Result<&'static Runtime, LoadError> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let library = library::locate_or_install(&Places::from_env(), progress)?;
    load(library)
}

/// Loads this library, or gives the one that the process has loaded already.
pub fn load(library: Library) -> Result<&'static Runtime, LoadError> {
    let _one_at_a_time = LOADING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    // `ort::init` would panic where the library is missing or too old; `init_from` does not.
    let builder = ort::init_from(&library.path)
        .map_err(|error| LoadError::Load { path: library.path.clone(), reason: reason(&error) })?;
    let environment = builder
        .with_telemetry(false)
        .build()
        .map_err(|error| LoadError::Start { path: library.path.clone(), reason: error.to_string() })?;
    let mut providers = vec![ep::CPU::NAME.to_owned()];
    if ep::CUDA::is_available().unwrap_or(false) {
        providers.insert(0, ep::CUDA::NAME.to_owned());
    }
    if ep::TensorRT::is_available().unwrap_or(false) {
        providers.insert(0, ep::TensorRT::NAME.to_owned());
    }
    // Builds of one's own may carry no version in their name; their build information names the branch.
    let version = library.version.clone().unwrap_or_else(|| ort::info().to_owned());
    Ok(RUNTIME.get_or_init(|| Runtime { environment, library, version, providers }))
}

/// The library's own words say only "dlopen failed"; the reason is in its source.
fn reason(error: &ort::LoadDynamicError) -> String {
    match error {
        ort::LoadDynamicError::Dlopen { error, .. } => {
            std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
        }
        other => other.to_string(),
    }
}
