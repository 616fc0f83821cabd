//! How fast a model is: MLPerf's scenarios on one device, head and base in turns.
//!
//! ```text
//! open, warm up ─► for each pair of blocks: who goes first? ─► block, block ─► disturbed? again, a bounded number of times
//!               ─► percentiles over all queries, where they are enough; each block's own for the gate
//! ```
//!
//! [`plan`] decides what is asked when, `latency` what may be claimed of it, `device` what disturbed it:
//! all three without a clock or a model. `subject` asks.

mod device;
mod latency;
pub mod plan;
mod subject;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use sha2::{Digest as _, Sha256};
use workflows::{
    evaluation::{Benchmark, Beside, Evaluation, FileFacts, ProviderFacts, Timing},
    ids::Digest,
};

use self::{
    device::{Watch, disturbances, peak_memory_bytes},
    latency::{claims, of_block, thinned},
    plan::{Scenario, arrivals, generator, order, split},
    subject::{Block, Load, Subject},
};
pub use self::{latency::fewest_queries, subject::parse_shape};
use super::{EvalError, Provider, facts::device_name, inspect::ModelFile, runtime::Runtime};

/// What to time, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchSettings {
    pub name: String,
    pub model: PathBuf,
    /// The model that it is compared with.
    pub against: Option<PathBuf>,
    pub scenario: Scenario,
    pub provider: Provider,
    /// Index of the GPU, of those that the process may see.
    pub device: u32,
    /// Samples of one query of [`Scenario::Offline`].
    pub batch: usize,
    /// Intra-op threads of one session.
    pub threads: u32,
    /// Sessions that answer side by side; for [`Scenario::Offline`] and [`Scenario::Server`].
    pub sessions: u32,
    /// Fewest queries of each model, over all blocks.
    pub queries: u64,
    /// Blocks of each model.
    pub blocks: u32,
    /// Queries of each model before the first block.
    pub warmup: u64,
    /// A block takes at least this long, with more queries where the model is fast; not for
    /// [`Scenario::Server`], whose queries are counted.
    pub least_block: Duration,
    /// No further query is sent to a model that has had this much time.
    pub duration: Duration,
    /// The percentile that must be claimed, of 100: too few queries for it are refused.
    pub percentile: Option<f64>,
    /// Queries a second, for [`Scenario::Server`].
    pub rate: Option<f64>,
    /// Shapes of inputs, where the model leaves them open.
    pub inputs: BTreeMap<String, Vec<usize>>,
    pub seed: u64,
}

/// MLPerf's fewest queries for SingleStream.
pub const DEFAULT_QUERIES: u64 = 1024;
/// Enough for a signed-rank test to tell 1 % at its usual errors where blocks vary by 2 %.
pub const DEFAULT_BLOCKS: u32 = 24;
pub const DEFAULT_WARMUP: u64 = 100;
pub const DEFAULT_DURATION: Duration = Duration::from_secs(30);

/// A tenth of a second: shorter, and the kernel's clock ticks do not tell what else the processors did.
pub const DEFAULT_LEAST_BLOCK: Duration = Duration::from_millis(100);

/// Latencies that travel with the report, whose record in the store is small: enough to judge a bound on p99.
const MOST_KEPT: usize = 800;
/// Warming up takes at most this share of the time.
const WARMUP_SHARE: u32 = 4;

impl BenchSettings {
    /// The defaults around what must be said.
    pub fn new(model: impl Into<PathBuf>) -> Self {
        Self {
            name: "bench".to_owned(),
            model: model.into(),
            against: None,
            scenario: Scenario::SingleStream,
            provider: Provider::Cpu,
            device: 0,
            batch: super::evaluate::DEFAULT_BATCH,
            threads: 1,
            sessions: 1,
            queries: DEFAULT_QUERIES,
            blocks: DEFAULT_BLOCKS,
            warmup: DEFAULT_WARMUP,
            least_block: DEFAULT_LEAST_BLOCK,
            duration: DEFAULT_DURATION,
            percentile: None,
            rate: None,
            inputs: BTreeMap::new(),
            seed: 1,
        }
    }

