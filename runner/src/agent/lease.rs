//! One job under its lease: run, kept alive, told about, and given up when it must be.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use workflows::protocol::{Claim, Finished, Heartbeat, JobResult, Lease, Report, StepReport};

use super::{Runner, client::Call, host::FleetHost, isolation_line, log};
use crate::job::{self, JobEnvironment, host::JobHost};

/// Between two heartbeats at most: cancellation comes with their answers.
const LONGEST_BEAT: Duration = Duration::from_secs(5);
/// Changes of steps within this time are told together: a trivial job has one report, its last.
const REPORT_LINGER: Duration = Duration::from_millis(100);
/// A runner that is stopping tries so long to give its jobs back.
const GIVE_BACK: Duration = Duration::from_secs(5);

/// Whether the lease is lost: another runner has the job, and this one must be silent about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Loss(CancellationToken);

impl Loss {
    pub(super) fn lose(&self) {
        self.0.cancel();
    }

    pub(super) async fn lost(&self) {
        self.0.cancelled().await;
    }
}

/// Runs a claimed job in a slot until it is told, lost or given back.
pub(super) async fn run(runner: &Runner, claim: Claim, slot: u32) {
    let Claim { lease, job: spec } = claim;
    let client = runner.client.lease(&lease);
    let loss = Loss::default();
    let log = log::start(client.clone(), loss.clone());
    let host = Arc::new(FleetHost {
        client,
        log,
        steps: watch::Sender::new(Vec::new()),
        telemetry: Default::default(),
        cancel_reason: Default::default(),
        cache: runner.config.cache_dir.clone(),
    });
    if let Err(reason) = runner.gpus.lease(&lease.gpus).await {
        tracing::warn!(job = %spec.key, "given back: {reason}");
        give_back(&host, reason).await;
        return;
    }
    let cancel = CancellationToken::new();
    let beats = tokio::spawn(keep_alive(host.clone(), lease.clone(), cancel.clone(), loss.clone()));
    let reports = tokio::spawn(report_steps(host.clone(), loss.clone()));
    let environment = environment(runner, &lease, slot);
    let isolation = environment.sandbox.isolation();
    let first =
        format!("Runner {} · {} · {}\n", runner.config.name, isolation_line(isolation), crate::facts::cpu_name());
    let run = async {
        host.log(Bytes::from(first)).await;
        let result = job::execute(&spec, &*host, &environment, cancel).await;
        host.log.flush().await;
        result
    };
    tracing::info!(repo = %spec.repo, run = spec.run_number, job = %spec.key, "started");
    // Whichever branch ends first drops the job's future, which ends its processes.
    let ended = tokio::select! {
        biased;
        () = loss.lost() => Ended::Lost,
        () = runner.shutdown.cancelled() => Ended::Stopping,
        result = run => Ended::Concluded(Box::new(result)),
    };
    reports.abort();
    match ended {
        Ended::Concluded(result) => {
            tracing::info!(job = %spec.key, conclusion = %result.conclusion, "finished");
            conclude(&host, result, &loss).await;
        }
        Ended::Stopping => give_back(&host, "the runner is being stopped".to_owned()).await,
        Ended::Lost => tracing::warn!(job = %spec.key, "the lease is lost: the job was stopped"),
    }
    beats.abort();
    runner.gpus.release(&lease.gpus).await;
    let directory = environment.directory;
    // The slot is free for the next job already; this one has a directory of its own.
    tokio::task::spawn_blocking(move || remove(&directory));
}

enum Ended {
    Concluded(Box<JobResult>),
    /// The runner is.
    Stopping,
    Lost,
}

fn environment(runner: &Runner, lease: &Lease, slot: u32) -> JobEnvironment {
    JobEnvironment {
        directory: runner.name.next_job(),
        cache: runner.config.cache_dir.clone(),
        sandbox: runner.sandbox.clone(),
        engine: runner.engine.clone(),
        slot,
        gpus: lease.gpus.clone(),
        monitor: runner.gpus.monitor(),
        assay: runner.config.assay.clone(),
        onnxruntime: runner.onnxruntime.as_ref().map(|library| library.path.clone()),
        runner_name: runner.config.name.clone(),
    }
}

