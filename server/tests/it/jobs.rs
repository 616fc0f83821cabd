//! Leases, needs, artifacts, cancellation.

use reqwest::StatusCode;
use serde_json::{Value, json};
use workflows::{
    protocol::{Claim, Finished, Heartbeat, HeartbeatReply, Refusal},
    run::Conclusion,
};

use crate::world::{ONE_JOB, Runner, World, result, until};

#[tokio::test]
async fn a_lost_runners_job_goes_to_another_and_its_own_words_are_refused() {
    let world = World::with(|config| config.lease_ttl_s = 1).await;
    let runner = world.runner();
    world.push_main(ONE_JOB).await;
    let lost = runner.claim().await;
    // Nothing is heard of the first runner; the job comes back when its lease has run out.
    let found = runner.claim().await;
    assert_eq!(found.job.key, lost.job.key);
    assert!(found.lease.token > lost.lease.token);
    let reply = runner.post(&lost, "heartbeat").json(&Heartbeat { telemetry: vec![] }).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::GONE);
    assert_eq!(reply.json::<Refusal>().await.unwrap(), Refusal::StaleLease);
    let stale = runner.report(&lost, Some(Finished::Concluded(Box::new(result(Conclusion::Failure))))).await;
    assert_eq!(stale, StatusCode::GONE);
    runner.finish(&found, result(Conclusion::Success)).await;
    assert_eq!(world.run_concluded(1).await["conclusion"], "success");
}

#[tokio::test]
async fn a_job_that_loses_every_runner_fails() {
    let world = World::with(|config| config.lease_ttl_s = 1).await;
    let runner = world.runner();
    world.push_main(ONE_JOB).await;
    for _ in 0..3 {
        runner.claim().await;
    }
    let run = world.run_concluded(1).await;
    assert_eq!(run["conclusion"], "failure");
    assert!(run["jobs"][0]["summary"].as_str().unwrap().contains("lost its runner"), "{run:#}");
}

#[tokio::test]
async fn a_job_given_back_is_offered_at_once() {
    let world = World::new().await;
    let runner = world.runner();
    world.push_main(ONE_JOB).await;
    let first = runner.claim().await;
    let back = Finished::GivenBack { reason: "the runner is being stopped".into() };
    assert_eq!(runner.report(&first, Some(back)).await, StatusCode::NO_CONTENT);
    let second = runner.claim().await;
    assert_eq!(first.job.key, second.job.key);
    assert_eq!(runner.report(&first, None).await, StatusCode::GONE);
}

#[tokio::test]
async fn a_log_is_appended_by_offset_and_a_repeat_is_harmless() {
    let world = World::new().await;
    let runner = world.runner();
    world.push_main(ONE_JOB).await;
    let claim = runner.claim().await;
    let put = async |offset: u64, text: &'static str| {
        let reply = runner.put(&claim, &format!("log?offset={offset}")).body(text).send().await.unwrap();
        (reply.status(), reply.json::<Value>().await.unwrap())
    };
    assert_eq!(put(0, "hello ").await, (StatusCode::OK, json!({"length": 6})));
    assert_eq!(put(0, "hello world").await, (StatusCode::OK, json!({"length": 11})));
    let (status, refusal) = put(99, "!").await;
    assert_eq!((status, &refusal["length"]), (StatusCode::CONFLICT, &json!(11)));
}

