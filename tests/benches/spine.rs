//! The spine's figures: `cargo bench -p tests`. Prints a table; decides nothing.
//!
//! Load comes from this process, on the same cores as the server, so figures are what is left for
//! both. Each is what the issue asks for, with the bar beside it.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use runner::agent::IsolationChoice;
use serde_json::Value;
use tests::{delivery::Delivery, process::ServerProcess, repo::BareRepo, stack::Stack, wait::until_async};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("{:<58} {:>16}   bar", "figure", "measured");
    start_and_idle();
    runtime.block_on(async {
        webhooks().await;
        first_command().await;
        many_jobs().await;
    });
}

fn row(what: &str, measured: String, bar: &str) {
    println!("{what:<58} {measured:>16}   {bar}");
}

fn quantile(samples: &mut [f64], q: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let index = ((samples.len() as f64 * q).ceil() as usize).clamp(1, samples.len());
    samples[index - 1]
}

/// Start → first request, of the release binary on a data directory that exists; RSS a second later.
fn start_and_idle() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    ServerProcess::start(&data, &["--no-runner"]).kill();
    let mut starts = Vec::new();
    let mut rss = 0.0;
    for _ in 0..11 {
        let begin = Instant::now();
        let mut server = ServerProcess::start(&data, &["--no-runner"]);
        let address = server.url().trim_start_matches("http://").to_owned();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        use std::io::{Read, Write};
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        starts.push(begin.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(300));
        rss = rss_mb(server.id());
        server.kill();
    }
    row("start → first request (n 11, median)", format!("{:.0} ms", quantile(&mut starts, 0.5)), "< 300 ms");
    row("server idle RSS, no runner", format!("{rss:.1} MB"), "< 60 MB");
    let mut server = ServerProcess::start(&data, &[]);
    std::thread::sleep(Duration::from_secs(2));
    row("server idle RSS, with embedded runner", format!("{:.1} MB", rss_mb(server.id())), "< 60 MB");
    server.kill();
}

fn rss_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kb = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kb.unwrap_or(f64::NAN) / 1024.0
}

/// 20 KB push deliveries of a real repository, each different, over 50 connections; the server is a
/// process of its own.
async fn webhooks() {
    const CONNECTIONS: usize = 50;
    const DELIVERIES: usize = 15_000;
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut server = ServerProcess::start(&data, &["--no-runner"]);
    let secret = std::fs::read_to_string(data.join("secrets/local-webhook")).unwrap().trim().to_owned();
    let repo = BareRepo::init(&home.path().join("many.git"));
    let sha = repo.commit("main", None, "no workflow here", &[("README", b"x")]);
    let deliveries: Vec<(String, Delivery)> = (0..DELIVERIES)
        .map(|n| {
            let mut delivery = Delivery::local_push(&repo, "acme/many", "main", None, &sha);
            let mut body: Value = serde_json::from_slice(&delivery.body).unwrap();
            body["padding"] = Value::from(format!("{n:06}").repeat(3400));
            delivery.body = body.to_string().into_bytes();
            delivery.guid = format!("guid-{n}");
            (delivery.signature(&secret), delivery)
        })
        .collect();
    let deliveries = Arc::new(deliveries);
    let next = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (deliveries, next, url) = (deliveries.clone(), next.clone(), server.url().to_owned());
            tokio::spawn(async move {
                let client = reqwest::Client::builder().pool_max_idle_per_host(1).build().unwrap();
                let mut latencies = Vec::new();
                while let Some((signature, delivery)) = deliveries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begin = Instant::now();
                    let reply = client
                        .post(format!("{url}/webhooks/local"))
                        .header("content-type", "application/json")
                        .header("x-github-event", "push")
                        .header("x-github-delivery", &delivery.guid)
                        .header("x-hub-signature-256", signature)
                        .body(delivery.body.clone())
                        .send()
                        .await
                        .unwrap();
                    assert!(reply.status().is_success(), "{}", reply.status());
                    latencies.push(begin.elapsed().as_secs_f64() * 1e3);
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.await.unwrap());
    }
    let rate = DELIVERIES as f64 / begin.elapsed().as_secs_f64();
    row("webhooks of 20 KB, durable, 50 connections", format!("{rate:.0}/s"), "≥ 3,000/s");
    row("  latency p50", format!("{:.1} ms", quantile(&mut latencies, 0.5)), "");
    row("  latency p99", format!("{:.1} ms", quantile(&mut latencies, 0.99)), "< 25 ms");
    row("  RSS after", format!("{:.1} MB", rss_mb(server.id())), "");
    server.kill();
}

fn stamping(into: &Path) -> String {
    format!(
        "on: [push, pull_request]\njobs:\n  stamp:\n    runs-on: self-hosted\n    steps:\n      - run: date +%s%N > {}/$GITHUB_SHA\n",
        into.display()
    )
}

