//! Concurrency groups: of calls, and members that would wait for themselves.

use serde_json::Value;
use workflows::run::Conclusion;

use crate::world::World;

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
