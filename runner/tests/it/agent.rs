//! The claim loop against a server that is one value: a job, its lease, and what the runner says about it.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use actix_web::{App, HttpResponse, HttpServer, web};
use jiff::{SignedDuration, Timestamp};
use runner::agent::{self, IsolationChoice, RunnerConfig};
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle};
use workflows::{
    protocol::{Claim, Finished, HeartbeatReply, JobSpec, Lease, LogReply, Refusal, Report},
    run::Conclusion,
};

use crate::harness::{is_alive, spec, until};

/// How long a lease lasts, in seconds: short, so that heartbeats come soon.
const TTL_S: u32 = 1;

/// What a server knows.
#[derive(Default)]
struct Fleet {
    /// Offered to the first that asks.
    queued: Option<JobSpec>,
    /// The lease went to somebody else.
    stale: bool,
    cancel: Option<String>,
    log: Vec<u8>,
    finished: Vec<Finished>,
    heartbeats: usize,
    refused: usize,
}

type Shared = web::Data<Mutex<Fleet>>;

/// The fleet, to whoever still has the lease.
fn held(fleet: &Shared) -> Option<MutexGuard<'_, Fleet>> {
    let mut fleet = fleet.lock().unwrap();
    if fleet.stale {
        fleet.refused += 1;
        return None;
    }
    Some(fleet)
}

fn gone() -> HttpResponse {
    HttpResponse::Gone().json(Refusal::StaleLease)
}

async fn claim(fleet: Shared) -> HttpResponse {
    let queued = fleet.lock().unwrap().queued.take();
    match queued {
        Some(job) => {
            let expires_at = Timestamp::now() + SignedDuration::from_secs(TTL_S.into());
            let lease = Lease { id: "lease".to_owned(), token: 1, expires_at, ttl_s: TTL_S, gpus: Vec::new() };
            HttpResponse::Ok().json(Claim { lease, job })
        }
        None => std::future::pending().await,
    }
}

async fn heartbeat(fleet: Shared) -> HttpResponse {
    let Some(mut fleet) = held(&fleet) else { return gone() };
    fleet.heartbeats += 1;
    let expires_at = Timestamp::now() + SignedDuration::from_secs(TTL_S.into());
    HttpResponse::Ok().json(HeartbeatReply { expires_at, cancel: fleet.cancel.clone() })
}

async fn log(fleet: Shared, body: web::Bytes) -> HttpResponse {
    let Some(mut fleet) = held(&fleet) else { return gone() };
    fleet.log.extend_from_slice(&body);
    HttpResponse::Ok().json(LogReply { length: fleet.log.len() as u64 })
}

async fn report(fleet: Shared, report: web::Json<Report>) -> HttpResponse {
    let Some(mut fleet) = held(&fleet) else { return gone() };
    fleet.finished.extend(report.into_inner().finished);
    HttpResponse::Ok().json(json!({}))
}

/// A runner at work for a fleet.
struct Working {
    fleet: Shared,
    stop: watch::Sender<bool>,
    runner: JoinHandle<anyhow::Result<()>>,
    server: actix_web::dev::ServerHandle,
    directory: tempfile::TempDir,
}

