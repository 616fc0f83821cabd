//! Concurrency groups: of calls, and members that would wait for themselves.

use reqwest::StatusCode;
use serde_json::Value;
use workflows::{
    protocol::{Heartbeat, HeartbeatReply},
    run::Conclusion,
};

use crate::world::{Runner, World, result, until};

/// What is said of one job of a run.
fn summary<'a>(run: &'a Value, key: &str) -> &'a Value {
    let jobs = run["jobs"].as_array().unwrap();
    &jobs.iter().find(|job| job["key"] == key).unwrap_or_else(|| panic!("no job {key} in {run:#}"))["summary"]
}

#[tokio::test]
async fn a_job_that_asks_for_the_place_of_its_own_run_is_cancelled_and_the_run_goes_on() {
    let world = World::new().await;
    let runner = world.runner();
    let text = "on: push
concurrency: { group: G, cancel-in-progress: true }
jobs:
  deploy: { runs-on: linux, concurrency: { group: g, cancel-in-progress: true }, steps: [{ run: x }] }
  other: { runs-on: linux, steps: [{ run: x }] }
";
    world.push_main(text).await;
    assert_eq!(runner.run_one(Conclusion::Success).await.job.key.as_str(), "other");
    let run = world.run_concluded(1).await;
    let why = "a deadlock for concurrency group 'g' was detected between 'top level workflow' and 'deploy'";
    assert_eq!((summary(&run, "deploy"), &run["cancelled"]), (&why.into(), &Value::Null), "{run:#}");
    assert_eq!(run["conclusion"], "cancelled");
}

const CALL: &str = "on: push
jobs:
  call: { uses: ./.assay/workflows/in.yml, with: { to: main }, CONCURRENCY }
  after: { runs-on: linux, needs: call, if: always(), steps: [{ run: x }] }
";

const CALLED: &str = "on: { workflow_call: { inputs: { to: { type: string } } } }
concurrency: 'Deploy-${{ inputs.to }}'
jobs:
  build: { runs-on: linux, steps: [{ run: x }] }
  tidy: { runs-on: linux, needs: build, if: always(), steps: [{ run: x }] }
";

/// A world into which workflows with a call are pushed again and again.
struct Calls {
    world: World,
    runner: Runner,
    pushed: u64,
}

impl Calls {
    async fn new() -> Self {
        let world = World::new().await;
        Self { runner: world.runner(), world, pushed: 0 }
    }

    /// Pushes one more run; `concurrency` is that of the job that calls.
    async fn push(&mut self, concurrency: &str) {
        self.push_file(&CALL.replace("CONCURRENCY", concurrency)).await;
    }

    async fn push_file(&mut self, caller: &str) {
        let before = self.world.git.tip("main");
        self.pushed += 1;
        let readme = self.pushed.to_string();
        let files =
            [(".assay/workflows/in.yml", CALLED), (".assay/workflows/ci.yml", caller), ("README.md", readme.as_str())];
        let sha = self.world.git.commit("main", &files);
        self.world.push("main", before.as_ref(), &sha).await;
        self.world.run_exists(self.pushed).await;
    }

    /// Waits until the call of a run is said to be as `wanted`.
    async fn call_is(&self, run: u64, wanted: &str) {
        until(&format!("the call of run {run}: {wanted}"), async || {
            let found = self.world.get(&format!("runs/{run}")).await;
            if found["calls"][0]["summary"] == wanted { Ok(()) } else { Err(found) }
        })
        .await;
    }

    async fn next(&self) -> (u64, String) {
        let claim = self.runner.run_one(Conclusion::Success).await;
        (claim.job.run_number, claim.job.key.to_string())
    }
}

fn job(run: u64, key: &str) -> (u64, String) {
    (run, key.to_owned())
}

#[tokio::test]
async fn a_call_waits_for_its_place_across_runs_and_restarts_and_a_newer_one_takes_its_place() {
    let mut calls = Calls::new().await;
    calls.push("concurrency: x").await;
    let first = calls.runner.claim().await;
    assert_eq!(first.job.key.as_str(), "call/build");
    // The second has another caller's group, and waits for the called workflow's.
    calls.push("name: Call").await;
    calls.call_is(2, "waits for its place in the concurrency group Deploy-main").await;
    let page = format!("{}/acme/digits/runs/2", calls.world.url);
    let page = calls.world.client.get(page).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("waits for the place of call in the concurrency group Deploy-main"), "{page}");
    calls.push("name: Call").await;
    calls.call_is(2, "call of run #3 is newer in the concurrency group Deploy-main").await;
    // Nothing in it starts, and what needs it goes on.
    let after = calls.runner.claim().await;
    assert_eq!((after.job.run_number, after.job.key.as_str()), (2, "after"));
    assert_eq!(serde_json::to_value(&after.job.contexts["needs"]).unwrap()["call"]["result"], "cancelled");
    calls.runner.finish(&after, result(Conclusion::Success)).await;
    let second = calls.world.run_concluded(2).await;
    assert_eq!((&second["conclusion"], second["jobs"].as_array().unwrap().len()), (&"cancelled".into(), 1));

    assert_eq!(calls.runner.try_claim(0).await, None);
    calls.world.restart().await;
    calls.runner = calls.world.runner();
    calls.runner.finish(&first, result(Conclusion::Success)).await;
    assert_eq!(calls.next().await, job(1, "call/tidy"));
    // The place is free only now.
    let both = [calls.next().await, calls.next().await];
    assert!(both.contains(&job(1, "after")) && both.contains(&job(3, "call/build")), "{both:?}");
    assert_eq!([calls.next().await, calls.next().await], [job(3, "call/tidy"), job(3, "after")]);
    assert_eq!(calls.world.run_concluded(3).await["conclusion"], "success");

    assert_eq!(calls.world.post("runs/2/rerun").await, StatusCode::ACCEPTED);
    for key in ["call/build", "call/tidy", "after"] {
        assert_eq!(calls.next().await, job(2, key));
    }
    assert_eq!(calls.world.run_concluded(2).await["conclusion"], "success");
}

