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
use tempfile::TempDir;
use tests::{
    binary::assay,
    delivery::Delivery,
    github::FakeGithub,
    process::ServerProcess,
    proxy::Proxy,
    repo::BareRepo,
    wait::{PATIENCE, until_async},
};
use workflows::ids::Sha;

/// A hundred in all.
const KILLS: usize = 60;
const PUSHES: usize = 100;
const GITHUB_KILLS: usize = 40;
const GITHUB_PUSHES: usize = 45;
const REPO: &str = "acme/killed";

const WORKFLOW: &str = "
name: CI
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

/// A server that is killed and started again on one directory, behind one address, and a runner that outlives it.
struct Siege {
    home: TempDir,
    proxy: Proxy,
    server: ServerProcess,
    random: SmallRng,
    _runner: RunnerProcess,
}

impl Siege {
    /// `forge`: what the configuration says beside the server's own.
    async fn begin(forge: impl FnOnce(&Path) -> String) -> Self {
        let seed = std::env::var("ASSAY_TEST_SEED").ok().and_then(|s| s.parse().ok());
        let seed = seed.unwrap_or_else(rand::random::<u64>);
        eprintln!("seed: ASSAY_TEST_SEED={seed}");
        let home = tempfile::tempdir().unwrap();
        let proxy = Proxy::start().await;
        let config = format!("public-url = \"{}\"\nlease-ttl-s = 5\n{}", proxy.url, forge(home.path()));
        std::fs::write(home.path().join("assay.toml"), config).unwrap();
        // The first start makes the secrets that pushers and runners present.
        let server = start(home.path());
        proxy.point_to(server.url.as_deref());
        let runner = RunnerProcess::start(&proxy.url, &home.path().join("data"), &home.path().join("runner"));
        Self { home, proxy, server, random: SmallRng::seed_from_u64(seed), _runner: runner }
    }

    /// Each server lives for a random time, up to `longest_ms`.
    async fn kill(&mut self, times: usize, longest_ms: u64) {
        let home = self.home.path();
        for kill in 0..times {
            tokio::time::sleep(Duration::from_millis(self.random.random_range(0..longest_ms))).await;
            self.proxy.point_to(None);
            self.server.kill();
            // Every fourth server is killed while it starts, before anyone can speak to it.
            if kill % 4 == 3 {
                let mut starting = ServerProcess::spawn(&home.join("data"), &arguments(&configuration(home)));
                tokio::time::sleep(Duration::from_millis(self.random.random_range(0..60))).await;
                starting.kill();
            }
            self.server = tokio::task::block_in_place(|| start(home));
            self.proxy.point_to(self.server.url.as_deref());
        }
    }