impl Working {
    /// Gives the runner a job whose step starts a child in the background, and waits until both run.
    async fn on_a_long_job() -> (Self, [u32; 2]) {
        let job = spec(
            "    steps:\n      - run: |\n          sleep 1000 &\n          echo \"pids $$ $! .\"\n          wait\n",
        );
        let fleet = web::Data::new(Mutex::new(Fleet { queued: Some(job), ..Fleet::default() }));
        let shared = fleet.clone();
        let server = HttpServer::new(move || {
            let lease = web::scope("/leases/{lease}")
                .route("/heartbeat", web::post().to(heartbeat))
                .route("/log", web::put().to(log))
                .route("/report", web::post().to(report));
            let api = web::scope("/api/runner/v1").route("/claim", web::post().to(claim)).service(lease);
            App::new().app_data(shared.clone()).service(api)
        });
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let running = server.run();
        let handle = running.handle();
        tokio::spawn(running);

        let directory = tempfile::tempdir().unwrap();
        // Of a runner that was killed.
        std::fs::create_dir_all(directory.path().join("work/00000000-7/workspace")).unwrap();
        std::fs::write(directory.path().join("work/00000000.lock"), "").unwrap();
        let config = RunnerConfig {
            server: url,
            token: "token".to_owned(),
            name: "one".to_owned(),
            labels: Vec::new(),
            slots: 2,
            work_dir: directory.path().join("work"),
            cache_dir: directory.path().join("cache"),
            assay: directory.path().join("assay"),
            isolation: IsolationChoice::None,
            once: false,
            ephemeral: false,
        };
        let (stop, mut stopped) = watch::channel(false);
        let shutdown = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let runner = tokio::spawn(agent::run(config, shutdown));
        let working = Self { fleet, stop, runner, server: handle, directory };
        let mut pids = None;
        until("the step's processes", || {
            let log = String::from_utf8_lossy(&working.fleet.lock().unwrap().log).into_owned();
            let line = log.lines().find_map(|line| line.strip_prefix("pids ")).filter(|line| line.ends_with('.'));
            pids = line.and_then(|line| {
                let mut numbers = line.split(' ').map_while(|word| word.parse().ok());
                Some([numbers.next()?, numbers.next()?])
            });
            pids.is_some()
        })
        .await;
        let pids = pids.unwrap();
        assert!(pids.iter().all(|pid| is_alive(*pid)), "{pids:?}");
        (working, pids)
    }

    async fn until(&self, what: &str, holds: impl Fn(&Fleet) -> bool) {
        until(what, || holds(&self.fleet.lock().unwrap())).await;
    }

    /// What lies in the work directory.
    fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path().join("work")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).filter(|name| name != ".lock").collect()
    }

    async fn stop(mut self) -> Arc<Mutex<Fleet>> {
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(Duration::from_secs(30), &mut self.runner).await;
        ended.expect("the runner stops").unwrap().unwrap();
        assert_eq!(self.left(), [""; 0]);
        self.server.stop(false).await;
        self.fleet.into_inner()
    }
}

async fn until_dead(pids: [u32; 2]) {
    until("the whole tree to end", || pids.iter().all(|pid| !is_alive(*pid))).await;
}

#[actix_web::test]
async fn a_lost_lease_stops_the_job_and_nothing_more_is_said_of_it() {
    let (working, pids) = Working::on_a_long_job().await;
    working.until("a heartbeat", |fleet| fleet.heartbeats > 0).await;
    working.fleet.lock().unwrap().stale = true;
    until_dead(pids).await;
    let refused = working.fleet.lock().unwrap().refused;
    assert!(refused > 0, "nobody was told");
    let fleet = working.stop().await;
    let finished = &fleet.lock().unwrap().finished;
    assert!(finished.is_empty(), "{finished:?}");
}

#[actix_web::test]
async fn a_cancel_comes_with_a_heartbeat_and_ends_the_whole_tree() {
    let (working, pids) = Working::on_a_long_job().await;
    working.fleet.lock().unwrap().cancel = Some("cancelled by ada".to_owned());
    until_dead(pids).await;
    working.until("the conclusion", |fleet| !fleet.finished.is_empty()).await;
    let fleet = working.stop().await;
    let fleet = fleet.lock().unwrap();
    let [Finished::Concluded(result)] = &fleet.finished[..] else { panic!("{:?}", fleet.finished) };
    assert_eq!(result.conclusion, Conclusion::Cancelled);
    assert_eq!(result.summary.as_deref(), Some("cancelled by ada"));
}

#[actix_web::test]
async fn what_a_killed_runner_left_is_removed_by_the_next() {
    let (working, _) = Working::on_a_long_job().await;
    until("the leftovers to go", || !working.left().iter().any(|name| name.starts_with("00000000"))).await;
    assert_eq!(working.left().len(), 2, "a job and a lock: {:?}", working.left());
    working.stop().await;
}

#[actix_web::test]
async fn a_runner_that_stops_gives_its_job_back() {
    let (working, pids) = Working::on_a_long_job().await;
    let fleet = working.stop().await;
    until_dead(pids).await;
    let fleet = fleet.lock().unwrap();
    let [Finished::GivenBack { reason }] = &fleet.finished[..] else { panic!("{:?}", fleet.finished) };
    assert_eq!(reason, "the runner is being stopped");
}
