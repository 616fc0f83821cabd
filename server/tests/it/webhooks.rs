use reqwest::StatusCode;
use serde_json::json;

use crate::world::{ONE_JOB, REPO, World};

#[tokio::test]
async fn what_is_not_a_signed_json_event_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let sha = world.git.commit("main", &[(".assay/workflows/ci.yml", ONE_JOB)]);
    let body = world.push_body("main", None, &sha);

    let (status, _) = world.deliver_signed("local", "push", "g1", "sha256=00", &body).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, _) = world.deliver_signed("local", "push", "g1", "", &body).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, reply) = world.deliver("local", "push", "g1", b"{\"no json").await;
    assert_eq!((status, &reply["error"]), (StatusCode::BAD_REQUEST, &json!("invalid")));
    let (status, _) = world.deliver("local", "push", "", &body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = world.deliver("nowhere", "push", "g1", &body).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // The length alone is enough: the body is not waited for, and the signature is not looked at.
    let large = vec![b' '; 25 * 1024 * 1024 + 1];
    let (status, _) = world.deliver_signed("local", "push", "g1", "", &large).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);

    let (status, reply) = world.deliver("local", "star", "g2", b"{}").await;
    assert_eq!((status, &reply["status"]), (StatusCode::ACCEPTED, &json!("ignored")));
    assert_eq!(world.get("runs").await["runs"], json!([]));
}

#[tokio::test]
async fn the_same_delivery_again_starts_nothing_again() {
    let world = World::new().await;
    let sha = world.git.commit("main", &[(".assay/workflows/ci.yml", ONE_JOB)]);
    let body = world.push_body("main", None, &sha);
    let word = |reply: serde_json::Value| reply["status"].as_str().unwrap().to_owned();
    assert_eq!(word(world.deliver("local", "push", "g1", &body).await.1), "accepted");
    assert_eq!(word(world.deliver("local", "push", "g1", &body).await.1), "duplicate");
    // A replay under another id, which is outside the signature.
    assert_eq!(word(world.deliver("local", "push", "g2", &body).await.1), "duplicate");
    world.run_exists(1).await;
    let other = world.git.commit("main", &[("README.md", "two")]);
    world.push("main", Some(&sha), &other).await;
    world.run_exists(2).await;
    assert_eq!(world.get("runs").await["runs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_commit_that_is_gone_starts_nothing_and_harms_nobody() {
    let world = World::new().await;
    let gone = "1".repeat(40).parse().unwrap();
    assert_eq!(world.push("main", None, &gone).await, StatusCode::ACCEPTED);
    world.push_main(ONE_JOB).await;
    let run = world.run_exists(1).await;
    assert_eq!((&run["branch"], &run["repo"]), (&json!("main"), &json!(REPO)));
}

#[tokio::test]
async fn what_was_accepted_survives_a_restart() {
    let mut world = World::new().await;
    let sha = world.git.commit("main", &[(".assay/workflows/ci.yml", ONE_JOB)]);
    let body = world.push_body("main", None, &sha);
    world.deliver("local", "push", "g1", &body).await;
    world.restart().await;
    assert_eq!(world.deliver("local", "push", "g1", &body).await.1["status"], "duplicate");
    let runner = world.runner();
    runner.run_one(workflows::run::Conclusion::Success).await;
    world.restart().await;
    assert_eq!(world.run_concluded(1).await["conclusion"], "success");
    world.gate_concluded(&sha).await;
}
