//! One model, opened on one execution provider, with proof of where its nodes ran.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::Path,
    str::FromStr,
};

use ort::{
    ep::{self, ExecutionProvider},
    logging::LogLevel,
    session::{
        HasSelectedOutputs, RunOptions, Session, SessionInputValue, SessionOutputs, builder::GraphOptimizationLevel,
    },
    value::{Shape, TensorElementType, ValueType},
};
use serde::Deserialize;
use tempfile::TempDir;

use super::{error::EvalError, inspect::ModelFile, limits, runtime::Runtime};

/// Where a model is to run. Demanding one means getting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Provider {
    #[default]
    Cpu,
    Cuda,
    /// NVIDIA's TensorRT; what it does not take runs on CUDA, and nothing on the CPU.
    Tensorrt,
}

impl Provider {
    pub fn is_gpu(self) -> bool {
        match self {
            Provider::Cpu => false,
            Provider::Cuda | Provider::Tensorrt => true,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Provider::Cpu => "cpu",
            Provider::Cuda => "cuda",
            Provider::Tensorrt => "tensorrt",
        })
    }
}

impl FromStr for Provider {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cpu" => Ok(Provider::Cpu),
            "cuda" => Ok(Provider::Cuda),
            "tensorrt" => Ok(Provider::Tensorrt),
            other => Err(format!("`{other}` is not a provider that Assay knows (cpu, cuda, tensorrt)")),
        }
    }
}

/// How to open a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOptions {
    pub provider: Provider,
    /// Index of the GPU.
    pub device: u32,
    /// Intra-op threads: they change the last bits of some models' outputs.
    pub threads: u32,
}

/// An input or output of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    pub name: String,
    /// None for what is no tensor (a sequence of maps).
    pub tensor: Option<TensorType>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TensorType {
    pub element: TensorElementType,
    /// Dimensions; none where any size goes. The first is the batch.
    pub shape: Vec<Option<usize>>,
    /// Names of the open dimensions, as the model gives them; may be empty.
    pub symbols: Vec<String>,
}

impl fmt::Display for Port {
    /// `X: float32 [N, 64]`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(tensor) = &self.tensor else { return write!(f, "{}: not a tensor", self.name) };
        let dimensions: Vec<String> = tensor
            .shape
            .iter()
            .zip(&tensor.symbols)
            .map(|(size, symbol)| match size {
                Some(size) => size.to_string(),
                None if symbol.is_empty() => "?".to_owned(),
                None => symbol.clone(),
            })
            .collect();
        write!(f, "{}: {} [{}]", self.name, element_name(tensor.element), dimensions.join(", "))
    }
}

/// NumPy's name of an element type.
pub fn element_name(element: TensorElementType) -> String {
    format!("{element:?}").to_lowercase()
}

/// An open model.
pub struct Model {
    session: Session,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// Holds the profile of the first run until it is read.
    profile: Option<TempDir>,
    nodes: BTreeMap<String, u64>,
}

impl Model {
    /// Opens a model that was looked at. Its first run is profiled, to know which provider ran its nodes.
    pub fn open(runtime: &Runtime, file: &ModelFile, options: &SessionOptions) -> Result<Self, EvalError> {
        Self::open_profiled(runtime, file, options, Profiled::First)
    }

    /// Opens a model in several sessions that answer side by side. The first of them is profiled.
    ///
    /// Each has weights of its own: ONNX Runtime shares those that it has brought into its own order
    /// (`PrepackedWeightsContainer`) only where they were given to it as initializers from outside the file.
    pub fn open_several(
        runtime: &Runtime,
        file: &ModelFile,
        options: &SessionOptions,
        sessions: u32,
    ) -> Result<Vec<Self>, EvalError> {
        limits::check_threads(options.threads.saturating_mul(sessions))?;
        let profiled = |session| if session == 0 { Profiled::First } else { Profiled::Never };
        let open = |session| Self::open_profiled(runtime, file, options, profiled(session));
        (0..sessions).map(open).collect()
    }

