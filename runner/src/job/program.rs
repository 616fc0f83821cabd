//! Running one program of a step: its output to the log, its use of the machine to telemetry, and its
//! end when it must.

use std::path::PathBuf;

use anyhow::Context;
use rustix::process::Signal;
use tokio::time::Instant;

use super::{
    Job,
    container::Reach,
    stop::{Limits, Why},
    usage,
};
use crate::{
    onnx::library,
    process::{
        Event, Invocation, Running, exit_code,
        ladder::Ladder,
        sandbox::{Place, Sandbox},
    },
};

/// A captured output that is longer is cut.
const LARGEST_CAPTURE: usize = 32 << 20;

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Exited(i32),
    /// It was made to.
    Stopped(Why),
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ran {
    pub ended: Ended,
    /// Standard output, where it was to be captured.
    pub captured: Vec<u8>,
    /// The end of what went to the log.
    pub tail: String,
}

/// Where a program runs.
pub(crate) enum Whereabouts {
    /// Under the step's sandbox.
    Sandbox,
    /// It is the client of a container engine, which has the runner's own rights.
    Engine,
    /// As that, for a step in the job's container.
    Container(Reach),
}

/// Runs a program of the job's.
pub(crate) async fn run(
    job: &mut Job<'_>,
    invocation: &Invocation,
    limits: &Limits,
    whereabouts: &Whereabouts,
) -> anyhow::Result<Ran> {
    let writable = job.directories.writable();
    let readable = readable(job);
    let place = Place {
        sandbox: match whereabouts {
            Whereabouts::Sandbox => &job.env.sandbox,
            Whereabouts::Engine | Whereabouts::Container(_) => &Sandbox::None,
        },
        slot: job.env.slot,
        writable: &writable,
        readable: &readable,
        gpus: &job.env.gpus,
    };
    let mut running = Running::start(&place, invocation)?;
    let began = Instant::now();
    let mut ladder = Ladder::default();
    let mut why = None;
    let mut captured = Vec::new();
    let mut tail = Vec::new();
    let mut next_sample = began + usage::pause(began.elapsed());
    job.usage.restart();
    let status = loop {
        tokio::select! {
            biased;
            signal = ladder.next() => {
                match whereabouts {
                    Whereabouts::Container(reach) if signal != Signal::KILL => reach.signal(signal),
                    Whereabouts::Container(reach) => {
                        reach.signal(signal);
                        running.signal(signal);
                    }
                    Whereabouts::Sandbox | Whereabouts::Engine => running.signal(signal),
                }
            }
            reached = limits.reached(), if !ladder.has_begun() => {
                why = Some(reached);
                ladder.begin();
            }
            () = tokio::time::sleep_until(next_sample) => {
                let (monitor, gpus) = (job.env.monitor.clone(), job.env.gpus.clone());
                // The engine's service starts what runs in a container: it hangs elsewhere in the tree.
                let mark = matches!(whereabouts, Whereabouts::Container(_)).then(|| job.directories.tracking_id.clone());
                if let Some(sample) = job.usage.sample(running.pid(), mark, monitor, gpus).await {
                    job.host.telemetry(sample);
                }
                next_sample = Instant::now() + usage::pause(began.elapsed());
            }
            event = running.next() => match event.context("the step's output cannot be read")? {
                Event::Output(bytes) => {
                    keep_tail(&mut tail, &bytes);
                    job.log.output(&bytes).await;
                }
                Event::Captured(bytes) => {
                    let room = LARGEST_CAPTURE.saturating_sub(captured.len());
                    captured.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                Event::Exited(status) => break status,
            }
        }
    };
    if why.is_some() {
        running.end_group();
        if let Whereabouts::Container(reach) = whereabouts {
            reach.signal(Signal::KILL);
        }
    }
    job.log.end_output().await;
    let leftovers = running.into_leftovers();
    if !leftovers.is_closed() {
        // Ends with the processes that hold it, at the latest at the job's end.
        tokio::spawn(leftovers.drain());
    }
    let ended = why.map_or_else(|| Ended::Exited(exit_code(status)), Ended::Stopped);
    Ok(Ran { ended, captured, tail: String::from_utf8_lossy(&tail).into_owned() })
}

/// What evaluations need to see: the binary itself, and ONNX Runtime with its provider and NVIDIA libraries.
fn readable(job: &Job<'_>) -> Vec<PathBuf> {
    let libraries = job.env.onnxruntime.as_deref().map(library::nvidia_directories).unwrap_or_default();
    let paths = [job.env.assay.clone()].into_iter().chain(libraries);
    paths.filter(|path| path.is_absolute() && path.exists()).collect()
}

fn keep_tail(tail: &mut Vec<u8>, bytes: &[u8]) {
    const KEPT: usize = 4096;
    tail.extend_from_slice(&bytes[bytes.len().saturating_sub(KEPT)..]);
    let excess = tail.len().saturating_sub(KEPT);
    tail.drain(..excess);
}