#[tokio::test]
async fn needs_outputs_and_artifacts_reach_the_next_job() {
    let world = World::new().await;
    let runner = world.runner();
    world
        .push_main(
            "on: push\njobs:\n  build:\n    runs-on: linux\n    outputs: { digest: x }\n    steps: [{run: make}]\n  \
             use:\n    needs: build\n    runs-on: linux\n    steps: [{run: use}]\n  \
             never:\n    needs: build\n    if: failure()\n    runs-on: linux\n    steps: [{run: no}]\n",
        )
        .await;
    let build = runner.claim().await;
    assert_eq!(build.job.key.as_str(), "build");
    let put = runner.put(&build, "artifacts/model").body("bytes of a tar").send().await.unwrap();
    assert!(put.status().is_success());
    let mut built = result(Conclusion::Success);
    built.outputs.insert("digest".into(), "abc".into());
    runner.finish(&build, built).await;

    let next = runner.claim().await;
    assert_eq!(next.job.key.as_str(), "use");
    let needs = serde_json::to_value(&next.job.contexts["needs"]).unwrap();
    assert_eq!(needs, json!({"build": {"result": "success", "outputs": {"digest": "abc"}}}));
    assert_eq!(next.job.contexts["github"]["run_number"], "1");
    let list: Value = runner.get(&next, "artifacts").send().await.unwrap().json().await.unwrap();
    assert_eq!(list, json!({"names": ["model"]}));
    let got = runner.get(&next, "artifacts/model").send().await.unwrap();
    assert_eq!(got.bytes().await.unwrap(), "bytes of a tar");
    let missing = runner.get(&next, "artifacts/other").send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    runner.finish(&next, result(Conclusion::Success)).await;
    let run = world.run_concluded(1).await;
    assert_eq!((&run["conclusion"], &run["skipped"]), (&json!("success"), &json!(["never"])), "{run:#}");
}

/// As GitHub's "workflow cancellation reference" says; asked once more, its "force-cancel".
#[tokio::test]
async fn a_job_whose_condition_holds_for_a_cancelled_run_goes_on_until_that_is_asked_for_twice() {
    let world = World::new().await;
    let runner = world.runner();
    world.push_main("on: push\njobs:\n  a: { runs-on: linux, if: always(), steps: [{ run: make }] }\n  b: { runs-on: linux, steps: [{ run: make }] }\n").await;
    let (first, second) = (runner.claim().await, runner.claim().await);
    let (goes_on, ends) = if first.job.key.as_str() == "a" { (first, second) } else { (second, first) };
    let wish = async |claim: &Claim| {
        let reply = runner.post(claim, "heartbeat").json(&Heartbeat { telemetry: vec![] }).send().await.unwrap();
        reply.json::<HeartbeatReply>().await.unwrap().cancel
    };
    assert_eq!(world.post("runs/1/cancel").await, StatusCode::ACCEPTED);
    until("the job without a condition hears of it", async || wish(&ends).await.ok_or("no wish")).await;
    assert_eq!(wish(&goes_on).await, None);
    assert_eq!(world.post("runs/1/cancel").await, StatusCode::ACCEPTED);
    until("the other one too", async || wish(&goes_on).await.ok_or("no wish")).await;
    runner.finish(&ends, result(Conclusion::Cancelled)).await;
    runner.finish(&goes_on, result(Conclusion::Cancelled)).await;
    assert_eq!(world.run_concluded(1).await["conclusion"], "cancelled");
}

#[tokio::test]
async fn a_cancelled_run_stops_and_can_be_run_again() {
    let world = World::new().await;
    let runner = world.runner();
    world.push_main(ONE_JOB).await;
    let claim = runner.claim().await;
    assert_eq!(world.post("runs/1/rerun").await, StatusCode::CONFLICT);
    assert_eq!(world.post("runs/1/cancel").await, StatusCode::ACCEPTED);
    let reason = until("the heartbeat carries the wish", async || {
        let beat = runner.post(&claim, "heartbeat").json(&Heartbeat { telemetry: vec![] });
        let reply: HeartbeatReply = beat.send().await.unwrap().json().await.unwrap();
        reply.cancel.ok_or("no wish")
    })
    .await;
    assert!(reason.contains("by hand"), "{reason}");
    runner.finish(&claim, result(Conclusion::Cancelled)).await;
    assert_eq!(world.run_concluded(1).await["conclusion"], "cancelled");
    assert_eq!(world.post("runs/1/cancel").await, StatusCode::CONFLICT);

    assert_eq!(world.post("runs/1/rerun").await, StatusCode::ACCEPTED);
    let again = runner.run_one(Conclusion::Success).await;
    assert_eq!((again.job.attempt, again.job.run_number), (2, 1));
    let run = world.run_concluded(1).await;
    assert_eq!((&run["conclusion"], &run["attempt"]), (&json!("success"), &json!(2)));
    assert_eq!(world.get("runs?conclusion=cancelled").await["runs"], json!([]));
}

