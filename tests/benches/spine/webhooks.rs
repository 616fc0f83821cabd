//! Deliveries, each of them on the disk before it is answered.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tests::{delivery::Delivery, process::ServerProcess, repo::BareRepo};

use crate::{load, quantile, row, rss_mb};

const CONNECTIONS: usize = 50;
const DELIVERIES: usize = 15_000;

/// Push deliveries of 20 KB, each of a commit of its own. The server plans them meanwhile: they start
/// nothing, for the repository has no workflow.
pub(crate) async fn measure() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut server = ServerProcess::start(&data, &["--no-runner"]);
    let secret = std::fs::read_to_string(data.join("secrets/local-webhook")).unwrap().trim().to_owned();
    let repo = BareRepo::init(&home.path().join("many.git"));
    let mut requests = Vec::with_capacity(DELIVERIES);
    for n in 0..DELIVERIES {
        let sha = repo.commit("main", None, &format!("commit {n}"), &[("README", b"x")]);
        let mut delivery = Delivery::local_push(&repo, "acme/many", "main", None, &sha);
        let mut body: Value = serde_json::from_slice(&delivery.body).unwrap();
        body["commits"] = commits(n, sha.as_str());
        delivery.body = body.to_string().into_bytes();
        requests.push(delivery.request("local", &secret));
    }
    let address = server.url().trim_start_matches("http://").to_owned();
    let mut load = load::run(&address, requests, CONNECTIONS).await;
    row("webhooks of 20 KB, durable, 50 connections", format!("{:.0}/s", load.per_second), "≥ 3,000/s");
    row("  latency p50", format!("{:.1} ms", quantile(&mut load.latencies, 0.5)), "");
    row("  latency p99", format!("{:.1} ms", quantile(&mut load.latencies, 0.99)), "< 25 ms");
    row("  RSS after", format!("{:.1} MB", rss_mb(server.id())), "");
    server.kill();
}

/// As GitHub tells of the commits of a push, twenty of them: 20 KB in all.
fn commits(seed: usize, head: &str) -> Value {
    let mut random = StdRng::seed_from_u64(seed as u64);
    let mut id = move || hex::encode(random.random::<[u8; 20]>());
    let mut commit = |n: usize| {
        let (id, tree, file) = (id(), id(), id());
        json!({
            "id": id, "tree_id": tree, "distinct": n.is_multiple_of(3), "parent": head,
            "message": format!("Train on batch {n} of {file}\n\nThe learning rate falls from epoch {n} on."),
            "timestamp": format!("2026-11-{:02}T10:{:02}:00+01:00", 1 + n % 28, n % 60),
            "url": format!("https://github.com/acme/many/commit/{id}"),
            "author": { "name": "Ada Lovelace", "email": "ada@example.com", "username": "ada" },
            "committer": { "name": "GitHub", "email": "noreply@github.com", "username": "web-flow" },
            "added": [format!("data/{file}.npz")], "removed": [],
            "modified": [format!("models/{tree}.onnx"), "train.py", "README.md", ".assay/workflows/ci.yml"],
        })
    };
    (0..23).map(&mut commit).collect()
}