    fn open_profiled(
        runtime: &Runtime,
        file: &ModelFile,
        options: &SessionOptions,
        profiled: Profiled,
    ) -> Result<Self, EvalError> {
        limits::check_threads(options.threads)?;
        let path = file.path();
        let error = |message: String| EvalError::Model { path: path.to_owned(), message };
        let write_error = |source| EvalError::Write { path: std::env::temp_dir(), source };
        let profile = match profiled {
            Profiled::First => Some(tempfile::Builder::new().prefix("assay-profile-").tempdir().map_err(write_error)?),
            Profiled::Never => None,
        };
        demand(runtime, options.provider)?;
        let session = open(runtime, path, options, profile.as_ref().map(TempDir::path)).map_err(|e| match e {
            OpenError::Model(e) => error(model_message(&e)),
            OpenError::Provider(e) => unusable(options.provider, &e),
        })?;
        let (inputs, outputs) =
            (session.inputs().iter().map(port).collect(), session.outputs().iter().map(port).collect());
        Ok(Self { session, inputs, outputs, profile, nodes: BTreeMap::new() })
    }

    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Runs one batch: one value for each of [`Model::inputs`], in order.
    pub fn run<'s>(&'s mut self, inputs: &[SessionInputValue<'_>]) -> ort::Result<SessionOutputs<'s>> {
        self.session.run(inputs)
    }

    /// The same, into the memory of outputs that the options hold.
    pub(super) fn run_into<'r, 's: 'r>(
        &'s mut self,
        inputs: &[SessionInputValue<'_>],
        options: &'r RunOptions<HasSelectedOutputs>,
    ) -> ort::Result<SessionOutputs<'r>> {
        self.session.run_with_options(inputs, options)
    }

    /// Whether the profile is still to be ended.
    pub(super) fn is_profiled(&self) -> bool {
        self.profile.is_some()
    }

    /// Ends the profile, after the first run: profiling all of them would slow them down and fill the disk.
    /// Does nothing when called again.
    pub fn end_profile(&mut self) -> ort::Result<()> {
        if let Some(profile) = self.profile.take() {
            let file = self.session.end_profiling()?;
            let text = fs::read_to_string(file).unwrap_or_default();
            drop(profile);
            self.nodes = nodes_by_provider(&text);
        }
        Ok(())
    }

    /// For runs with bound inputs and outputs.
    pub(super) fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Execution provider → number of nodes that it ran; known after [`Model::end_profile`].
    pub fn nodes(&self) -> &BTreeMap<String, u64> {
        &self.nodes
    }
}

/// Whether a session's first run is profiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Profiled {
    First,
    Never,
}

enum OpenError {
    Provider(ort::Error),
    Model(ort::Error),
}

fn open(
    runtime: &Runtime,
    path: &Path,
    options: &SessionOptions,
    profile: Option<&Path>,
) -> Result<Session, OpenError> {
    let threads = options.threads as usize;
    let build = || -> ort::Result<_> {
        let builder = Session::builder(runtime.environment())?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?
            // What fails comes back as an error, which is told once and in our words.
            .with_log_level(LogLevel::Fatal)?;
        let builder = match profile {
            Some(directory) => builder.with_profiling(directory.join("profile"))?,
            None => builder,
        };
        Ok(match options.provider {
            Provider::Cpu => builder,
            // With these two a session runs on the GPU entirely or is not made at all.
            Provider::Cuda => builder.with_disable_cpu_fallback()?.with_execution_providers([cuda(options.device)])?,
            Provider::Tensorrt => builder
                .with_disable_cpu_fallback()?
                .with_execution_providers([tensorrt(options.device), cuda(options.device)])?,
        })
    };
    build().map_err(OpenError::Provider)?.commit_from_file(path).map_err(|e| {
        // The message of a session that would have had to fall back is about the provider, not the model.
        if e.message().contains("fallback to CPU EP has been explicitly disabled") {
            OpenError::Provider(e)
        } else {
            OpenError::Model(e)
        }
    })
}

