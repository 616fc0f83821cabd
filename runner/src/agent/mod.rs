//! The runner of a fleet: claims jobs from a server and runs them in its slots.
//!
//! ```text
//! claim loop ──Claim──► one task per job: session (heartbeats, log, step reports) around job::execute
//!     ▲                                         │
//!     └───────────── slot and GPUs free ◄───────┘
//! ```
//!
//! The loop wakes for three reasons: a claim is answered, a slot is freed, or it is to stop. Nothing is
//! polled: the server holds a claim open until it has a job.

mod client;
mod gpus;
mod host;
mod lease;
mod log;
mod work;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use workflows::protocol::{Claim, ClaimRequest, Isolation, RunnerFacts, VERSION};

use self::{
    client::{Call, Client},
    gpus::GpuPool,
};
use crate::{
    facts,
    job::container::Engine,
    onnx::library::{self, Library},
    process::sandbox::Sandbox,
};

/// How long a claim may be held open, in seconds.
const WAIT_S: u32 = 30;
/// While a GPU is in use or unclean, the claim is asked anew sooner: it says which GPUs are free.
const WAIT_FOR_GPU_S: u32 = 5;
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a runner is told by whoever starts it.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// The server's base URL, without a trailing slash.
    pub server: String,
    pub token: String,
    /// Unique among the server's runners.
    pub name: String,
    /// Beside those that every machine has: `self-hosted`, `linux`, `x64`, …
    pub labels: Vec<String>,
    /// Jobs at the same time; at least 1.
    pub slots: u32,
    /// Jobs' directories are made here, and removed.
    pub work_dir: PathBuf,
    /// Mirrors of repositories and caches of jobs.
    pub cache_dir: PathBuf,
    /// The `assay` binary, for `assay eval` in a process of its own.
    pub assay: PathBuf,
    pub isolation: IsolationChoice,
    /// Stop after one job.
    pub once: bool,
    /// Stop after one job and remove what it left, caches included.
    pub ephemeral: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationChoice {
    /// Bubblewrap where a trial shows that it works.
    Auto,
    /// Steps run as the runner itself.
    None,
}

/// What all jobs of a runner share.
struct Runner {
    config: RunnerConfig,
    client: Client,
    /// None where none was found: evaluations then fail and say so.
    onnxruntime: Option<Library>,
    sandbox: Sandbox,
    engine: Option<Engine>,
    gpus: GpuPool,
    /// Whose jobs' directories are.
    name: work::Name,
    shutdown: CancellationToken,
}