    /// Every run, once all have ended: one for each push, with each job once.
    async fn finished(&self, pushes: usize) {
        let (client, url) = (reqwest::Client::new(), &self.proxy.url);
        let runs = until_async("all runs to end", async || {
            let runs = all_runs(&client, url).await;
            let open: Vec<&Value> = runs.iter().filter(|run| run["conclusion"].is_null()).collect();
            match runs.len() >= pushes && open.is_empty() {
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
        assert_eq!(of_head.len(), pushes, "each push has a run");
        assert!(of_head.values().all(|runs| *runs == 1), "a push has more than one run: {of_head:?}");
        for run in &runs {
            let detail = get(&client, &format!("{url}/api/v1/repos/{REPO}/runs/{}", run["number"])).await;
            let jobs: Vec<&str> =
                detail["jobs"].as_array().unwrap().iter().map(|j| j["key"].as_str().unwrap()).collect();
            let once: BTreeSet<&str> = jobs.iter().copied().collect();
            assert_eq!(once, BTreeSet::from(["first", "second"]), "run {}", run["number"]);
            assert_eq!(jobs.len(), 2, "a job of run {} is there twice: {jobs:?}", run["number"]);
        }
    }
}

fn start(home: &Path) -> ServerProcess {
    ServerProcess::start(&home.join("data"), &arguments(&configuration(home)))
}

fn configuration(home: &Path) -> String {
    home.join("assay.toml").display().to_string()
}

fn arguments(configuration: &str) -> [&str; 3] {
    ["--no-runner", "--config", configuration]
}

/// `main` with the workflow, and as many branches of one commit each.
fn branches(repo: &BareRepo, n: usize) -> Vec<(String, Sha)> {
    let main = repo.commit("main", None, "first", &[(".assay/workflows/ci.yml", WORKFLOW.as_bytes())]);
    let branch = |n| {
        let name = format!("branch-{n}");
        let sha = repo.commit(&name, Some(&main), &format!("change {n}"), &[("n.txt", format!("{n}").as_bytes())]);
        (name, sha)
    };
    (0..n).map(branch).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_again_and_again_finishes_every_run_once() {
    let mut siege = Siege::begin(|_| String::new()).await;
    let repo = BareRepo::init(&siege.home.path().join("killed.git"));
    let pushes: Vec<Delivery> = branches(&repo, PUSHES)
        .into_iter()
        .map(|(branch, sha)| Delivery::local_push(&repo, REPO, &branch, None, &sha))
        .collect();
    let secret = std::fs::read_to_string(siege.home.path().join("data/secrets/local-webhook")).unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let pusher = tokio::spawn(push_all(pushes, siege.proxy.url.clone(), secret.trim().to_owned(), sent.clone()));
    siege.kill(KILLS, 250).await;
    eprintln!("{} of {PUSHES} pushes were acknowledged while servers died", sent.load(Ordering::Relaxed));
    pusher.await.unwrap();
    siege.finished(PUSHES).await;
}

/// The same at GitHub, which sends each delivery once: those that hit a dead server are asked for again by the
/// next one. What is counted is what reviewers see: check runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_github_too_with_one_check_run_per_job() {
    let github = Arc::new(FakeGithub::start());
    let (repo, _) = github.create_repo(REPO);
    // As far away as GitHub is: many a server dies between GitHub's writing and its own.
    github.state().latency = Duration::from_millis(60);
    let pushes = branches(&repo, GITHUB_PUSHES);
    let mut siege = Siege::begin(|home| {
        let server::GithubConfig { app_id, private_key_file, webhook_secret_file, api_url, .. } =
            github.server_config(home);
        format!(
            "[github]\napp-id = {app_id}\nprivate-key-file = {private_key_file:?}\n\
             webhook-secret-file = {webhook_secret_file:?}\napi-url = \"{api_url}\"\nrecovery-interval-s = 1\n"
        )
    })
    .await;
    github.send_webhooks_to(&siege.proxy.url);
    let pusher = tokio::spawn(push_all_once(github.clone(), pushes.clone()));
    siege.kill(GITHUB_KILLS, 900).await;
    let missed = pusher.await.unwrap();
    let shown = github.state().repo(REPO).check_runs.len();
    eprintln!("{missed} of {GITHUB_PUSHES} pushes hit a dead server; {shown} check runs were made while servers died");
    siege.finished(GITHUB_PUSHES).await;

    let expected = ["CI / first", "CI / second", "assay/gate"];
    until_async("every check run to conclude", async || {
        let state = github.state();
        let runs = &state.repo(REPO).check_runs;
        let open: Vec<_> = runs.iter().filter(|run| run.conclusion.is_none()).map(|run| &run.external_id).collect();
        match open.is_empty() && runs.len() >= expected.len() * GITHUB_PUSHES {
            true => Ok(()),
            false => Err(format!("{} check runs, of them open: {open:?}", runs.len())),
        }
    })
    .await;
    let state = github.state();
    for (branch, head) in &pushes {
        let of_head = state.repo(REPO).check_runs.iter().filter(|run| run.head == *head);
        let mut names: Vec<&str> = of_head.map(|run| run.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "the check runs of {branch}, {head}");
    }
    assert!(
        state.repo(REPO).check_runs.iter().all(|run| matches!(run.conclusion.as_deref(), Some("success" | "neutral")))
    );
}

/// One push after the other, each once; how many were not acknowledged.
async fn push_all_once(github: Arc<FakeGithub>, pushes: Vec<(String, Sha)>) -> usize {
    let mut missed = 0;
    for (branch, head) in pushes {
        if !(200..300).contains(&github.push(REPO, &branch, None, &head).await) {
            missed += 1;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    missed
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
