//! A model that is being timed: its sessions, its inputs, and one block of queries.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ort::{
    memory::Allocator,
    session::{IoBinding, SessionInputValue},
    value::{DynValue, Tensor, TensorElementType},
};
use rand::{RngExt, rngs::StdRng};

use super::{
    BenchSettings,
    plan::{Scenario, generator},
};
use crate::onnx::{
    error::EvalError,
    inspect::ModelFile,
    runtime::Runtime,
    session::{Model, Port, SessionOptions, element_name, first_line},
};

/// One block: what each query took, and all of them together.
pub(super) struct Block {
    /// Milliseconds, in the order in which queries ended.
    pub latencies: Vec<f64>,
    pub wall: Duration,
    /// Samples that were answered.
    pub samples: u64,
}

/// Queries of one block.
pub(super) struct Load<'a> {
    /// Fewest.
    pub queries: u64,
    /// For [`Scenario::Server`]: when each arrives.
    pub arrivals: &'a [Duration],
    /// Beyond the fewest, queries are sent until this; not for [`Scenario::Server`].
    pub least: Duration,
    /// No further query is sent after this; at least one is.
    pub most: Duration,
}

/// Of one block and model: beyond it nobody learns more.
const MOST_QUERIES: u64 = 1_000_000;

impl Load<'_> {
    /// Whether the block is over before its `query`-th query, from 0.
    fn ends(&self, scenario: Scenario, query: u64, began: Instant) -> bool {
        let elapsed = began.elapsed();
        let enough = match scenario {
            Scenario::SingleStream | Scenario::Offline => elapsed >= self.least || query >= MOST_QUERIES,
            Scenario::Server => true,
        };
        (query >= self.queries && enough) || (query > 0 && elapsed > self.most)
    }
}

/// A session with inputs made for it.
struct Worker {
    model: Model,
    inputs: Vec<DynValue>,
    /// On a GPU: inputs that lie there already.
    binding: Option<IoBinding>,
}

/// A model, ready to be asked.
pub(super) struct Subject {
    pub file: ModelFile,
    pub load: Duration,
    workers: Vec<Worker>,
    scenario: Scenario,
    batch: u64,
}

impl Subject {
    /// Opens the model in as many sessions as are asked for, and makes inputs for it.
    pub(super) fn open(runtime: &Runtime, file: ModelFile, settings: &BenchSettings) -> Result<Self, EvalError> {
        let options =
            SessionOptions { provider: settings.provider, device: settings.device, threads: settings.threads };
        let batch = match settings.scenario {
            Scenario::Offline => settings.batch,
            Scenario::SingleStream | Scenario::Server => 1,
        };
        let before = Instant::now();
        let models = Model::open_several(runtime, &file, &options, settings.sessions)?;
        let load = before.elapsed();
        let mut workers = Vec::new();
        for model in models {
            let mut random = generator(settings.seed);
            let inputs = model
                .inputs()
                .iter()
                .map(|port| input(port, batch, &settings.inputs, &mut random))
                .collect::<Result<Vec<_>, _>>()?;
            workers.push(Worker { model, inputs, binding: None });
        }
        // A model with a batch size of its own is asked in that.
        let fixed = workers[0].model.inputs().first().and_then(|port| port.tensor.as_ref()?.shape.first().copied()?);
        let batch = fixed.unwrap_or(batch) as u64;
        let mut subject = Self { file, load, workers, scenario: settings.scenario, batch };
        for worker in &mut subject.workers {
            worker.answer().map_err(failed)?;
            worker.model.end_profile().map_err(failed)?;
            if settings.provider.is_gpu() {
                worker.bind().map_err(failed)?;
            }
        }
        Ok(subject)
    }

    /// Where the nodes ran.
    pub(super) fn nodes(&self) -> &BTreeMap<String, u64> {
        self.workers[0].model.nodes()
    }

    pub(super) fn signature(&self) -> String {
        let ports: Vec<String> = self.workers[0].model.inputs().iter().map(ToString::to_string).collect();
        ports.join("; ")
    }

    /// Asks without measuring: caches fill, clocks rise.
    pub(super) fn warm_up(&mut self, queries: u64, most: Duration) -> Result<(), EvalError> {
        let began = Instant::now();
        for worker in &mut self.workers {
            for _ in 0..queries {
                worker.answer().map_err(failed)?;
                if began.elapsed() > most {
                    break;
                }
            }
        }
        Ok(())
    }

    pub(super) fn run(&mut self, load: &Load<'_>) -> Result<Block, EvalError> {
        let began = Instant::now();
        let next = AtomicU64::new(0);
        let latencies = Mutex::new(Vec::with_capacity(load.queries as usize));
        let scenario = self.scenario;
        let work = |worker: &mut Worker| -> ort::Result<()> {
            let mut own = Vec::new();
            loop {
                let query = next.fetch_add(1, Ordering::Relaxed);
                if load.ends(scenario, query, began) {
                    break;
                }
                let from = match scenario {
                    Scenario::SingleStream | Scenario::Offline => Instant::now(),
                    Scenario::Server => {
                        let arrival = began + load.arrivals[query as usize];
                        wait_until(arrival);
                        arrival
                    }
                };
                worker.answer()?;
                own.push(from.elapsed().as_secs_f64() * 1e3);
            }
            latencies.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
            Ok(())
        };
        match &mut self.workers[..] {
            [only] => work(only),
            many => thread::scope(|scope| {
                let running: Vec<_> = many.iter_mut().map(|worker| scope.spawn(|| work(worker))).collect();
                running.into_iter().try_for_each(|one| one.join().expect("a worker does not panic"))
            }),
        }
        .map_err(failed)?;
        let wall = began.elapsed();
        let latencies = latencies.into_inner().unwrap_or_else(PoisonError::into_inner);
        let samples = latencies.len() as u64 * self.batch;
        Ok(Block { latencies, wall, samples })
    }
}