/// Trigger → first command, one at a time, unisolated, with an idle runner that speaks HTTP.
async fn first_command() {
    let home = tempfile::tempdir().unwrap();
    let stamps = home.path().join("stamps");
    std::fs::create_dir(&stamps).unwrap();
    let repo = BareRepo::init(&home.path().join("stamp.git"));
    let main = repo.commit("main", None, "stamp", &[(".assay/workflows/ci.yml", stamping(&stamps).as_bytes())]);
    let stack = Stack::server(&home.path().join("data"), |_| {}).with_runner(2, IsolationChoice::None);
    ready(&stack.url).await;
    let secret = stack.webhook_secret();
    let client = reqwest::Client::new();
    let mut waits = Vec::new();
    let mut ends = Vec::new();
    for n in 0..40 {
        let branch = format!("b{n}");
        let sha = repo.commit(&branch, Some(&main), "x", &[("n", n.to_string().as_bytes())]);
        let push = Delivery::local_push(&repo, "acme/stamp", &branch, None, &sha);
        let begin = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let clock = Instant::now();
        push.send(&client, &stack.url, "local", &secret).await.unwrap();
        until_async("the gate to conclude", async || {
            let gate = api(&client, &format!("{}/api/v1/repos/acme/stamp/commits/{sha}/gate", stack.url)).await;
            if gate["state"] == "concluded" { Ok(()) } else { Err(gate) }
        })
        .await;
        ends.push(clock.elapsed().as_secs_f64() * 1e3);
        let stamp = std::fs::read_to_string(stamps.join(sha.as_str())).unwrap();
        let stamp = Duration::from_nanos(stamp.trim().parse().unwrap());
        waits.push(stamp.saturating_sub(begin).as_secs_f64() * 1e3);
    }
    // The first ones warm caches up, as on any server that has run for a minute.
    let mut waits = waits.split_off(5);
    let mut ends = ends.split_off(5);
    row("trigger → first command (n 35, median)", format!("{:.1} ms", quantile(&mut waits, 0.5)), "< 25 ms");
    row("  p90", format!("{:.1} ms", quantile(&mut waits, 0.9)), "");
    row("trigger → gate concluded (median, polled every 20 ms)", format!("{:.1} ms", quantile(&mut ends, 0.5)), "");
    stack.stop().await;
}

/// 200 pushes at once, a trivial job each, two slots.
async fn many_jobs() {
    const JOBS: usize = 200;
    let home = tempfile::tempdir().unwrap();
    let stamps = home.path().join("stamps");
    std::fs::create_dir(&stamps).unwrap();
    let repo = BareRepo::init(&home.path().join("many.git"));
    let main = repo.commit("main", None, "stamp", &[(".assay/workflows/ci.yml", stamping(&stamps).as_bytes())]);
    let pushes: Vec<Delivery> = (0..JOBS)
        .map(|n| {
            let branch = format!("b{n}");
            let sha = repo.commit(&branch, Some(&main), "x", &[("n", n.to_string().as_bytes())]);
            Delivery::local_push(&repo, "acme/many", &branch, None, &sha)
        })
        .collect();
    let stack = Stack::server(&home.path().join("data"), |_| {}).with_runner(2, IsolationChoice::None);
    ready(&stack.url).await;
    let secret = stack.webhook_secret();
    let client = reqwest::Client::new();
    let begin = Instant::now();
    for push in &pushes {
        push.send(&client, &stack.url, "local", &secret).await.unwrap();
    }
    until_async("all jobs to end", async || {
        let done = std::fs::read_dir(&stamps).unwrap().count();
        if done == JOBS { Ok(()) } else { Err(done) }
    })
    .await;
    let rate = JOBS as f64 / begin.elapsed().as_secs_f64();
    row("200 trivial jobs at once, 2 slots", format!("{rate:.0}/s"), "≥ 60/s");
    let spawn = Instant::now();
    for _ in 0..200 {
        Command::new("bash").args(["-c", "true"]).status().unwrap();
    }
    let spawn = 200.0 / spawn.elapsed().as_secs_f64();
    row("  for comparison: bash -c true, one after the other", format!("{spawn:.0}/s"), "");
    stack.stop().await;
}

async fn api(client: &reqwest::Client, url: &str) -> Value {
    let text = client.get(url).send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

async fn ready(url: &str) {
    let client = reqwest::Client::new();
    until_async("the server to be ready", async || match client.get(format!("{url}/readyz")).send().await {
        Ok(reply) if reply.status().is_success() => Ok(()),
        Ok(reply) => Err(reply.status().to_string()),
        Err(error) => Err(error.to_string()),
    })
    .await;
}