#[tokio::test]
async fn a_newer_run_of_a_concurrency_group_takes_the_place_of_those_that_wait() {
    let world = World::new().await;
    let runner = world.runner();
    let workflow = format!("concurrency: {{ group: one }}\n{ONE_JOB}");
    let mut before = world.push_main(&workflow).await;
    let first = runner.claim().await;
    for (number, text) in [(2, "two"), (3, "three")] {
        let sha = world.git.commit("main", &[("README.md", text)]);
        world.push("main", Some(&before), &sha).await;
        world.run_exists(number).await;
        before = sha;
    }
    assert_eq!(world.run_concluded(2).await["conclusion"], "cancelled");
    assert_eq!(runner.try_claim(0).await, None);
    runner.finish(&first, result(Conclusion::Success)).await;
    let next = runner.run_one(Conclusion::Success).await;
    assert_eq!(next.job.run_number, 3);
    assert_eq!(world.run_concluded(3).await["conclusion"], "success");
}

#[tokio::test]
async fn a_runner_without_the_token_or_of_another_version_gets_nothing() {
    let world = World::new().await;
    let runner = world.runner();
    let claim = crate::world::Runner::request(0);
    let url = format!("{}/claim", runner.url);
    let reply = world.client.post(&url).json(&claim).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
    let token = server::secrets::runner_token(&world.data).unwrap();
    let other = workflows::protocol::ClaimRequest { version: 99, ..claim };
    let reply = world.client.post(&url).bearer_auth(token).json(&other).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    assert_eq!(reply.json::<Refusal>().await.unwrap(), Refusal::Version { server: 1 });
}

#[tokio::test]
async fn the_run_list_is_narrowed_and_paged() {
    let world = World::new().await;
    let runner = world.runner();
    world.push_main(ONE_JOB).await;
    runner.run_one(Conclusion::Success).await;
    for (number, text) in [(2, "a"), (3, "b"), (4, "c")] {
        let sha = world.git.commit("feature", &[("README.md", text)]);
        world.push("feature", None, &sha).await;
        world.run_exists(number).await;
        runner.run_one(Conclusion::Failure).await;
        world.run_concluded(number).await;
    }
    let numbers = async |query: &str| {
        let page = world.get(&format!("runs?{query}")).await;
        let numbers: Vec<u64> =
            page["runs"].as_array().unwrap().iter().map(|run| run["number"].as_u64().unwrap()).collect();
        (numbers, page["next"].as_u64())
    };
    assert_eq!(numbers("").await, (vec![4, 3, 2, 1], None));
    assert_eq!(numbers("branch=feature&limit=2").await, (vec![4, 3], Some(3)));
    assert_eq!(numbers("branch=feature&limit=2&before=3").await, (vec![2], None));
    assert_eq!(numbers("conclusion=success").await, (vec![1], None));
    assert_eq!(numbers("conclusion=failure&branch=main").await, (vec![], None));
}

const CALLED: &str = "on:
  workflow_call:
    inputs: { model: { type: string } }
    outputs: { digest: { value: '${{ jobs.build.outputs.digest }}' } }
env: { LAYER: called }
jobs:
  build:
    name: build ${{ inputs.model }}
    runs-on: linux
    outputs: { digest: x }
    steps: [{ run: make }]
";