impl Worker {
    fn answer(&mut self) -> ort::Result<()> {
        match &self.binding {
            // Outputs are bound to the host's memory: when this returns, the answer is there.
            Some(binding) => self.model.session_mut().run_binding(binding).map(drop),
            None => {
                let views: Vec<SessionInputValue<'_>> = self.inputs.iter().map(Into::into).collect();
                self.model.run(&views).map(drop)
            }
        }
    }

    /// Copies the inputs to the device, once.
    fn bind(&mut self) -> ort::Result<()> {
        let mut binding = self.model.session_mut().create_binding()?;
        for (port, value) in self.model.inputs().iter().zip(&self.inputs) {
            binding.bind_input(&port.name, value)?;
        }
        let host = Allocator::default();
        for port in self.model.outputs() {
            binding.bind_output_to_device(&port.name, host.memory_info())?;
        }
        self.binding = Some(binding);
        Ok(())
    }
}

fn failed(error: ort::Error) -> EvalError {
    EvalError::Usage(format!(
        "ONNX Runtime failed on inputs made for the model's signature: {}",
        first_line(error.message())
    ))
}

/// Sleeps while there is time and spins for the rest: a sleep alone is late by a scheduler's tick.
fn wait_until(arrival: Instant) {
    const SPIN: Duration = Duration::from_micros(200);
    loop {
        let left = arrival.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        if left > SPIN {
            thread::sleep(left - SPIN);
        } else {
            std::hint::spin_loop();
        }
    }
}

/// A tensor for an input: uniform numbers from 0 to 1 and integers 0 and 1, which index any vocabulary.
fn input(
    port: &Port,
    batch: usize,
    shapes: &BTreeMap<String, Vec<usize>>,
    random: &mut StdRng,
) -> Result<DynValue, EvalError> {
    let Some(tensor) = &port.tensor else {
        return Err(EvalError::Usage(format!("the model's input `{}` is no tensor; Assay feeds tensors", port.name)));
    };
    let shape = match shapes.get(&port.name) {
        Some(shape) => shape.clone(),
        None => shape(port, &tensor.shape, batch)?,
    };
    let count = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    let count = count.filter(|count| *count <= 1 << 30).ok_or_else(|| {
        EvalError::Usage(format!("the model's input `{port}` would take more than a thousand million numbers"))
    })?;
    macro_rules! integers {
        ($kind:ty) => {
            Tensor::from_array((
                shape,
                (0..count).map(|_| <$kind>::from(random.random::<bool>())).collect::<Vec<$kind>>(),
            ))
            .map(Tensor::into_dyn)
        };
    }
    match tensor.element {
        TensorElementType::Float32 => {
            Tensor::from_array((shape, (0..count).map(|_| random.random::<f32>()).collect::<Vec<_>>()))
                .map(Tensor::into_dyn)
        }
        TensorElementType::Float64 => {
            Tensor::from_array((shape, (0..count).map(|_| random.random::<f64>()).collect::<Vec<_>>()))
                .map(Tensor::into_dyn)
        }
        TensorElementType::Int8 => integers!(i8),
        TensorElementType::Int16 => integers!(i16),
        TensorElementType::Int32 => integers!(i32),
        TensorElementType::Int64 => integers!(i64),
        TensorElementType::Uint8 => integers!(u8),
        TensorElementType::Uint16 => integers!(u16),
        TensorElementType::Uint32 => integers!(u32),
        TensorElementType::Uint64 => integers!(u64),
        TensorElementType::Bool => integers!(bool),
        other => {
            let element = element_name(other);
            return Err(EvalError::Usage(format!(
                "the model's input `{}` is of {element}, which Assay does not make up",
                port.name
            )));
        }
    }
    .map_err(failed)
}

/// The batch, then the sizes that the model fixes.
fn shape(port: &Port, sizes: &[Option<usize>], batch: usize) -> Result<Vec<usize>, EvalError> {
    let size = |(index, size): (usize, &Option<usize>)| match (index, size) {
        (_, Some(size)) => Some(*size),
        (0, None) => Some(batch),
        (_, None) => None,
    };
    sizes.iter().enumerate().map(size).collect::<Option<Vec<_>>>().ok_or_else(|| {
        EvalError::Usage(format!(
            "the model's input `{port}` has open dimensions beside the batch: say its shape, for example `--inputs {}=1x128`",
            port.name
        ))
    })
}

/// `NAME=1x3x224x224`
pub fn parse_shape(text: &str) -> Result<(String, Vec<usize>), String> {
    let wrong = || format!("`{text}` is no shape; write for example `image=1x3x224x224`");
    let (name, sizes) = text.split_once('=').ok_or_else(wrong)?;
    let sizes = sizes.split('x').map(|size| size.trim().parse().ok().filter(|size| *size > 0)).collect::<Option<_>>();
    Ok((name.trim().to_owned(), sizes.ok_or_else(wrong)?))
}
