//! From a push to a command, and many of them.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tests::{delivery::Delivery, process::ServerProcess, repo::BareRepo, wait::until_async};

use crate::{api, quantile, ready, row};

fn stamping(into: &Path) -> String {
    format!(
        "on: [push, pull_request]\njobs:\n  stamp:\n    runs-on: self-hosted\n    steps:\n      - run: date +%s%N > {}/$GITHUB_SHA\n",
        into.display()
    )
}

/// A server with an embedded runner of two slots that does not isolate steps, and a repository whose
/// one job writes the time at which it ran.
struct Scene {
    server: ServerProcess,
    secret: String,
    repo: BareRepo,
    main: workflows::ids::Sha,
    stamps: std::path::PathBuf,
    _home: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let stamps = home.path().join("stamps");
        std::fs::create_dir(&stamps).unwrap();
        let repo = BareRepo::init(&home.path().join("stamp.git"));
        let main = repo.commit("main", None, "stamp", &[(".assay/workflows/ci.yml", stamping(&stamps).as_bytes())]);
        let data = home.path().join("data");
        let server = ServerProcess::start(&data, &["--no-isolation"]);
        ready(server.url()).await;
        let secret = std::fs::read_to_string(data.join("secrets/local-webhook")).unwrap().trim().to_owned();
        Self { server, secret, repo, main, stamps, _home: home }
    }

    fn push(&self, n: usize) -> (workflows::ids::Sha, Delivery) {
        let branch = format!("b{n}");
        let sha = self.repo.commit(&branch, Some(&self.main), "x", &[("n", n.to_string().as_bytes())]);
        let push = Delivery::local_push(&self.repo, "acme/stamp", &branch, None, &sha);
        (sha, push)
    }
}

/// Trigger → first command, one at a time.
pub(crate) async fn first_command() {
    let mut scene = Scene::start().await;
    let client = reqwest::Client::new();
    let mut waits = Vec::new();
    let mut ends = Vec::new();
    for n in 0..60 {
        let (sha, push) = scene.push(n);
        let begin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let clock = Instant::now();
        push.send(&client, scene.server.url(), "local", &scene.secret).await.unwrap();
        let gate = format!("{}/api/v1/repos/acme/stamp/commits/{sha}/gate", scene.server.url());
        until_async("the gate to conclude", async || {
            let gate = api(&client, &gate).await;
            if gate["state"] == "concluded" { Ok(()) } else { Err(gate) }
        })
        .await;
        ends.push(clock.elapsed().as_secs_f64() * 1e3);
        let stamp = std::fs::read_to_string(scene.stamps.join(sha.as_str())).unwrap();
        let stamp = Duration::from_nanos(stamp.trim().parse().unwrap());
        waits.push(stamp.saturating_sub(begin).as_secs_f64() * 1e3);
    }
    // The first ones warm caches up, as on any server that has run for a minute.
    let mut waits = waits.split_off(10);
    let mut ends = ends.split_off(10);
    row("trigger → first command (n 50, median)", format!("{:.1} ms", quantile(&mut waits, 0.5)), "< 25 ms");
    row("  p90", format!("{:.1} ms", quantile(&mut waits, 0.9)), "");
    row("trigger → gate concluded (median, polled every 20 ms)", format!("{:.1} ms", quantile(&mut ends, 0.5)), "");
    scene.server.kill();
}

/// 200 pushes at once, a trivial job each, two slots.
pub(crate) async fn many() {
    const JOBS: usize = 200;
    let mut scene = Scene::start().await;
    let pushes: Vec<Delivery> = (0..JOBS).map(|n| scene.push(n).1).collect();
    let client = reqwest::Client::new();
    let begin = Instant::now();
    for push in &pushes {
        push.send(&client, scene.server.url(), "local", &scene.secret).await.unwrap();
    }
    let accepted = begin.elapsed();
    until_async("all jobs to end", async || {
        let done = std::fs::read_dir(&scene.stamps).unwrap().count();
        if done == JOBS { Ok(()) } else { Err(done) }
    })
    .await;
    let rate = JOBS as f64 / begin.elapsed().as_secs_f64();
    row("200 trivial jobs at once, 2 slots", format!("{rate:.0}/s"), "≥ 60/s");
    row("  of which the pushes took", format!("{:.0} ms", accepted.as_secs_f64() * 1e3), "");
    let spawn = Instant::now();
    for _ in 0..200 {
        Command::new("bash").args(["-c", "true"]).status().unwrap();
    }
    let spawn = 200.0 / spawn.elapsed().as_secs_f64();
    row("  for comparison: bash -c true, one after the other", format!("{spawn:.0}/s"), "");
    scene.server.kill();
}