    fn check(&self) -> Result<(), EvalError> {
        let refused = |message: String| Err(EvalError::Usage(message));
        if self.queries == 0 || self.blocks == 0 || self.batch == 0 || self.sessions == 0 || self.sessions > 256 {
            return refused("queries, blocks, batch and sessions must be at least 1 (sessions at most 256)".to_owned());
        }
        if self.queries < u64::from(self.blocks) {
            return refused(format!("{} queries cannot fill {} blocks", self.queries, self.blocks));
        }
        if self.scenario == Scenario::SingleStream && self.sessions > 1 {
            return refused("single-stream has one query at a time: sessions must be 1".to_owned());
        }
        match (self.scenario, self.rate) {
            (Scenario::Server, Some(rate)) if rate > 0.0 && rate.is_finite() => {}
            (Scenario::Server, _) => return refused("the server scenario needs a `rate`: queries a second".to_owned()),
            (Scenario::SingleStream | Scenario::Offline, Some(_)) => {
                return refused(format!("`rate` is the server scenario's; {} has none", self.scenario));
            }
            (Scenario::SingleStream | Scenario::Offline, None) => {}
        }
        if let Some(percentile) = self.percentile {
            if !(50.0..100.0).contains(&percentile) {
                return refused(format!("a percentile is from 50 to below 100, not {percentile}"));
            }
            self.enough(percentile, self.queries)?;
        }
        Ok(())
    }

    fn enough(&self, percentile: f64, queries: u64) -> Result<(), EvalError> {
        let fewest = fewest_queries(percentile / 100.0);
        if queries >= fewest {
            return Ok(());
        }
        Err(EvalError::Usage(format!(
            "p{percentile} cannot be claimed from {queries} queries: at 99 % confidence it takes {fewest}"
        )))
    }
}

/// A model's blocks so far.
struct Side {
    subject: Subject,
    blocks: Vec<Block>,
}

impl Side {
    fn run(&mut self, load: &Load<'_>, watch: &Watch, times: &mut Again) -> Result<Block, EvalError> {
        loop {
            let before = watch.look();
            let block = self.subject.run(load)?;
            let found = disturbances(&before, &watch.look());
            if !times.again(&found) {
                return Ok(block);
            }
        }
    }
}

/// How often a disturbed block is repeated: one for each block that was to be, in all.
struct Again {
    left: u32,
    repeated: u32,
    /// Blocks that stayed disturbed, by what disturbed them.
    stayed: Vec<String>,
}

impl Again {
    fn again(&mut self, disturbances: &[String]) -> bool {
        match disturbances {
            [] => false,
            _ if self.left > 0 => {
                self.left -= 1;
                self.repeated += 1;
                true
            }
            found => {
                self.stayed.extend_from_slice(found);
                false
            }
        }
    }

    /// A few sentences for the report.
    fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        if self.repeated > 0 {
            told.push(format!("{} blocks were disturbed and repeated", self.repeated));
        }
        if let Some(last) = self.stayed.last() {
            told.push(format!("{} blocks stayed disturbed; the last because {last}", self.stayed.len()));
        }
        told
    }
}

/// Times a model; with `against`, that one as well, in turns.
pub fn bench(runtime: &Runtime, settings: &BenchSettings) -> Result<Evaluation, EvalError> {
    settings.check()?;
    let watch = Watch::new(settings.provider.is_gpu().then_some(settings.device));
    let open = |path: &PathBuf| -> Result<Side, EvalError> {
        let subject = Subject::open(runtime, ModelFile::examine(path)?, settings)?;
        Ok(Side { subject, blocks: Vec::new() })
    };
    let mut head = open(&settings.model)?;
    let mut base = settings.against.as_ref().map(open).transpose()?;
    for side in [Some(&mut head), base.as_mut()].into_iter().flatten() {
        side.subject.warm_up(settings.warmup, settings.duration / WARMUP_SHARE)?;
    }
    let mut random = generator(settings.seed);
    let mut again = Again { left: settings.blocks, repeated: 0, stayed: Vec::new() };
    for queries in split(settings.queries, settings.blocks) {
        // Both answer the same queries at the same times.
        let arrivals = settings.rate.map(|rate| arrivals(&mut random, rate, queries)).unwrap_or_default();
        let most = settings.duration / settings.blocks;
        let load = Load { queries, arrivals: &arrivals, least: settings.least_block.min(most), most };
        for subject in order(&mut random, base.is_some()) {
            let side = match (subject, &mut base) {
                (plan::Subject::Base, Some(base)) => base,
                (plan::Subject::Base | plan::Subject::Head, _) => &mut head,
            };
            let block = side.run(&load, &watch, &mut again)?;
            side.blocks.push(block);
        }
    }
    let device_memory = watch.look().gpu.and_then(|gpu| gpu.memory_bytes);
    let report = |side: &Side| evaluation(runtime, settings, side, device_memory, again.told());
    let mut evaluation = report(&head)?;
    if let Some(base) = &base {
        let mut base = report(base)?;
        // A fixed limit is put to the head alone.
        base.benchmark.iter_mut().for_each(|benchmark| benchmark.samples.clear());
        evaluation.beside = Some(Box::new(Beside { sha: None, evaluation: base }));
    }
    Ok(evaluation)
}

