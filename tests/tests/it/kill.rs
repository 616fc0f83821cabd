//! The real server, killed with SIGKILL at random moments under a stream of pushes, also while it
//! starts: nothing that it acknowledged is lost, nothing is done twice, nothing is stuck.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::Value;
use tests::{
    binary::assay,
    delivery::Delivery,
    process::ServerProcess,
    proxy::Proxy,
    repo::BareRepo,
    wait::{PATIENCE, until_async},
};

const KILLS: usize = 100;
const PUSHES: usize = 150;
const REPO: &str = "acme/killed";

const WORKFLOW: &str = "
on: [push, pull_request]
jobs:
  first:
    runs-on: self-hosted
    steps:
      - run: echo one
  second:
    needs: first
    runs-on: self-hosted
    steps:
      - run: echo two
";

/// A runner that outlives the servers: it speaks to the proxy and tries again.
struct RunnerProcess(Child);

impl RunnerProcess {
    fn start(url: &str, data: &Path, work: &Path) -> Self {
        let child = Command::new(assay())
            .args(["runner", "--server", url, "--slots", "2", "--name", "survivor", "--no-isolation", "--token-file"])
            .arg(data.join("secrets/runner-token"))
            .arg("--work")
            .arg(work)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary was just built");
        Self(child)
    }
}

impl Drop for RunnerProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_a_hundred_times_finishes_every_run_once() {
    let seed = std::env::var("ASSAY_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random::<u64>);
    eprintln!("seed: ASSAY_TEST_SEED={seed}");
    let mut random = SmallRng::seed_from_u64(seed);

    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let config = home.path().join("assay.toml");
    let proxy = Proxy::start().await;
    std::fs::write(&config, format!("public-url = \"{}\"\nlease-ttl-s = 5\n", proxy.url)).unwrap();
    let arguments = ["--no-runner", "--config", config.to_str().unwrap()];

    let repo = BareRepo::init(&home.path().join("killed.git"));
    let main = repo.commit("main", None, "first", &[(".assay/workflows/ci.yml", WORKFLOW.as_bytes())]);
    let pushes: Vec<Delivery> = (0..PUSHES)
        .map(|n| {
            let branch = format!("branch-{n}");
            let sha =
                repo.commit(&branch, Some(&main), &format!("change {n}"), &[("n.txt", format!("{n}").as_bytes())]);
            Delivery::local_push(&repo, REPO, &branch, None, &sha)
        })
        .collect();

    // The first start makes the secrets that pushers and runners present.
    let mut server = ServerProcess::start(&data, &arguments);
    proxy.point_to(server.url.as_deref());
    let secret = std::fs::read_to_string(data.join("secrets/local-webhook")).unwrap().trim().to_owned();
    let _runner = RunnerProcess::start(&proxy.url, &data, &home.path().join("runner"));

    let sent = Arc::new(AtomicUsize::new(0));
    let pusher = tokio::spawn(push_all(pushes, proxy.url.clone(), secret, sent.clone()));

    for kill in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.random_range(0..250))).await;
        proxy.point_to(None);
        server.kill();
        // Every fourth server is killed while it starts, before anyone can speak to it.
        if kill % 4 == 3 {
            let starting = ServerProcess::spawn(&data, &arguments);
            tokio::time::sleep(Duration::from_millis(random.random_range(0..60))).await;
            starting.kill();
        }
        let started = tokio::task::block_in_place(|| ServerProcess::start(&data, &arguments));
        proxy.point_to(started.url.as_deref());
        server = started;
    }
    eprintln!("{} of {PUSHES} pushes were acknowledged while servers died", sent.load(Ordering::Relaxed));
    pusher.await.unwrap();

    let client = reqwest::Client::new();
    let runs = until_async("all runs to end", async || {
        let runs = all_runs(&client, &proxy.url).await;
        let open: Vec<&Value> = runs.iter().filter(|run| run["conclusion"].is_null()).collect();
        match runs.len() >= PUSHES && open.is_empty() {
            true => Ok(runs),
            false => Err(format!("{} runs, of them open: {:?}", runs.len(), open.first())),
        }
    })
    .await;

    let mut of_head: BTreeMap<String, usize> = BTreeMap::new();
    for run in &runs {
        *of_head.entry(run["sha"].as_str().unwrap().to_owned()).or_default() += 1;
        assert_eq!(run["conclusion"], "success", "run {} did not succeed: {run:#}", run["number"]);
    }
    assert_eq!(of_head.len(), PUSHES, "each push has a run");
    assert!(of_head.values().all(|runs| *runs == 1), "a push has more than one run: {of_head:?}");
    for run in &runs {
        let detail = get(&client, &format!("{}/api/v1/repos/{REPO}/runs/{}", proxy.url, run["number"])).await;
        let jobs: Vec<&str> = detail["jobs"].as_array().unwrap().iter().map(|j| j["key"].as_str().unwrap()).collect();
        let once: BTreeSet<&str> = jobs.iter().copied().collect();
        assert_eq!(once, BTreeSet::from(["first", "second"]), "run {}", run["number"]);
        assert_eq!(jobs.len(), 2, "a job of run {} is there twice: {jobs:?}", run["number"]);
    }
}

/// One push after the other, each until it is acknowledged, as a forge with a redelivery button.
async fn push_all(pushes: Vec<Delivery>, url: String, secret: String, sent: Arc<AtomicUsize>) {
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(10)).build().unwrap();
    for push in pushes {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match push.send(&client, &url, "local", &secret).await {
                Ok(200..300) => break,
                seen => assert!(Instant::now() < deadline, "a push is not acknowledged: {seen:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

async fn get(client: &reqwest::Client, url: &str) -> Value {
    let text = client.get(url).send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url} answered {text:?}: {error}"))
}

/// Every run of the repository, page by page.
async fn all_runs(client: &reqwest::Client, url: &str) -> Vec<Value> {
    let mut runs: Vec<Value> = Vec::new();
    loop {
        let before = runs.last().map(|run| format!("&before={}", run["number"])).unwrap_or_default();
        let page = get(client, &format!("{url}/api/v1/repos/{REPO}/runs?limit=50{before}")).await;
        let page = page["runs"].as_array().cloned().unwrap_or_default();
        if page.is_empty() {
            return runs;
        }
        runs.extend(page);
    }
}
