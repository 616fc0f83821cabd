//! The button on GitHub's check run: who pressed it, what it did, and what became of it.

use serde_json::{Value, json};
use tests::wait::until_async;

use super::world::{GATE, REPO, WORKFLOW, World, accepted, conclusion, outcomes};

const PERMISSION: &str = "/collaborators/mona/permission";

/// The verdict of a commit as the API tells it, once it is so.
async fn judged(world: &World, stack: &tests::stack::Stack, head: &workflows::ids::Sha, conclusion: &str) -> Value {
    until_async(&format!("the gate to conclude with {conclusion}"), async || {
        let gate = world.get(stack, &format!("commits/{head}/gate")).await;
        if gate["conclusion"] == conclusion { Ok(gate) } else { Err(gate) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_maintainer_accepts_by_the_button_and_the_next_push_is_judged_again() {
    let world = World::new();
    let stack = world.server_and_runner();
    let main = world.main(WORKFLOW).await;
    let worse = world.repo.commit("worse", Some(&main), "Half the size", &[("outcomes.jsonl", &outcomes(48))]);
    let (number, checks) = world.pull("worse", &worse, "Half the size").await;
    assert_eq!(conclusion(&checks, GATE), "failure");
    let button = checks[GATE].id;
    let text = checks[GATE].summary.clone();
    assert!(text.contains("by this check's button"), "{text}");

    // Whoever does not maintain the repository presses in vain, and so does one who presses what is not there.
    let other = world.repo.commit("other", Some(&main), "Other", &[("outcomes.jsonl", &outcomes(49))]);
    let (_, others) = world.pull("other", &other, "Other").await;
    world.github.state().repo_mut(REPO).collaborators.insert("mona".to_owned(), "write");
    accepted(world.github.press(REPO, others[GATE].id, "accept")).await;
    until_async("GitHub to be asked who that is", async || {
        let asked = world.github.state().count("GET", PERMISSION);
        if asked == 1 { Ok(()) } else { Err(asked) }
    })
    .await;
    accepted(world.github.press(REPO, button, "launch")).await;
    assert!(!world.github.state().repo(REPO).passes(&other, GATE));
    assert_eq!(world.get(&stack, "audit").await["acceptances"], json!([]));

    world.github.state().repo_mut(REPO).collaborators.insert("mona".to_owned(), "maintain");
    accepted(world.github.press(REPO, button, "accept")).await;
    let passes = |runs: &[tests::github::state::CheckRun]| {
        runs.iter().any(|run| run.name == GATE && run.conclusion.as_deref() == Some("neutral"))
    };
    let runs = world.checks(&worse, "the accepted gate to be shown", passes).await;
    let gate = runs.iter().find(|run| run.name == GATE && run.conclusion.as_deref() == Some("neutral")).unwrap();
    assert!(gate.title.starts_with("Accepted by mona. Failed: accuracy"), "{gate:#?}");
    assert!(gate.summary.contains("**Accepted by mona** at 2"), "{gate:#?}");
    assert!(gate.summary.contains("for `accuracy`: accepted on the check run"), "{gate:#?}");
    assert!(gate.text.as_ref().unwrap().contains(&format!("the head `{worse}` and the base `{main}`")), "{gate:#?}");
    assert!(world.github.state().repo(REPO).passes(&worse, GATE));
    let page = judged(&world, &stack, &worse, "neutral").await["url"].as_str().unwrap().to_owned();
    let page = reqwest::get(page).await.unwrap().text().await.unwrap();
    assert!(page.contains("Accepted by mona"), "{page}");

    let trail = world.get(&stack, "audit").await;
    let [entry] = &trail["acceptances"].as_array().unwrap()[..] else { panic!("{trail:#}") };
    assert_eq!((&entry["sha"], &entry["base"]), (&json!(worse), &json!(main)), "{entry:#}");
    assert_eq!((&entry["by"]["name"], &entry["by"]["via"]), (&json!("mona"), &json!("check_run")));
    assert!(entry["by"]["account"].is_u64() && entry["at"].as_str().unwrap().ends_with('Z'), "{entry:#}");
    let rule = &entry["rules"][0];
    assert_eq!((&rule["metric"], &rule["base"], &rule["head"]), (&json!("accuracy"), &json!(0.98), &json!(0.88)));

    // Bound to its head: the next push is judged as if nobody had said anything.
    let next = world.repo.commit("worse", None, "Words", &[("README.md", b"words")]);
    accepted(world.github.pull_synchronized(REPO, number, &next)).await;
    let checks = world.concluded(&next).await;
    assert_eq!(conclusion(&checks, GATE), "failure");
    assert!(!checks[GATE].summary.contains("Accepted") && !world.github.state().repo(REPO).passes(&next, GATE));

    // Merged, its numbers are the baseline, with the decision on the record.
    world.repo.point("main", &worse);
    accepted(world.github.push(REPO, "main", Some(&main), &worse)).await;
    let after = world.repo.commit("after", Some(&worse), "After", &[("README.md", b"other words")]);
    let (_, checks) = world.pull("after", &after, "After").await;
    assert_eq!(conclusion(&checks, GATE), "success", "{:#?}", checks[GATE]);
    let gate = judged(&world, &stack, &after, "success").await;
    assert_eq!((&gate["base"], &gate["verdict"]["rules"][0]["base"]), (&json!(worse), &json!(0.88)), "{gate:#}");
    assert_eq!(judged(&world, &stack, &worse, "neutral").await["acceptance"]["by"]["name"], "mona");
    stack.stop().await;
}

/// What GitHub says of two presses of one button differs by the delivery's id alone, which the signature does not cover.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_press_is_heard_when_it_is_made_again() {
    let world = World::new();
    let stack = world.server_and_runner();
    let (worse, button) = refused(&world).await;
    world.github.state().repo_mut(REPO).collaborators.insert("mona".to_owned(), "maintain");
    accepted(world.github.press(REPO, button, "accept")).await;
    let passes = |runs: &[tests::github::state::CheckRun]| {
        runs.iter().any(|run| run.name == GATE && run.conclusion.as_deref() == Some("neutral"))
    };
    world.checks(&worse, "the accepted gate to be shown", passes).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_press_under_another_id_accepts_nothing() {
    // Looked for once, at the start: whatever else is asked for is asked for by the replay.
    let world = World { recovery_interval_s: 3600, ..World::new() };
    let stack = world.server_and_runner();
    let (_, button) = refused(&world).await;
    world.github.state().repo_mut(REPO).collaborators.insert("mona".to_owned(), "maintain");
    accepted(world.github.replay_last("made-up")).await;
    // GitHub may list a delivery somewhat later than it sends it.
    until_async("GitHub to be asked again whether it sent that", async || {
        let asked = world.github.state().count("GET", "/app/hook/deliveries");
        if asked >= 3 { Ok(()) } else { Err(asked) }
    })
    .await;
    assert_eq!(world.get(&stack, "audit").await["acceptances"], json!([]));
    assert_eq!(world.github.state().count("GET", PERMISSION), 1);
    // One that comes meanwhile is not lost: GitHub is to send it again, and the recovery asks it to.
    assert_eq!(world.github.press(REPO, button, "accept").await, 503);
    stack.stop().await;
}

/// A failed gate, whose button somebody pressed who may not; the commit and the button.
async fn refused(world: &World) -> (workflows::ids::Sha, u64) {
    let main = world.main(WORKFLOW).await;
    let worse = world.repo.commit("worse", Some(&main), "Half the size", &[("outcomes.jsonl", &outcomes(48))]);
    let (_, checks) = world.pull("worse", &worse, "Half the size").await;
    world.github.state().repo_mut(REPO).collaborators.insert("mona".to_owned(), "write");
    accepted(world.github.press(REPO, checks[GATE].id, "accept")).await;
    until_async("GitHub to be asked who that is", async || {
        let asked = world.github.state().count("GET", PERMISSION);
        if asked == 1 { Ok(()) } else { Err(asked) }
    })
    .await;
    (worse, checks[GATE].id)
}

/// The links of the flipped examples lead to the outcomes of both sides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_examples_lead_to_both_outcomes() {
    let world = World::new();
    let stack = world.server_and_runner();
    let main = world.main(WORKFLOW).await;
    let worse = world.repo.commit("worse", Some(&main), "Worse", &[("outcomes.jsonl", &outcomes(48))]);
    let (_, checks) = world.pull("worse", &worse, "Worse").await;
    let text = checks[GATE].text.clone().unwrap();
    for (of, wrong) in [("the base's", 8), ("the head's", 48)] {
        let link = text.split(&format!("[{of}](")).nth(1).unwrap_or_else(|| panic!("{text}"));
        let url = link.split(')').next().unwrap();
        let reply = reqwest::get(url).await.unwrap();
        assert_eq!(reply.status(), 200, "{url}");
        let bytes = reply.bytes().await.unwrap();
        let text = zstd::decode_all(&bytes[..]).expect("it is what its name says");
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.matches(r#""prediction":"1""#).count(), wrong, "{url}");
    }
    let missing = format!("{}/{REPO}/runs/1/outcomes/eval?evaluation=other", stack.url);
    assert_eq!(reqwest::get(missing).await.unwrap().status(), 404);
    stack.stop().await;
}
