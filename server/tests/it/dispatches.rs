//! Workflows that no push starts: by their schedule, by hand, by an event of the repository.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use server::ManualClock;

use crate::world::{ONE_JOB, REPO, World};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Its runs tell by their names what they saw.
const NIGHTLY: &str = "on: { schedule: [{ cron: '0 4 * * *' }] }
run-name: nightly
jobs:
  night:
    runs-on: linux
    name: ${{ github.event_name }} ${{ github.event.schedule }} on ${{ github.ref }}
    steps: [{ run: 'true' }]
";

/// A run, once it is there, with its jobs.
async fn run(world: &World, number: u64) -> Value {
    world.run_exists(number).await;
    world.get(&format!("runs/{number}")).await
}

#[tokio::test]
async fn a_schedule_starts_when_its_time_has_come_and_once() {
    let clock = ManualClock::at("2026-11-27T03:00:00Z".parse().unwrap());
    let mut world = World::at(clock.clone()).await;
    let files = [(".assay/workflows/nightly.yml", NIGHTLY), (".assay/workflows/ci.yml", ONE_JOB)];
    let first = world.git.commit("main", &files);
    world.push("main", None, &first).await;
    assert_eq!(run(&world, 1).await["event"], "push");
    clock.advance(HOUR);
    let found = run(&world, 2).await;
    assert_eq!((&found["event"], &found["sha"], &found["branch"]), (&json!("schedule"), &json!(first), &json!("main")));
    assert_eq!(found["jobs"][0]["name"], "schedule 0 4 * * * on refs/heads/main", "{found:#}");

    // What was missed while the server was away is made up for once, and on the newest commit.
    world.stop().await;
    let second = world.git.commit("main", &[("README.md", "two")]);
    clock.advance(3 * DAY);
    world.start().await;
    let found = run(&world, 3).await;
    assert_eq!((&found["event"], &found["sha"]), (&json!("schedule"), &json!(second)));

    // Another time of the same workflow: the old one is forgotten.
    let third = world.git.commit("main", &[(".assay/workflows/nightly.yml", &NIGHTLY.replace("0 4", "0 6"))]);
    world.push("main", Some(&second), &third).await;
    assert_eq!(run(&world, 4).await["event"], "push");
    // Now it is 4:00 on the 30th; until 6:00 nothing but the new one is due.
    clock.advance(2 * HOUR);
    let found = run(&world, 5).await;
    assert_eq!(found["jobs"][0]["name"], "schedule 0 6 * * * on refs/heads/main", "{found:#}");
    assert_eq!(world.get("runs").await["runs"].as_array().unwrap().len(), 5);
}

const BY_HAND: &str = "on:
  workflow_dispatch:
    inputs:
      size: { type: choice, options: [small, large], default: small }
      n: { type: number, required: true }
jobs:
  train:
    runs-on: linux
    name: ${{ inputs.size }} ${{ inputs.n }} ${{ github.event.inputs.n }} by ${{ github.actor }} on ${{ github.ref_name }}
    steps: [{ run: 'true' }]
";
const OTHER: &str = "on: workflow_dispatch\njobs: { other: { runs-on: linux, steps: [{ run: 'true' }] } }\n";

async fn post(world: &World, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
    let url = format!("{}/api/v1/repos/{REPO}/{path}", world.url);
    let reply = world.client.post(url).bearer_auth(token).json(&body).send().await.unwrap();
    (reply.status(), reply.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_workflow_is_started_by_hand_with_its_inputs() {
    let world = World::new().await;
    let token = server::secrets::api_token(&world.data).unwrap();
    let ask = async |path: &str, body: Value| post(&world, path, &token, body).await;
    let (status, answer) = ask("workflows/train.yml/dispatches", json!({ "inputs": { "n": 3 } })).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nothing is known of the repository: {answer}");

    let files = [(".assay/workflows/train.yml", BY_HAND), (".assay/workflows/other.yml", OTHER)];
    let main = world.git.commit("main", &files);
    world.push("main", None, &main).await;
    world.gate_concluded(&main).await;
    let broken = "on: workflow_dispatch\njobs: { a: { runs-in: x } }\n";
    let topic =
        world.git.commit("topic", &[(".assay/workflows/other.yml", broken), (".assay/workflows/train.yml", BY_HAND)]);

    let started = json!({ "inputs": { "n": 3 }, "actor": "ada" });
    let (status, _) = post(&world, "workflows/train.yml/dispatches", "guessed", started.clone()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    for (path, body, status, said) in [
        ("train.yml", json!({}), StatusCode::BAD_REQUEST, "the input `n` is required"),
        ("train.yml", json!({ "inputs": { "n": 1, "size": "huge" } }), StatusCode::BAD_REQUEST, "one of small, large"),
        ("nothing.yml", json!({}), StatusCode::NOT_FOUND, ".assay/workflows/nothing.yml is not there at main"),
        ("train.yml", json!({ "ref": "nowhere" }), StatusCode::NOT_FOUND, "no branch or tag nowhere"),
        ("other.yml", json!({ "ref": "topic" }), StatusCode::BAD_REQUEST, "other.yml is not valid: line 2:"),
    ] {
        let (got, answer) = ask(&format!("workflows/{path}/dispatches"), body).await;
        assert_eq!(got, status, "{path}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(said), "{path}: {answer}");
    }

    // Twice the same are two runs, and the other workflow, which listens too, is not meant.
    for number in [1, 2] {
        let (status, answer) = ask("workflows/train.yml/dispatches", started.clone()).await;
        assert_eq!((status, &answer["head"]), (StatusCode::ACCEPTED, &json!(main)), "{answer}");
        let found = run(&world, number).await;
        assert_eq!(found["event"], "workflow_dispatch");
        assert_eq!(found["jobs"][0]["name"], "small 3 3 by ada on main", "{found:#}");
    }
    let path = "workflows/.assay/workflows/train.yml/dispatches";
    let (status, _) = ask(path, json!({ "ref": "topic", "inputs": { "n": "4", "size": "large" } })).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let found = run(&world, 3).await;
    assert_eq!((&found["sha"], &found["branch"]), (&json!(topic), &json!("topic")));
    assert_eq!(found["jobs"][0]["name"], "large 4 4 by api on topic", "{found:#}");
    assert_eq!(world.get("runs").await["runs"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn an_event_of_the_repository_starts_what_listens_to_it() {
    let world = World::new().await;
    let token = server::secrets::api_token(&world.data).unwrap();
    let workflow = "on: { repository_dispatch: { types: [new-data] } }
jobs: { eval: { runs-on: linux, name: 'of ${{ github.event.client_payload.set }}', steps: [{ run: 'true' }] } }
";
    let main = world.git.commit("main", &[(".assay/workflows/eval.yml", workflow)]);
    world.push("main", None, &main).await;
    world.gate_concluded(&main).await;
    let (status, _) = post(&world, "dispatches", &token, json!({ "event_type": "weather" })).await;
    assert_eq!(status, StatusCode::ACCEPTED, "nobody listens, and that is no mistake");
    let event = json!({ "event_type": "new-data", "client_payload": { "set": "digits-7" } });
    let (status, _) = post(&world, "dispatches", &token, event).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let found = run(&world, 1).await;
    assert_eq!((&found["event"], &found["jobs"][0]["name"]), (&json!("repository_dispatch"), &json!("of digits-7")));
}
