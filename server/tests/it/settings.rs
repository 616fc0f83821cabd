//! Secrets and variables, from the API to the job that is given them.

use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use workflows::run::Conclusion;

use crate::world::{REPO, World};

async fn ask(world: &World, method: Method, path: &str, body: Option<Value>, token: &str) -> (StatusCode, Value) {
    let request = world.client.request(method, format!("{}/api/v1/repos/{REPO}/{path}", world.url)).bearer_auth(token);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let reply = request.send().await.unwrap();
    (reply.status(), reply.json().await.unwrap_or(Value::Null))
}

fn files_below(directory: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![std::fs::read(path).unwrap()] })
        .collect()
}

const USING: &str = "on: push
jobs:
  plain: { runs-on: linux, name: 'for ${{ vars.TARGET }}', steps: [{ run: 'true' }] }
  inherits: { needs: plain, uses: ./.assay/workflows/called.yml, secrets: inherit }
  given:
    needs: inherits
    uses: ./.assay/workflows/called.yml
    secrets: { PASS: '${{ secrets.token }}!' }
  bare: { needs: given, uses: ./.assay/workflows/called.yml }
";
const CALLED: &str = "on:
  workflow_call: { secrets: { PASS: { required: false } } }
jobs:
  job: { runs-on: linux, steps: [{ run: 'true' }] }
";

#[tokio::test]
async fn what_is_set_reaches_jobs_and_called_workflows_as_they_are_given_it() {
    let mut world = World::new().await;
    let token = server::secrets::api_token(&world.data).unwrap();
    let set =
        async |path: &str, value: &str| ask(&world, Method::PUT, path, Some(json!({ "value": value })), &token).await.0;
    assert_eq!(set("secrets/token", "hunter\ntwenty-two").await, StatusCode::NO_CONTENT);
    assert_eq!(set("secrets/OTHER", "first").await, StatusCode::NO_CONTENT);
    assert_eq!(set("secrets/other", "second").await, StatusCode::NO_CONTENT);
    assert_eq!(set("variables/TARGET", "phones").await, StatusCode::NO_CONTENT);
    for wrong in ["secrets/GITHUB_TOKEN", "secrets/a-b", "variables/1x"] {
        assert_eq!(set(wrong, "x").await, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(set("secrets/EMPTY", "").await, StatusCode::BAD_REQUEST);
    assert_eq!(set("secrets/LONG", &"x".repeat(48_001)).await, StatusCode::PAYLOAD_TOO_LARGE);
    for (method, path) in [(Method::GET, "secrets"), (Method::GET, "variables"), (Method::DELETE, "secrets/TOKEN")] {
        assert_eq!(ask(&world, method, path, None, "guess").await.0, StatusCode::UNAUTHORIZED);
    }

    // They are kept, and what is kept is not readable.
    world.restart().await;
    let (_, listed) = ask(&world, Method::GET, "secrets", None, &token).await;
    let names: Vec<_> = listed["secrets"].as_array().unwrap().iter().map(|own| own["name"].clone()).collect();
    assert_eq!(names, ["OTHER", "TOKEN"]);
    assert!(!listed.to_string().contains("second"), "{listed}");
    let (_, listed) = ask(&world, Method::GET, "variables", None, &token).await;
    assert_eq!(listed["variables"][0]["value"], "phones");
    let stored = files_below(&world.data.join("store"));
    let hold = |text: &str| stored.iter().any(|bytes| bytes.windows(text.len()).any(|w| w == text.as_bytes()));
    assert!(hold("phones"), "the variable is not where it was looked for");
    assert!(!hold("twenty-two") && !hold("second"), "a secret can be read in the store");

    let runner = world.runner();
    let files = [(".assay/workflows/called.yml", CALLED), (".assay/workflows/ci.yml", USING)];
    let sha = world.git.commit("main", &files);
    world.push("main", None, &sha).await;
    let all = json!({ "TOKEN": "hunter\ntwenty-two", "OTHER": "second" });
    let expected = [
        ("plain", all.clone()),
        ("inherits/job", all),
        ("given/job", json!({ "PASS": "hunter\ntwenty-two!" })),
        ("bare/job", json!({})),
    ];
    for (key, secrets) in expected {
        let claim = runner.run_one(Conclusion::Success).await;
        assert_eq!(claim.job.key.as_str(), key);
        assert_eq!(json!(claim.job.secrets), secrets, "{key}");
        assert_eq!(claim.job.contexts["vars"], json!({ "TARGET": "phones" }));
        if key == "plain" {
            assert_eq!(claim.job.name, "for phones");
        }
    }

    assert_eq!(ask(&world, Method::DELETE, "secrets/other", None, &token).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ask(&world, Method::DELETE, "secrets/other", None, &token).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask(&world, Method::DELETE, "variables/target", None, &token).await.0, StatusCode::NO_CONTENT);
}