#[tokio::test]
async fn a_call_under_way_is_cancelled_for_a_newer_one_and_cleans_up_first() {
    let mut calls = Calls::new().await;
    let concurrency = "concurrency: { group: Site, cancel-in-progress: true }";
    calls.push(concurrency).await;
    let first = calls.runner.claim().await;
    calls.push(&concurrency.replace("Site", "site")).await;
    let reason = until("the job is asked to stop", async || {
        let beat = calls.runner.post(&first, "heartbeat").json(&Heartbeat { telemetry: vec![] });
        beat.send().await.unwrap().json::<HeartbeatReply>().await.unwrap().cancel.ok_or("no wish")
    })
    .await;
    assert_eq!(reason, "call of run #2 is newer in the concurrency group site");
    assert_eq!(calls.runner.try_claim(0).await, None);
    calls.runner.finish(&first, result(Conclusion::Cancelled)).await;
    assert_eq!(calls.next().await, job(1, "call/tidy"));
    let both = [calls.next().await, calls.next().await];
    assert!(both.contains(&job(1, "after")) && both.contains(&job(2, "call/build")), "{both:?}");
    let run = calls.world.run_concluded(1).await;
    assert_eq!((&run["conclusion"], &run["cancelled"]), (&"cancelled".into(), &Value::Null), "{run:#}");
}

#[tokio::test]
async fn a_run_is_cancelled_while_its_call_waits_and_leaves_the_group_to_others() {
    let mut calls = Calls::new().await;
    calls.push("concurrency: x").await;
    let first = calls.runner.claim().await;
    calls.push("concurrency: x").await;
    calls.call_is(2, "waits for its place in the concurrency group x").await;
    assert_eq!(calls.world.post("runs/2/cancel").await, StatusCode::ACCEPTED);
    calls.call_is(2, "cancelled by hand").await;
    assert_eq!(calls.next().await, job(2, "after"));
    assert_eq!(calls.world.run_concluded(2).await["conclusion"], "cancelled");
    calls.runner.finish(&first, result(Conclusion::Success)).await;
    assert_eq!([calls.next().await, calls.next().await], [job(1, "call/tidy"), job(1, "after")]);
    calls.push("concurrency: x").await;
    assert_eq!(calls.next().await, job(3, "call/build"));
}

#[tokio::test]
async fn calls_that_would_wait_for_what_is_around_them_are_told_of_the_deadlock() {
    let mut calls = Calls::new().await;
    calls.push("concurrency: deploy-MAIN").await;
    let between = |holder: &str, asker: &str, group: &str| {
        format!("a deadlock for concurrency group '{group}' was detected between '{holder}' and '{asker}'")
    };
    calls.call_is(1, &between("call", "the workflow that it calls", "Deploy-main")).await;
    assert_eq!(calls.next().await, job(1, "after"));
    assert_eq!(calls.world.run_concluded(1).await["conclusion"], "cancelled");
    // `Deploy-main` is free again, and taken by the run itself.
    let around = "concurrency: { group: DEPLOY-main, cancel-in-progress: true }\n";
    calls.push_file(&format!("{around}{}", CALL.replace("CONCURRENCY", "concurrency: y"))).await;
    calls.call_is(2, &between("top level workflow", "call", "Deploy-main")).await;
}

#[tokio::test]
async fn runs_and_jobs_that_queue_go_on_one_after_the_other() {
    let mut calls = Calls::new().await;
    let text = "on: push
concurrency: { group: deploy, queue: max }
jobs:
  row:
    runs-on: linux
    strategy: { matrix: { n: [1, 2, 3] } }
    concurrency: { group: device, queue: max }
    steps: [{ run: x }]
";
    for _ in 1..=4 {
        calls.push_file(text).await;
    }
    let first = calls.runner.claim().await;
    assert_eq!((first.job.run_number, first.job.key.as_str()), (1, "row.0"));
    // One that gives up its place in the queue is in nobody's way.
    assert_eq!(calls.world.post("runs/2/cancel").await, StatusCode::ACCEPTED);
    assert_eq!(calls.world.run_concluded(2).await["conclusion"], "cancelled");
    calls.world.restart().await;
    calls.runner = calls.world.runner();
    assert_eq!(calls.runner.try_claim(0).await, None);
    calls.runner.finish(&first, result(Conclusion::Success)).await;
    let rest = [(1, "row.1"), (1, "row.2"), (3, "row.0"), (3, "row.1"), (3, "row.2"), (4, "row.0")];
    for (run, key) in rest {
        assert_eq!(calls.next().await, job(run, key));
    }
    assert_eq!(calls.world.run_concluded(3).await["conclusion"], "success");
}