#[tokio::test]
async fn a_workflow_is_called_and_its_outputs_reach_what_needs_the_call() {
    let world = World::new().await;
    let runner = world.runner();
    let caller = "on: push
jobs:
  call:
    strategy: { matrix: { model: [a, b] } }
    uses: ./.assay/workflows/called.yml
    with: { model: '${{ matrix.model }}' }
  use: { runs-on: linux, needs: call, steps: [{ run: use }] }
  never: { uses: ./.assay/workflows/called.yml, if: github.ref == 'no' }
";
    let files = [(".assay/workflows/called.yml", CALLED), (".assay/workflows/ci.yml", caller)];
    let sha = world.git.commit("main", &files);
    world.push("main", None, &sha).await;
    for (key, name) in [("call.0/build", "call (a) / build a"), ("call.1/build", "call (b) / build b")] {
        let claim = runner.claim().await;
        assert_eq!((claim.job.key.as_str(), claim.job.name.as_str()), (key, name));
        assert_eq!(claim.job.workflow_file, ".assay/workflows/called.yml");
        assert_eq!(claim.job.workflow_env["LAYER"], "called");
        let mut built = result(Conclusion::Success);
        built.outputs.insert("digest".into(), key.into());
        runner.finish(&claim, built).await;
    }
    let after = runner.claim().await;
    assert_eq!(after.job.key.as_str(), "use");
    let needs = serde_json::to_value(&after.job.contexts["needs"]).unwrap();
    assert_eq!(needs, json!({"call": {"result": "success", "outputs": {"digest": "call.1/build"}}}));
    runner.finish(&after, result(Conclusion::Success)).await;
    let run = world.run_concluded(1).await;
    assert_eq!((&run["conclusion"], &run["skipped"]), (&json!("success"), &json!(["never"])), "{run:#}");

    assert_eq!(world.post("runs/1/rerun").await, StatusCode::ACCEPTED);
    for key in ["call.0/build", "call.1/build", "use"] {
        assert_eq!(runner.run_one(Conclusion::Success).await.job.key.as_str(), key);
    }
    assert_eq!(world.run_concluded(1).await["attempt"], 2);
}

#[tokio::test]
async fn a_call_that_cannot_be_made_is_said_where_it_stands() {
    let world = World::new().await;
    world.push_main("on: push\njobs:\n  call:\n    uses: ./.assay/workflows/nowhere.yml\n").await;
    world.run_exists(1).await;
    let run = world.run_concluded(1).await;
    assert_eq!(run["conclusion"], "failure");
    assert_eq!(run["problems"][0]["message"], "there is no workflow `./.assay/workflows/nowhere.yml`", "{run:#}");
    assert_eq!(run["problems"][0]["line"], 4);
}

/// A workflow of two jobs in the groups that are named.
fn grouped(first: &str, second: &str) -> String {
    let job = |id: &str, concurrency: &str| {
        format!("  {id}:\n    runs-on: linux\n    concurrency: {concurrency}\n    steps: [{{ run: x }}]\n")
    };
    format!("on: push\njobs:\n{}{}", job("train", first), job("test", second))
}

/// `test` and `train` of a run.
async fn both(runner: &Runner) -> [Claim; 2] {
    let mut claims = [runner.claim().await, runner.claim().await];
    claims.sort_by_key(|claim| claim.job.key.to_string());
    assert_eq!([claims[0].job.key.as_str(), claims[1].job.key.as_str()], ["test", "train"]);
    claims
}