fn evaluation(
    runtime: &Runtime,
    settings: &BenchSettings,
    side: &Side,
    device_memory: Option<u64>,
    disturbances: Vec<String>,
) -> Result<Evaluation, EvalError> {
    let latencies: Vec<f64> = side.blocks.iter().flat_map(|block| block.latencies.iter().copied()).collect();
    if let Some(percentile) = settings.percentile {
        settings.enough(percentile, latencies.len() as u64)?;
    }
    let throughput = |samples: u64, wall: Duration| samples as f64 / wall.as_secs_f64().max(f64::MIN_POSITIVE);
    let mut blocks: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for block in &side.blocks {
        let throughput = throughput(block.samples, block.wall);
        for (metric, value) in of_block(&block.latencies).into_iter().chain([("throughput".to_owned(), throughput)]) {
            blocks.entry(metric).or_default().extend(thinned(&[value], 1));
        }
    }
    // A metric that some blocks were too short for cannot be paired.
    blocks.retain(|_, values| values.len() == side.blocks.len());
    let wall: Duration = side.blocks.iter().map(|block| block.wall).sum();
    let samples: u64 = side.blocks.iter().map(|block| block.samples).sum();
    let file = side.subject.file.facts();
    let mut metrics = claims(&latencies);
    metrics.insert("throughput".to_owned(), throughput(samples, wall));
    metrics.insert("model_bytes".to_owned(), file.bytes as f64);
    let memory = [("process_memory_bytes", peak_memory_bytes()), ("device_memory_bytes", device_memory)];
    metrics.extend(memory.into_iter().filter_map(|(name, bytes)| Some((name.to_owned(), bytes? as f64))));
    // What is asked stands for the data set: like is compared with like.
    let asked = format!(
        "{} of {}; batch {}, {} sessions, rate {:?}, seed {}, shapes {:?}",
        settings.scenario,
        side.subject.signature(),
        settings.batch,
        settings.sessions,
        settings.rate,
        settings.seed,
        settings.inputs
    );
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    Ok(Evaluation {
        name: settings.name.clone(),
        task: format!("benchmark {}", settings.scenario),
        n: latencies.len() as u64,
        metrics,
        per_class: BTreeMap::new(),
        confusion: BTreeMap::new(),
        slices: BTreeMap::new(),
        model: file.clone(),
        dataset: FileFacts {
            path: "made up from the model's signature".to_owned(),
            digest: Digest::from_sha256(Sha256::digest(asked).into()),
            bytes: 0,
        },
        provider: ProviderFacts {
            requested: settings.provider.to_string(),
            nodes: side.subject.nodes().clone(),
            device: device_name(settings.provider, settings.device),
            version: runtime.version().to_owned(),
            threads: settings.threads,
        },
        timing: Timing {
            load_ms: milliseconds(side.subject.load),
            run_ms: milliseconds(wall),
            answer_ms: milliseconds(wall),
            total_ms: milliseconds(side.subject.load + wall),
        },
        cached: false,
        outcomes: None,
        benchmark: Some(Benchmark {
            scenario: settings.scenario.to_string(),
            blocks,
            samples: BTreeMap::from([("latency".to_owned(), thinned(&latencies, MOST_KEPT))]),
            disturbances,
        }),
        beside: None,
        self_check: None,
    })
}

#[cfg(test)]
mod tests;
