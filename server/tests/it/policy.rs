//! What the server makes of workflow files and actions before anything runs.

use reqwest::StatusCode;
use serde_json::json;
use server::UntrustedText;

use crate::world::World;

const TITLE_IN_SCRIPT: &str = "on: [push, pull_request]
jobs:
  greet:
    runs-on: linux
    steps:
      - run: echo '${{ github.event.pull_request.title }}'
";

#[tokio::test]
async fn text_of_strangers_in_a_script_is_an_error_where_the_policy_says_so() {
    let world = World::with(|config| config.policy.untrusted_text = UntrustedText::Error).await;
    let sha = world.push_main(TITLE_IN_SCRIPT).await;
    world.run_exists(1).await;
    let run = world.run_concluded(1).await;
    let problem = &run["problems"][0];
    assert_eq!((&run["conclusion"], &problem["code"]), (&json!("failure"), &json!("script-injection")), "{run:#}");
    assert_eq!((&problem["severity"], &problem["line"], &problem["column"]), (&json!("error"), &json!(6), &json!(14)));
    assert!(problem["help"].as_str().unwrap().contains("env: { PULL_REQUEST_TITLE:"), "{problem:#}");
    let gate = world.gate_concluded(&sha).await;
    assert_eq!(gate["conclusion"], "failure");
    assert!(gate["summary"].as_str().unwrap().contains("github.event.pull_request.title"), "{gate:#}");
    assert_eq!(world.runner().try_claim(0).await, None);
}

#[tokio::test]
async fn by_default_text_of_strangers_in_a_script_is_a_warning() {
    let world = World::new().await;
    world.push_main(TITLE_IN_SCRIPT).await;
    assert_eq!(world.runner().claim().await.job.key.as_str(), "greet");
}

#[tokio::test]
async fn an_action_of_the_repository_is_looked_at_before_anything_runs() {
    let world = World::new().await;
    let action = "inputs: { whom: { required: true } }
runs:
  using: composite
  steps:
    - run: echo ${{ inputs.whom }}
";
    let uses =
        "on: push\njobs:\n  a:\n    runs-on: linux\n    steps:\n      - uses: ./greet\n        with: { whmo: you }\n";
    let sha = world.git.commit("main", &[("greet/action.yml", action), (".assay/workflows/ci.yml", uses)]);
    assert_eq!(world.push("main", None, &sha).await, StatusCode::ACCEPTED);
    world.run_exists(1).await;
    let run = world.run_concluded(1).await;
    let place = |problem: &serde_json::Value| {
        let part = |key: &str| problem[key].to_string().replace('"', "");
        format!("{}:{}:{} {}", part("file"), part("line"), part("column"), part("code"))
    };
    let problems: Vec<String> = run["problems"].as_array().unwrap().iter().map(place).collect();
    let file = ".assay/workflows/ci.yml";
    let caller = [format!("{file}:6:15 missing-input"), format!("{file}:7:23 unknown-input")];
    assert_eq!(problems, [&caller[..], &["greet/action.yml:5:7 missing-key".to_owned()]].concat());

    // A step may make one that is not in the commit.
    let made = uses.replace("./greet", "./made");
    let sha = world.git.commit("main", &[(".assay/workflows/ci.yml", &made)]);
    world.push("main", None, &sha).await;
    assert_eq!(world.runner().claim().await.job.key.as_str(), "a");
}