fn remove(directory: &std::path::Path) {
    if let Err(e) = std::fs::remove_dir_all(directory)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!("{} cannot be removed: {e}", directory.display());
    }
}

/// Renews the lease; hears of cancellation. A lease that could not be renewed in its time is lost.
async fn keep_alive(host: Arc<FleetHost>, lease: Lease, cancel: CancellationToken, loss: Loss) {
    let ttl = Duration::from_secs(u64::from(lease.ttl_s.max(1)));
    let mut expires = Instant::now() + ttl;
    let mut pause = (ttl / 3).min(LONGEST_BEAT);
    loop {
        tokio::time::sleep(pause).await;
        let telemetry = host.take_telemetry();
        let heartbeat = Heartbeat { telemetry };
        // Its time is counted from before the request: the server counts from after it.
        let asked = Instant::now();
        let reply = tokio::time::timeout_at(expires, host.client.heartbeat(&heartbeat)).await;
        match reply {
            Ok(Ok(reply)) => {
                expires = asked + ttl;
                pause = (ttl / 3).min(LONGEST_BEAT);
                if let Some(reason) = reply.cancel {
                    *host.cancel_reason.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(reason);
                    cancel.cancel();
                }
            }
            Ok(Err(Call::Stale)) | Err(_) => return loss.lose(),
            Ok(Err(Call::Refused(e))) => {
                tracing::error!("the server refuses a heartbeat: {e}");
                return loss.lose();
            }
            Ok(Err(Call::Failed(e))) => {
                tracing::warn!("a heartbeat failed: {e:#}");
                host.return_telemetry(heartbeat.telemetry);
                pause = (pause / 2).max(Duration::from_millis(100));
                if Instant::now() >= expires {
                    return loss.lose();
                }
            }
        }
    }
}

/// Tells how far the steps are, the newest state only.
async fn report_steps(host: Arc<FleetHost>, loss: Loss) {
    let mut steps = host.steps.subscribe();
    while steps.changed().await.is_ok() {
        tokio::time::sleep(REPORT_LINGER).await;
        let report = Report { steps: steps.borrow_and_update().clone(), telemetry: Vec::new(), finished: None };
        match host.client.report(&report).await {
            Ok(()) => {}
            Err(Call::Stale) => return loss.lose(),
            // The next one says it all again.
            Err(Call::Refused(e)) => tracing::error!("the server refuses a report: {e}"),
            Err(Call::Failed(e)) => tracing::warn!("a report failed: {e:#}"),
        }
    }
}

/// Tells the result until the server has it.
async fn conclude(host: &FleetHost, result: Box<JobResult>, loss: &Loss) {
    let finished = Some(Finished::Concluded(result));
    let report = Report { steps: steps(host), telemetry: host.take_telemetry(), finished };
    let mut pause = Duration::from_millis(50);
    loop {
        match host.client.report(&report).await {
            Ok(()) | Err(Call::Stale) => return,
            Err(Call::Refused(e)) => return tracing::error!("the server refuses the result: {e}"),
            Err(Call::Failed(e)) => tracing::warn!("the result cannot be told, trying again in {pause:?}: {e:#}"),
        }
        tokio::select! {
            () = loss.lost() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

async fn give_back(host: &FleetHost, reason: String) {
    let finished = Some(Finished::GivenBack { reason });
    let report = Report { steps: steps(host), telemetry: Vec::new(), finished };
    match tokio::time::timeout(GIVE_BACK, host.client.report(&report)).await {
        Ok(Ok(()) | Err(Call::Stale)) => {}
        Ok(Err(Call::Refused(e))) => tracing::warn!("the server does not take the job back: {e}"),
        Ok(Err(Call::Failed(e))) => tracing::warn!("the job cannot be given back, its lease will expire: {e:#}"),
        Err(_) => tracing::warn!("the job cannot be given back, its lease will expire"),
    }
}

fn steps(host: &FleetHost) -> Vec<StepReport> {
    host.steps.borrow().clone()
}
