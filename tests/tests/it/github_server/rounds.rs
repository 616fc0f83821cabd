//! From an event to its check runs.

use serde_json::json;
use server::{Clock, ManualClock};
use tests::{
    digits::{self, example},
    wait::until_async,
};
use workflows::ids::Sha;

use super::world::{FILE, GATE, REPO, WORKFLOW, World, accepted, conclusion, outcomes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_and_a_pull_request_get_a_check_run_per_job_and_the_gate() {
    let world = World::new();
    let stack = world.server_and_runner();
    let main = world.first(WORKFLOW);
    accepted(world.github.push(REPO, "main", None, &main)).await;
    let checks = world.concluded(&main).await;
    assert_eq!(checks.keys().collect::<Vec<_>>(), ["CI / build", "CI / eval", GATE]);
    let build = &checks["CI / build"];
    assert_eq!(conclusion(&checks, "CI / build"), "success");
    assert!(build.started_at.is_some() && build.completed_at.is_some(), "{build:#?}");
    assert_eq!(build.details_url, format!("{}/{REPO}/runs/1/jobs/build", stack.url));
    assert_eq!(build.annotations.len(), 1, "{build:#?}");
    let annotation = &build.annotations[0];
    let seen = ["path", "start_line", "annotation_level", "message"].map(|field| annotation[field].clone());
    assert_eq!(seen, [json!("train.py"), json!(3), json!("warning"), json!("this is slow")]);
    assert!(checks["CI / eval"].summary.contains("accuracy"), "{:#?}", checks["CI / eval"]);
    // There is nothing before the first commit.
    assert_eq!(conclusion(&checks, GATE), "neutral");

    let worse = world.repo.commit("worse", Some(&main), "Retrained", &[("outcomes.jsonl", &outcomes(48))]);
    let (_, checks) = world.pull("worse", &worse, "Retrained").await;
    assert_eq!(checks.len(), 3);
    let gate = &checks[GATE];
    assert_eq!(gate.conclusion.as_deref(), Some("failure"), "{gate:#?}");
    assert!(gate.title.contains("accuracy"), "{gate:#?}");
    assert!(gate.text.as_deref().is_some_and(|text| !text.is_empty()), "{gate:#?}");
    assert_eq!(gate.annotations[0]["path"], FILE);
    assert_eq!(gate.history.first().map(String::as_str), Some("queued"));
    assert!(!world.github.state().repo(REPO).passes(&worse, GATE));

    // Run again: annotations cannot be taken back, so the gate is judged anew in a check run of its own.
    accepted(world.github.rerequest(REPO, checks["CI / eval"].id)).await;
    let again = world
        .checks(&worse, "the second verdict", |runs| runs.len() == 6 && runs.iter().all(|run| run.conclusion.is_some()))
        .await;
    let gates: Vec<_> = again.iter().filter(|run| run.name == GATE).collect();
    assert_eq!(gates.iter().map(|gate| gate.annotations.len()).collect::<Vec<_>>(), [1, 1], "{gates:#?}");
    assert!(!world.github.state().repo(REPO).passes(&worse, GATE));

    let equal = world.repo.commit("equal", Some(&main), "Smaller", &[("outcomes.jsonl", &outcomes(8)), ("x", b"1")]);
    let (_, checks) = world.pull("equal", &equal, "Smaller").await;
    assert_eq!(conclusion(&checks, GATE), "success");
    assert!(world.github.state().repo(REPO).passes(&equal, GATE));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_is_judged_by_the_bases_workflow_and_policy_and_is_no_baseline() {
    let world = World::new();
    let stack = world.server_and_runner();
    let main = world.main(WORKFLOW).await;

    world.github.create_repo_elsewhere("stranger/digits", Some(REPO));
    let own = WORKFLOW.replace("build", "mine").replace("0.5pp", "50pp");
    let files: [(&str, &[u8]); 2] = [(FILE, own.as_bytes()), ("outcomes.jsonl", &outcomes(48))];
    let forked = world.repo.commit("fork", Some(&main), "Forked", &files);
    // A fork's branch may have the name of ours.
    let number = world.github.open_pull(REPO, "stranger/digits", "main", &forked, "Trust me");
    accepted(world.github.pull_opened(REPO, number)).await;
    let checks = world.concluded(&forked).await;
    assert_eq!(checks.keys().collect::<Vec<_>>(), ["CI / build", "CI / eval", GATE], "the base's jobs run");
    assert_eq!(conclusion(&checks, GATE), "failure", "the base's policy judges: {:#?}", checks[GATE]);

    let trend = world.get(&stack, "metrics/accuracy?branch=main").await;
    let points = trend["points"].as_array().unwrap();
    assert_eq!(points.len(), 1, "a stranger's numbers are in the trend of main: {trend:#}");

    // It was merged all the same, by a fast-forward. What a stranger's run measured is nobody's baseline.
    world.repo.point("main", &forked);
    let next = world.repo.commit("next", Some(&forked), "Next", &[("outcomes.jsonl", &outcomes(47))]);
    let (_, checks) = world.pull("next", &next, "Next").await;
    let gate = &checks[GATE];
    let text = gate.text.clone().unwrap_or_default();
    assert!(text.contains(&format!("{}, its nearest evaluated ancestor", main.short())), "{gate:#?}");
    let judged = world.get(&stack, &format!("commits/{next}/gate")).await;
    assert_eq!(judged["verdict"]["rules"][0]["base"], json!(0.98), "{judged:#}");
    stack.stop().await;
}

/// Whatever the runner remembers is thrown away between runs, so that it asks the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_strangers_run_computed_is_reused_by_strangers_alone() {
    let world = World::new();
    let stack = world.server_and_runner();
    let (data, smaller) = (example("heldout.npz"), example("variants/smaller.onnx"));
    let files: [(&str, &[u8]); 3] =
        [(FILE, digits::WORKFLOW.as_bytes()), ("model.onnx", &example("model.onnx")), ("heldout.npz", &data)];
    let main = world.repo.commit("main", None, "First", &files);
    accepted(world.github.push(REPO, "main", None, &main)).await;
    world.concluded(&main).await;
    world.github.create_repo_elsewhere("stranger/digits", Some(REPO));
    let cached = async |run: u64, head: &Sha| {
        world.concluded(head).await;
        let remembered = world.home.path().join("data/runner/cache/evaluations");
        if remembered.exists() {
            std::fs::remove_dir_all(remembered).unwrap();
        }
        world.get(&stack, &format!("runs/{run}")).await["jobs"][0]["evaluations"][0]["cached"].clone()
    };
    let theirs = async |run: u64, branch: &str| {
        let head =
            world.repo.commit(branch, Some(&main), branch, &[("model.onnx", &smaller), ("by", branch.as_bytes())]);
        let number = world.github.open_pull(REPO, "stranger/digits", branch, &head, "Smaller");
        accepted(world.github.pull_opened(REPO, number)).await;
        cached(run, &head).await
    };
    assert_eq!(cached(1, &main).await, false);
    assert_eq!(theirs(2, "first").await, false);
    assert_eq!(theirs(3, "second").await, true);
    let ours = world.repo.commit("ours", Some(&main), "Smaller", &[("model.onnx", &smaller)]);
    world.pull("ours", &ours, "Smaller").await;
    assert_eq!(cached(4, &ours).await, false, "the baseline came from a stranger");
    stack.stop().await;
}

/// The same workflow, from the base: a push of ours is given the secret, a stranger's pull request is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forks_run_is_given_no_secret() {
    let world = World::new();
    let stack = world.server_and_runner();
    let token = server::secrets::api_token(&world.home.path().join("data")).unwrap();
    let set = reqwest::Client::new()
        .put(format!("{}/api/v1/repos/{REPO}/secrets/HUB_TOKEN", stack.url))
        .bearer_auth(token)
        .json(&json!({ "value": "hunter22" }));
    assert_eq!(set.send().await.unwrap().status(), 204);
    let workflow = WORKFLOW.replace(
        "- run: echo '::warning file=train.py,line=3,col=2,title=Slow::this is slow'",
        "- run: echo \"::warning file=train.py,line=3::${#TOKEN} characters\"\n        env: { TOKEN: '${{ secrets.HUB_TOKEN }}' }",
    );
    let told = |checks: &std::collections::BTreeMap<String, tests::github::state::CheckRun>| {
        checks["CI / build"].annotations[0]["message"].clone()
    };
    let main = world.first(&workflow);
    accepted(world.github.push(REPO, "main", None, &main)).await;
    assert_eq!(told(&world.concluded(&main).await), "8 characters");

    world.github.create_repo_elsewhere("stranger/digits", Some(REPO));
    let forked = world.repo.commit("fork", Some(&main), "Forked", &[("x", b"1")]);
    let number = world.github.open_pull(REPO, "stranger/digits", "x", &forked, "Trust me");
    accepted(world.github.pull_opened(REPO, number)).await;
    assert_eq!(told(&world.concluded(&forked).await), "0 characters");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_merge_queue_gets_its_answer() {
    let world = World::new();
    let stack = world.server_and_runner();
    let main = world.main(WORKFLOW).await;
    let group = world.repo.commit("queue", Some(&main), "Merge", &[("outcomes.jsonl", &outcomes(8)), ("x", b"1")]);
    accepted(world.github.merge_group(REPO, 7, &group)).await;
    let checks = world.concluded(&group).await;
    assert_eq!((checks.len(), conclusion(&checks, GATE)), (3, "success"));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_again_makes_a_new_attempt_with_check_runs_of_its_own() {
    let world = World::new();
    let stack = world.server_and_runner();
    let main = world.first(WORKFLOW);
    accepted(world.github.push(REPO, "main", None, &main)).await;
    let checks = world.concluded(&main).await;
    accepted(world.github.rerequest(REPO, checks["CI / build"].id)).await;
    let again = world
        .checks(&main, "the second attempt to conclude", |runs| {
            runs.iter().filter(|run| run.external_id.contains("/1/2/")).count() == 2
                && runs.iter().all(|run| run.conclusion.is_some())
                && runs
                    .iter()
                    .filter(|run| run.name == GATE)
                    .all(|gate| gate.history.iter().filter(|word| word.starts_with("completed")).count() == 2)
        })
        .await;
    assert_eq!(again.iter().filter(|run| run.name == "CI / build").count(), 2);
    assert_eq!(again.iter().filter(|run| run.name == GATE).count(), 1);
    let runs = world.runs(&stack).await;
    assert_eq!((runs.len(), &runs[0]["attempt"]), (1, &json!(2)), "{runs:#?}");

    accepted(world.github.rerequest_all(REPO, &main)).await;
    world.checks(&main, "the third attempt", |runs| runs.iter().any(|run| run.external_id.contains("/1/3/"))).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_with_a_mistake_is_a_failed_check_with_its_place() {
    let world = World::new();
    let stack = world.server();
    let broken = world.first(&WORKFLOW.replace("max-drop", "max-drp"));
    accepted(world.github.push(REPO, "main", None, &broken)).await;
    let checks = world.concluded(&broken).await;
    assert_eq!(checks.len(), 1);
    let gate = &checks[GATE];
    let line = WORKFLOW.lines().position(|line| line.contains("max-drop")).unwrap() + 1;
    let column = 15;
    assert_eq!(gate.conclusion.as_deref(), Some("failure"));
    assert!(gate.summary.contains(&format!("{FILE}:{line}:{column}")), "{gate:#?}");
    let seen = ["path", "start_line", "start_column", "annotation_level"].map(|f| gate.annotations[0][f].clone());
    assert_eq!(seen, [json!(FILE), json!(line), json!(column), json!("failure")]);

    let no_yaml = world.repo.commit("main", None, "No YAML", &[(FILE, b"on: [push\njobs: {")]);
    accepted(world.github.push(REPO, "main", Some(&broken), &no_yaml)).await;
    let checks = world.concluded(&no_yaml).await;
    assert_eq!(conclusion(&checks, GATE), "failure");
    assert!(checks[GATE].annotations[0]["start_line"].as_u64().is_some_and(|line| line >= 1));
    stack.stop().await;
}

/// A push that no workflow wants says nothing of the commit: a passing `skipped` would let a pull request
/// in before its own event was judged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_nobody_wants_leaves_the_gate_to_the_pull_request() {
    let world = World::new();
    let stack = world.server_and_runner();
    let main = world.first(&WORKFLOW.replace("[push, pull_request, merge_group]", "pull_request"));
    let topic = world.repo.commit("topic", Some(&main), "Topic", &[("x", b"1")]);
    accepted(world.github.push(REPO, "topic", None, &topic)).await;
    // Deliveries are planned side by side: another's answer shows that time has passed.
    let other = world.repo.commit("other", Some(&main), "Other", &[("x", b"2")]);
    let number = world.github.open_pull(REPO, REPO, "other", &other, "Other");
    accepted(world.github.pull_opened(REPO, number)).await;
    world.concluded(&other).await;
    assert!(world.check_runs(&topic).is_empty(), "{:#?}", world.check_runs(&topic));

    let (_, checks) = world.pull("topic", &topic, "Topic").await;
    assert_eq!(checks.len(), 3);
    assert!(!checks[GATE].history.iter().any(|word| word.contains("skipped")), "{:#?}", checks[GATE]);
    stack.stop().await;
}

/// The delivery names no commit: it is the branch's newest, asked for once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_of_the_repository_runs_on_the_newest_commit() {
    let world = World::new();
    let stack = world.server_and_runner();
    let workflow = "name: CI
on: { repository_dispatch: { types: [sample.collected] } }
jobs:
  eval:
    runs-on: self-hosted
    name: of ${{ github.event.client_payload.set }} by ${{ github.actor }}
    steps: [{ run: 'true' }]
";
    world.first(workflow);
    let head = world.repo.commit("main", None, "Second", &[("x", b"1")]);
    let (event, payload) = ("sample.collected", serde_json::json!({ "set": "digits-7" }));
    accepted(world.github.dispatch(REPO, event, payload)).await;
    let checks = world.concluded(&head).await;
    assert_eq!(conclusion(&checks, "CI / of digits-7 by mona"), "success", "{checks:#?}");
    // GitHub sends it again: nothing new.
    accepted(async { world.github.redeliver_last().await }).await;
    assert_eq!(world.get(&stack, "runs").await["runs"].as_array().unwrap().len(), 1);
    stack.stop().await;
}

/// The push that brings the schedule starts nothing, and is the first that we hear of the repository.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_starts_where_no_push_does() {
    let world = World::new();
    let clock = ManualClock::at(jiff::Timestamp::now());
    let stack = world.server_at(Clock::Manual(clock.clone()));
    let head =
        world.first("on: { schedule: [{ cron: '* * * * *' }] }\njobs: { a: { runs-on: x, steps: [{ run: a }] } }\n");
    accepted(world.github.push(REPO, "main", None, &head)).await;
    let run = until_async("a run of the schedule", async || {
        // By a minute each time: the push may be planned before or after.
        clock.advance(std::time::Duration::from_secs(60));
        let runs = world.get(&stack, "runs").await;
        runs["runs"].get(0).cloned().ok_or(runs)
    })
    .await;
    assert_eq!((&run["event"], &run["sha"]), (&json!("schedule"), &json!(head)));
    stack.stop().await;
}
