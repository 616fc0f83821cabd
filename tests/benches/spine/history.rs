//! The run list of a repository with a long past.

use server::{
    blobs::Blobs,
    store::{
        Change, Store,
        engine::Engine,
        keys,
        records::{HeadCommit, Repo, Run},
    },
};
use tests::{delivery::Delivery, process::ServerProcess, repo::BareRepo, wait::until_async};
use workflows::ids::{RepoName, Sha};

use crate::{api, load, quantile, ready, row, rss_mb};

const RUNS: u64 = 100_000;
const BRANCHES: u64 = 40;
const REQUESTS: usize = 1_000;

/// One real run, concluded, copied 100,000 times with commits of their own; then its pages.
pub(crate) async fn measure() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let repo: RepoName = "acme/long".parse().unwrap();
    let sha = one_run(&home.path().join("long.git"), &data, &repo).await;
    multiply(&data, &repo, &sha).await;

    let mut server = ServerProcess::start(&data, &["--no-runner"]);
    let address = server.url().trim_start_matches("http://").to_owned();
    let pages = [
        ("run list of 100,000 runs, newest page", "/acme/long".to_owned(), "< 20 ms p99"),
        ("  of one branch that passed", "/acme/long?branch=branch-7&conclusion=success".to_owned(), "< 20 ms p99"),
        ("  in the middle of the past", format!("/acme/long?before={}", RUNS / 2), "< 20 ms p99"),
        ("  repositories", "/".to_owned(), ""),
    ];
    for (what, path, bar) in pages {
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").into_bytes();
        let mut load = load::run(&address, vec![request; REQUESTS], 1).await;
        let (p50, p99) = (quantile(&mut load.latencies, 0.5), quantile(&mut load.latencies, 0.99));
        row(&format!("{what} (p50 / p99)"), format!("{p50:.1} / {p99:.1} ms"), bar);
    }
    row("  RSS after", format!("{:.1} MB", rss_mb(server.id())), "");
    server.kill();
}

async fn one_run(bare: &std::path::Path, data: &std::path::Path, repo: &RepoName) -> Sha {
    let workflow = b"on: push\njobs:\n  quick:\n    runs-on: self-hosted\n    steps:\n      - run: 'true'\n";
    let bare = BareRepo::init(bare);
    let sha = bare.commit("main", None, "Retrain on March's data", &[(".assay/workflows/ci.yml", workflow)]);
    let server = ServerProcess::start(data, &["--no-isolation"]);
    ready(server.url()).await;
    let secret = std::fs::read_to_string(data.join("secrets/local-webhook")).unwrap().trim().to_owned();
    let client = reqwest::Client::new();
    let push = Delivery::local_push(&bare, repo.as_str(), "main", None, &sha);
    push.send(&client, server.url(), "local", &secret).await.unwrap();
    let gate = format!("{}/api/v1/repos/{repo}/commits/{sha}/gate", server.url());
    until_async("the gate to conclude", async || {
        let gate = api(&client, &gate).await;
        if gate["state"] == "concluded" { Ok(()) } else { Err(gate) }
    })
    .await;
    let (status, words) = server.terminate();
    assert!(status.success(), "{words}");
    sha
}

async fn multiply(data: &std::path::Path, name: &RepoName, sha: &Sha) {
    let engine = Engine::open(&data.join("store")).unwrap();
    let store = Store::new(engine.clone(), Blobs::open(&data.join("blobs")).unwrap());
    let run = store.get::<Run>(&keys::run(name, 1)).await.unwrap().unwrap().record;
    let commit = store.get::<HeadCommit>(&keys::commit(name, sha)).await.unwrap().unwrap().record;
    let conclusion = run.conclusion();
    let mut change = Change::default();
    for number in 2..=RUNS {
        let head: Sha = format!("{number:040x}").parse().unwrap();
        let branch = format!("branch-{}", number % BRANCHES);
        let own = Run { number, head: head.clone(), branch: branch.clone(), ..run.clone() };
        change.put(keys::run(name, number), &own);
        change.put(keys::commit(name, &head), &HeadCommit { sha: head.clone(), ..commit.clone() });
        for (branch, conclusion) in [(Some(branch.as_str()), None), (None, conclusion), (Some(&branch), conclusion)] {
            change.mark(keys::run_of(name, branch, conclusion, number));
        }
        if change.room() < 10 || number == RUNS {
            assert!(store.commit(std::mem::take(&mut change)).await.unwrap());
        }
    }
    let repo = store.get::<Repo>(&keys::repo(name)).await.unwrap().unwrap();
    change.put(keys::repo(name), &Repo { last_run: RUNS, ..repo.record });
    assert!(store.commit(change).await.unwrap());
    engine.close().await;
}