/// Runs until `shutdown` is ready (or after one job, if so configured). Jobs that run then are given
/// back, their processes ended.
///
/// An error is one that waiting does not mend: the server refuses this runner, or a directory cannot
/// be made. A server out of reach is waited for.
pub async fn run(config: RunnerConfig, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    for directory in [&config.work_dir, &config.cache_dir] {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let config = RunnerConfig {
        work_dir: config.work_dir.canonicalize()?,
        cache_dir: config.cache_dir.canonicalize()?,
        slots: config.slots.max(1),
        ..config
    };
    let onnxruntime = tokio::task::spawn_blocking(|| library::locate(&library::Places::from_env())).await?;
    let onnxruntime = onnxruntime.inspect_err(|e| tracing::warn!("models cannot be evaluated: {e}")).ok();
    let sandbox = sandbox(&config, onnxruntime.as_ref()).await;
    let engine = Engine::find();
    let named = tokio::task::spawn_blocking({
        let work = config.work_dir.clone();
        move || work::Name::take(&work)
    });
    let (name, gone) = named.await?.with_context(|| format!("cannot lock {}", config.work_dir.display()))?;
    // Beside: a service that does not answer holds up no job that wants no container. Its containers go before the
    // directories that they write to.
    let (service, work) = (engine.clone(), config.work_dir.clone());
    tokio::spawn(async move {
        if let Some(engine) = service {
            engine.sweep(&work).await;
        }
        if !gone.is_empty() {
            tracing::info!(runners = gone.len(), "removing the directories that runners before this one left");
            tokio::task::spawn_blocking(move || drop(gone));
        }
    });
    let gpus = GpuPool::find();
    let ort = onnxruntime.as_ref().map(facts::onnxruntime);
    let facts = facts::runner_facts(
        &config.name,
        &config.labels,
        config.slots,
        sandbox.isolation(),
        gpus.facts().to_vec(),
        ort,
    );
    let client = Client::new(&config.server, &config.token)?;
    let stop = CancellationToken::new();
    let runner = Arc::new(Runner { config, client, onnxruntime, sandbox, engine, gpus, name, shutdown: stop.clone() });
    let signal = tokio::spawn({
        let stop = stop.clone();
        async move {
            shutdown.await;
            stop.cancel();
        }
    });
    let ended = claim_loop(&runner, &facts).await;
    // Also ends the jobs that still run where the loop ended by an error.
    stop.cancel();
    signal.abort();
    if runner.config.ephemeral {
        std::fs::remove_dir_all(&runner.config.cache_dir).ok();
    }
    ended
}

/// Tries what the configuration asks for, and says what came of it.
async fn sandbox(config: &RunnerConfig, onnxruntime: Option<&Library>) -> Sandbox {
    match config.isolation {
        IsolationChoice::None => Sandbox::None,
        IsolationChoice::Auto => {
            let needed = [Some(&config.assay), onnxruntime.map(|library| &library.path)];
            let readable: Vec<PathBuf> = needed.into_iter().flatten().filter(|path| path.exists()).cloned().collect();
            match Sandbox::detect(&config.work_dir, &readable).await {
                Ok(sandbox) => sandbox,
                Err(reason) => {
                    tracing::warn!("steps are not isolated: {reason}");
                    Sandbox::None
                }
            }
        }
    }
}

async fn claim_loop(runner: &Arc<Runner>, facts: &RunnerFacts) -> anyhow::Result<()> {
    let mut free: BTreeSet<u32> = (0..runner.config.slots).collect();
    let mut jobs: JoinSet<u32> = JoinSet::new();
    let mut pause = SHORTEST_PAUSE;
    let only_one = runner.config.once || runner.config.ephemeral;
    let ended = loop {
        while let Some(slot) = jobs.try_join_next() {
            free.insert(slot?);
        }
        let Some(slot) = free.first().copied() else {
            // Jobs end on their own when the runner is to stop.
            if let Some(slot) = jobs.join_next().await {
                free.insert(slot?);
            }
            continue;
        };
        let call = tokio::select! {
            biased;
            // A claim in flight is dropped: should the server just be granting it, that lease expires.
            () = runner.shutdown.cancelled() => break Ok(()),
            call = claim(runner, facts, &free) => call,
        };
        match call {
            Ok(Some(claim)) => {
                pause = SHORTEST_PAUSE;
                free.remove(&slot);
                let runner = runner.clone();
                jobs.spawn(async move {
                    lease::run(&runner, claim, slot).await;
                    slot
                });
                if only_one {
                    break Ok(());
                }
            }
            Ok(None) => pause = SHORTEST_PAUSE,
            Err(Call::Refused(refusal)) => break Err(anyhow::anyhow!("the server refuses this runner: {refusal}")),
            Err(Call::Stale) => break Err(anyhow::anyhow!("the server answers a claim with 410")),
            Err(Call::Failed(e)) => {
                tracing::warn!("the server cannot be reached, trying again in {pause:?}: {e:#}");
                tokio::select! {
                    () = runner.shutdown.cancelled() => {}
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    };
    while let Some(job) = jobs.join_next().await {
        if let Err(e) = job {
            bail!("a job's task failed: {e}");
        }
    }
    ended
}

async fn claim(runner: &Runner, facts: &RunnerFacts, free: &BTreeSet<u32>) -> Result<Option<Claim>, Call> {
    let (free_gpus, all_free) = runner.gpus.free().await;
    let wait_s = if all_free { WAIT_S } else { WAIT_FOR_GPU_S };
    let free_slots = u32::try_from(free.len()).unwrap_or(u32::MAX);
    let request = ClaimRequest { version: VERSION, runner: facts.clone(), free_slots, free_gpus, wait_s };
    runner.client.claim(&request).await
}

/// A sentence on the isolation, for a job's log.
fn isolation_line(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Bubblewrap => "isolated by bubblewrap",
        Isolation::None => "not isolated",
    }
}