#[tokio::test]
async fn jobs_of_one_concurrency_group_run_one_at_a_time_across_runs() {
    let world = World::new().await;
    let runner = world.runner();
    let text = grouped("GPU-${{ github.ref_name }}", "{ group: 'free-${{ github.run_id }}' }");
    let mut before = world.push_main(&text).await;
    let [test, first] = both(&runner).await;
    runner.finish(&test, result(Conclusion::Success)).await;
    for (number, content) in [(2, "two"), (3, "three")] {
        let text = text.replace("GPU", "gpu");
        let files = [("README.md", content), (".assay/workflows/ci.yml", text.as_str())];
        let sha = world.git.commit("main", &files);
        world.push("main", Some(&before), &sha).await;
        world.run_exists(number).await;
        // Its other job is in a group of its own.
        assert_eq!(runner.run_one(Conclusion::Success).await.job.key.as_str(), "test");
        before = sha;
    }
    // The newer one that waits has taken the place of the older, which has nothing else to do.
    let second = world.run_concluded(2).await;
    assert_eq!(second["conclusion"], "cancelled", "{second:#}");
    let train = |run: &Value| {
        let jobs = run["jobs"].as_array().unwrap();
        jobs.iter().find(|job| job["key"] == "train").unwrap()["summary"].clone()
    };
    assert_eq!(train(&second), "train of run #3 is newer in the concurrency group gpu-main");
    assert_eq!(runner.try_claim(0).await, None);
    let third = world.get("runs/3").await;
    assert_eq!(train(&third), "waits for its place in the concurrency group gpu-main");
    runner.finish(&first, result(Conclusion::Success)).await;
    let next = runner.run_one(Conclusion::Success).await;
    assert_eq!((next.job.run_number, next.job.key.as_str()), (3, "train"));
    assert_eq!(world.run_concluded(3).await["conclusion"], "success");

    // A run that is run again asks anew: its jobs are the newest.
    let sha = world.git.commit("main", &[("README.md", "four")]);
    world.push("main", Some(&before), &sha).await;
    let [_, fourth] = both(&runner).await;
    for again in [2, 1] {
        assert_eq!(world.post(&format!("runs/{again}/rerun")).await, StatusCode::ACCEPTED);
        assert_eq!(runner.run_one(Conclusion::Success).await.job.key.as_str(), "test");
    }
    assert_eq!(world.run_concluded(2).await["conclusion"], "cancelled");
    runner.finish(&fourth, result(Conclusion::Success)).await;
    let next = runner.run_one(Conclusion::Success).await;
    assert_eq!((next.job.run_number, next.job.attempt, next.job.key.as_str()), (1, 2, "train"));
}

#[tokio::test]
async fn a_newer_job_cancels_the_one_in_progress_where_its_workflow_says_so() {
    let world = World::new().await;
    let runner = world.runner();
    let text = grouped("{ group: gpu, cancel-in-progress: \"${{ github.ref_name == 'main' }}\" }", "free");
    let before = world.push_main(&text).await;
    let [test, train] = both(&runner).await;
    let sha = world.git.commit("main", &[("README.md", "two")]);
    world.push("main", Some(&before), &sha).await;
    let beat = async |claim| {
        let beat = runner.post(claim, "heartbeat").json(&Heartbeat { telemetry: vec![] });
        beat.send().await.unwrap().json::<HeartbeatReply>().await.unwrap().cancel
    };
    let reason = until("the job is asked to stop", async || beat(&train).await.ok_or("no wish")).await;
    assert_eq!(reason, "train of run #2 is newer in the concurrency group gpu");
    assert_eq!(beat(&test).await, None);
    assert_eq!(runner.try_claim(0).await, None);
    runner.finish(&train, result(Conclusion::Cancelled)).await;
    let next = runner.run_one(Conclusion::Success).await;
    assert_eq!((next.job.run_number, next.job.key.as_str()), (2, "train"));
}

#[tokio::test]
async fn a_run_that_is_run_again_is_the_newest_of_its_concurrency_group() {
    let world = World::new().await;
    let runner = world.runner();
    let workflow = format!("concurrency: one\n{ONE_JOB}");
    let mut before = world.push_main(&workflow).await;
    runner.run_one(Conclusion::Failure).await;
    world.run_concluded(1).await;
    let mut running = None;
    for (number, text) in [(2, "two"), (3, "three")] {
        let sha = world.git.commit("main", &[("README.md", text)]);
        world.push("main", Some(&before), &sha).await;
        world.run_exists(number).await;
        before = sha;
        if number == 2 {
            running = Some(runner.claim().await);
        }
    }
    assert_eq!(world.post("runs/1/rerun").await, StatusCode::ACCEPTED);
    assert_eq!(world.run_concluded(3).await["conclusion"], "cancelled");
    runner.finish(&running.unwrap(), result(Conclusion::Success)).await;
    let next = runner.run_one(Conclusion::Success).await;
    assert_eq!((next.job.run_number, next.job.attempt), (1, 2));
    assert_eq!(world.run_concluded(1).await["conclusion"], "success");
}