/// Whether the CUDA provider starts on this machine; else why not and what mends it.
pub fn try_cuda(runtime: &Runtime, device: u32) -> Result<(), EvalError> {
    demand(runtime, Provider::Cuda)?;
    let attempt = || -> ort::Result<()> {
        Session::builder(runtime.environment())?.with_execution_providers([cuda(device)])?;
        Ok(())
    };
    attempt().map_err(|e| unusable(Provider::Cuda, &e))
}

fn cuda(device: u32) -> ep::ExecutionProviderDispatch {
    ep::CUDA::default().with_device_id(device.cast_signed()).build().error_on_failure()
}

fn tensorrt(device: u32) -> ep::ExecutionProviderDispatch {
    ep::TensorRT::default().with_device_id(device.cast_signed()).build().error_on_failure()
}

fn unusable(provider: Provider, error: &ort::Error) -> EvalError {
    EvalError::Provider(format!(
        "provider {provider} was demanded, and ONNX Runtime cannot use it here: {}; \
         `assay doctor --fix --cuda` installs the libraries, the driver must be on the machine",
        first_line(error.message())
    ))
}

/// A clear answer before ONNX Runtime's own, which is about a build or a file name.
fn demand(runtime: &Runtime, provider: Provider) -> Result<(), EvalError> {
    let (name, library) = match provider {
        Provider::Cpu => return Ok(()),
        Provider::Cuda => (ep::CUDA::NAME, "CUDA"),
        Provider::Tensorrt => (ep::TensorRT::NAME, "TensorRT"),
    };
    if runtime.providers().iter().any(|provider| provider == name) {
        runtime.preload_nvidia();
        return Ok(());
    }
    Err(EvalError::Provider(format!(
        "provider {provider} was demanded, but ONNX Runtime {} at {} was built without {library}; \
         `assay doctor --fix --cuda` installs the build that has it",
        runtime.version(),
        runtime.library().path.display()
    )))
}

/// ONNX Runtime's reason, in words about the file where it gives a code.
fn model_message(error: &ort::Error) -> String {
    let message = first_line(error.message());
    match error.code() {
        ort::ErrorCode::InvalidProtobuf => format!("it is not an ONNX model, or it is cut off ({message})"),
        _ => message,
    }
}

pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn port(outlet: &ort::value::Outlet) -> Port {
    let tensor = match outlet.dtype() {
        ValueType::Tensor { ty, shape, dimension_symbols } => Some(TensorType {
            element: *ty,
            shape: sizes(shape),
            symbols: dimension_symbols.iter().map(ToString::to_string).collect(),
        }),
        ValueType::Sequence(_) | ValueType::Map { .. } | ValueType::Optional(_) => None,
    };
    Port { name: outlet.name().to_owned(), tensor }
}

fn sizes(shape: &Shape) -> Vec<Option<usize>> {
    shape.iter().map(|size| usize::try_from(*size).ok()).collect()
}

/// Counts the graph's nodes by the provider that ran them, from ONNX Runtime's profile.
fn nodes_by_provider(profile: &str) -> BTreeMap<String, u64> {
    #[derive(Deserialize)]
    struct Event {
        cat: String,
        name: String,
        #[serde(default)]
        args: Arguments,
    }
    #[derive(Deserialize, Default)]
    struct Arguments {
        #[serde(default)]
        provider: Option<String>,
    }
    let events: Vec<Event> = serde_json::from_str(profile).unwrap_or_default();
    let nodes: BTreeSet<(String, String)> = events
        .into_iter()
        .filter(|event| event.cat == "Node")
        .filter_map(|event| {
            let provider = event.args.provider?;
            Some((provider, event.name.trim_end_matches("_kernel_time").to_owned()))
        })
        .collect();
    let mut counts = BTreeMap::new();
    for (provider, _) in nodes {
        *counts.entry(provider).or_default() += 1;
    }
    counts
}
