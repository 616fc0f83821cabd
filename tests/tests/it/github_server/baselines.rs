//! What a head commit is compared with, and that it always gets its one answer.

use serde_json::json;
use tests::wait::until_async;

use super::world::{FILE, GATE, REPO, WORKFLOW, World, accepted, conclusion, outcomes};

/// Waits for the verdict after this many completions of the gate's check run.
async fn completed(world: &World, head: &workflows::ids::Sha, times: usize) -> tests::github::state::CheckRun {
    let done = |run: &tests::github::state::CheckRun| {
        run.name == GATE && run.history.iter().filter(|word| word.starts_with("completed")).count() >= times
    };
    let runs = world.checks(head, "the gate to conclude", |runs| runs.iter().any(done)).await;
    runs.into_iter().find(done).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_target_is_another_question() {
    let world = World::new();
    let stack = world.server_and_runner();
    let main = world.main(WORKFLOW).await;
    // A branch with a worse model than main's: against it the change is no regression.
    let old = world.repo.commit("old", Some(&main), "Old", &[("outcomes.jsonl", &outcomes(48))]);
    accepted(world.github.push(REPO, "old", None, &old)).await;
    world.concluded(&old).await;
    let topic = world.repo.commit("topic", Some(&old), "Topic", &[("outcomes.jsonl", &outcomes(48)), ("x", b"1")]);
    let (number, checks) = world.pull("topic", &topic, "Topic").await;
    assert_eq!(conclusion(&checks, GATE), "failure", "{:#?}", checks[GATE]);
    assert!(
        checks[GATE].summary.contains(main.short())
            || checks[GATE].text.as_deref().is_some_and(|text| text.contains(main.short())),
        "{:#?}",
        checks[GATE]
    );

    accepted(world.github.pull_retargeted(REPO, number, "old")).await;
    let gate = until_async("the second verdict", async || {
        let gate = world.get(&stack, &format!("commits/{topic}/gate")).await;
        if gate["state"] == "concluded" && gate["base"] == json!(old) { Ok(gate) } else { Err(gate) }
    })
    .await;
    assert_eq!(gate["conclusion"], "success", "{gate:#}");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nearest_evaluated_ancestor_stands_in_and_is_named() {
    let world = World::new();
    let stack = world.server_and_runner();
    let main = world.main(WORKFLOW).await;
    // Nobody told us of this one, and its numbers are a step's own: they cannot be made later.
    let silent = world.repo.commit("main", None, "Silent", &[("x", b"1")]);
    let worse = world.repo.commit("worse", Some(&silent), "Worse", &[("outcomes.jsonl", &outcomes(48))]);
    let (_, checks) = world.pull("worse", &worse, "Worse").await;
    let gate = &checks[GATE];
    assert_eq!(conclusion(&checks, GATE), "failure", "{gate:#?}");
    let said = format!("{} {}", gate.summary, gate.text.clone().unwrap_or_default());
    assert!(said.contains(&format!("{}, its nearest evaluated ancestor", main.short())), "{gate:#?}");
    assert!(said.contains(silent.short()), "{gate:#?}");
    stack.stop().await;
}

/// Five values of the branch say how much a number varies: within it passes, far from it fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_is_judged_by_the_branchs_history() {
    let world = World::new();
    let stack = world.server_and_runner();
    let workflow = WORKFLOW
        .replace("cat outcomes.jsonl", "cat number.jsonl")
        .replace("accuracy: { max-drop: 0.5pp }", "bleu: { max-drop: 0.3, test: history }");
    let line = |value: f64| format!("{{\"metric\":\"bleu\",\"value\":{value}}}\n").into_bytes();
    let mut before = None;
    for value in [30.0, 30.1, 29.9, 30.05, 29.95, 30.02] {
        let files: [(&str, &[u8]); 2] = [(FILE, workflow.as_bytes()), ("number.jsonl", &line(value))];
        let sha = world.repo.commit("main", None, "Another", &files);
        accepted(world.github.push(REPO, "main", before.as_ref(), &sha)).await;
        world.concluded(&sha).await;
        before = Some(sha);
    }
    let main = before.unwrap();
    for (branch, value, expected) in [("near", 29.98, "success"), ("far", 20.0, "failure")] {
        let sha = world.repo.commit(branch, Some(&main), branch, &[("number.jsonl", &line(value))]);
        let (_, checks) = world.pull(branch, &sha, branch).await;
        assert_eq!(conclusion(&checks, GATE), expected, "{:#?}", checks[GATE]);
        let gate = world.get(&stack, &format!("commits/{sha}/gate")).await;
        let rule = &gate["verdict"]["rules"][0];
        assert_eq!((&rule["test"], &rule["n"]), (&json!("history"), &json!(6)), "{gate:#}");
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_group_that_was_given_up_is_cancelled_and_concluded() {
    let world = World::new();
    let stack = world.server();
    let main = world.first(WORKFLOW);
    let group = world.repo.commit("queue", Some(&main), "Merge", &[("x", b"1")]);
    accepted(world.github.merge_group(REPO, 7, &group)).await;
    world.checks(&group, "the job to wait", |runs| runs.iter().any(|run| run.name == "CI / build")).await;
    accepted(world.github.merge_group_dequeued(REPO, 7, &group)).await;
    let gate = completed(&world, &group, 1).await;
    assert_eq!(gate.conclusion.as_deref(), Some("cancelled"), "{gate:#?}");
    assert!(format!("{} {}", gate.title, gate.summary).contains("dequeued"), "{gate:#?}");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gate_is_concluded_also_where_nothing_runs() {
    let world = World::new();
    let stack = world.server_and_runner();
    let filtered = WORKFLOW.replace(
        "[push, pull_request, merge_group]",
        "{ push: { branches: [main] }, pull_request: { paths: ['models/**'] } }",
    );
    let main = world.main(&filtered).await;
    let by_path = world.repo.commit("docs", Some(&main), "Docs", &[("README.md", b"words")]);
    let (_, checks) = world.pull("docs", &by_path, "Docs").await;
    assert_eq!(checks.keys().collect::<Vec<_>>(), [GATE]);
    assert!(["success", "skipped", "neutral"].contains(&conclusion(&checks, GATE)), "{:#?}", checks[GATE]);
    assert!(world.github.state().repo(REPO).passes(&by_path, GATE));

    // No workflow wants a merge group here; the queue must not hang.
    let group = world.repo.commit("queue", Some(&main), "Merge", &[("README.md", b"other words")]);
    accepted(world.github.merge_group(REPO, 8, &group)).await;
    let checks = world.concluded(&group).await;
    assert_eq!(checks.keys().collect::<Vec<_>>(), [GATE]);
    assert!(world.github.state().repo(REPO).passes(&group, GATE), "{:#?}", checks[GATE]);
    stack.stop().await;
}

/// A push is compared with its newest commit's first parent; what it changes is what all of its commits change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_commits_pushed_at_once_are_compared_with_the_first_parent() {
    let world = World::new();
    let stack = world.server_and_runner();
    let workflow = WORKFLOW.replace(
        "[push, pull_request, merge_group]",
        "{ push: { paths: ['outcomes.jsonl', '.assay/**'] }, pull_request: }",
    );
    let main = world.main(&workflow).await;
    let first = world.repo.commit("main", None, "Worse", &[("outcomes.jsonl", &outcomes(48))]);
    let second = world.repo.commit("main", None, "Words", &[("README.md", b"words")]);
    accepted(world.github.push(REPO, "main", Some(&main), &second)).await;
    let checks = world.concluded(&second).await;
    assert_eq!(checks.len(), 3, "the path filter sees the first commit: {:?}", checks.keys());
    let gate = world.get(&stack, &format!("commits/{second}/gate")).await;
    // Nothing of it was measured, and a step's own numbers cannot be made later: its ancestor stands in, by name.
    assert_eq!((&gate["base"], &gate["conclusion"]), (&json!(first), &json!("failure")), "{gate:#}");
    let text = gate["text"].as_str().unwrap();
    assert!(text.contains(&format!("{}, its nearest evaluated ancestor", main.short())), "{text}");

    // A branch that is new, or was forced away from what GitHub says was there before, has a parent all the same.
    let fresh = world.repo.commit("fresh", Some(&second), "Better", &[("outcomes.jsonl", &outcomes(7))]);
    accepted(world.github.push(REPO, "fresh", None, &fresh)).await;
    world.concluded(&fresh).await;
    assert_eq!(world.get(&stack, &format!("commits/{fresh}/gate")).await["base"], json!(second));
    let gone: workflows::ids::Sha = "1".repeat(40).parse().unwrap();
    let forced = world.repo.commit("forced", Some(&second), "Forced", &[("outcomes.jsonl", &outcomes(6))]);
    accepted(world.github.push(REPO, "forced", Some(&gone), &forced)).await;
    world.concluded(&forced).await;
    assert_eq!(world.get(&stack, &format!("commits/{forced}/gate")).await["base"], json!(second));
    stack.stop().await;
}
