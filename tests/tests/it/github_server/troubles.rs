//! GitHub loses answers, limits, forgets commits: in the end there is one check run each, and it is concluded.

use jiff::SignedDuration;
use runner::agent::IsolationChoice;
use tests::{github::faults::Fault, wait::until_async};

use super::world::{GATE, REPO, WORKFLOW, World, accepted, conclusion, outcomes};

const CREATE: &str = "/repos/{owner}/{repo}/check-runs";
const UPDATE: &str = "/repos/{owner}/{repo}/check-runs/{check_run_id}";
const CONTENTS: &str = "/repos/{owner}/{repo}/contents/{path}";
const COMPARE: &str = "/repos/{owner}/{repo}/compare/{basehead}";
const TOKENS: &str = "/app/installations/{installation_id}/access_tokens";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_lost_after_the_write_leaves_one_check_run() {
    let world = World::new();
    let stack = world.server_and_runner();
    for fault in [Fault::BadGatewayAfter, Fault::DropAfter] {
        world.github.fail_next("POST", CREATE, fault);
        world.github.fail_next("PATCH", UPDATE, fault);
    }
    let main = world.first(WORKFLOW);
    accepted(world.github.push(REPO, "main", None, &main)).await;
    let checks = world.concluded(&main).await;
    assert_eq!(checks.len(), 3);
    assert_eq!(checks["CI / build"].annotations.len(), 1);
    stack.stop().await;
}

/// Wherever the limit strikes, the request is not repeated before the time that GitHub named, and then all
/// comes to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_waited_out_for_as_long_as_github_says() {
    let world = World::new();
    let stack = world.server();
    let main = world.first(WORKFLOW);
    let limit = Fault::SecondaryLimit { retry_after: Some(2) };
    world.github.fail_next("POST", TOKENS, limit);
    world.github.fail_next("GET", CONTENTS, Fault::PrimaryLimit { reset_in: 2 });
    world.github.fail_next("POST", CREATE, limit);
    accepted(world.github.push(REPO, "main", None, &main)).await;
    world.checks(&main, "the check runs in spite of limits", |runs| runs.len() == 2).await;

    // The gate reads the policy once the jobs have ended; and this one waits for nothing but that.
    world.github.fail_next("GET", CONTENTS, limit);
    let stack = stack.with_runner(2, IsolationChoice::None);
    world.concluded(&main).await;

    world.github.fail_next("GET", COMPARE, limit);
    let topic = world.repo.commit("topic", Some(&main), "Topic", &[("outcomes.jsonl", &outcomes(7))]);
    let number = world.github.open_pull(REPO, REPO, "topic", &topic, "Topic");
    accepted(world.github.pull_opened(REPO, number)).await;
    assert_eq!(conclusion(&world.concluded(&topic).await, GATE), "success");

    {
        let state = world.github.state();
        let limited: Vec<usize> = (0..state.requests.len()).filter(|n| state.requests[*n].status == 403).collect();
        assert_eq!(limited.len(), 5, "{:#?}", state.requests);
        for n in limited {
            let (first, rest) = (&state.requests[n], &state.requests[n + 1..]);
            let same = |next: &&tests::github::state::Seen| (&next.method, &next.path) == (&first.method, &first.path);
            let next = rest.iter().find(same).unwrap_or_else(|| panic!("never asked again: {first:?}"));
            let waited = next.at.duration_since(first.at);
            // The reset is told in whole seconds.
            assert!(waited > SignedDuration::from_millis(1000), "asked again after {waited:?}: {first:?}");
        }
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_gone_is_a_concluded_check_run() {
    let world = World::new();
    let stack = world.server();
    // Gone before anyone looked: there is nothing at GitHub that a check run could stand on.
    let never = "1".repeat(40).parse().unwrap();
    accepted(world.github.push(REPO, "lost", None, &never)).await;
    let main = world.first(WORKFLOW);
    accepted(world.github.push(REPO, "main", None, &main)).await;
    world.checks(&main, "the check runs", |runs| runs.len() == 2).await;
    // Gone before a runner came.
    world.repo.forget(&main);
    let stack = stack.with_runner(2, IsolationChoice::None);
    let checks = world.concluded(&main).await;
    // The job that wants the commit fails; GitHub takes no new check run on it, so the gate is what says so.
    assert_eq!((conclusion(&checks, "CI / build"), conclusion(&checks, GATE)), ("success", "failure"));
    assert!(checks[GATE].title.contains("eval") || checks[GATE].summary.contains(main.short()), "{:#?}", checks[GATE]);
    assert_eq!(world.runs(&stack).await[0]["conclusion"], "failure");
    assert!(world.check_runs(&never).is_empty());
    stack.stop().await;
}

/// Nobody was there when the branch moved, and GitHub does not repeat by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_while_the_server_was_down_is_asked_for_again() {
    let world = World::new();
    let stack = world.server();
    let url = stack.url.clone();
    stack.stop().await;
    let main = world.first(WORKFLOW);
    assert_eq!(world.github.push(REPO, "main", None, &main).await, 0, "nobody listens at {url}");

    // Found at the start.
    let stack = world.server_and_runner();
    world.concluded(&main).await;

    // And from time to time: this one went astray while the server was up.
    let here = world.github.state().app.webhook_url.take();
    let next = world.repo.commit("main", None, "Next", &[("x", b"1")]);
    assert_eq!(world.github.push(REPO, "main", Some(&main), &next).await, 0);
    world.github.state().app.webhook_url = here;
    world.concluded(&next).await;

    let guids = |sha: &workflows::ids::Sha| -> Vec<(String, bool)> {
        let state = world.github.state();
        let of = state.deliveries.iter().filter(|sent| String::from_utf8_lossy(&sent.body).contains(sha.as_str()));
        of.map(|sent| (sent.guid.clone(), (200..300).contains(&sent.status_code))).collect()
    };
    let attempts = guids(&main);
    assert_eq!((attempts[0].1, attempts.iter().any(|attempt| attempt.1)), (false, true), "{attempts:?}");
    assert!(attempts.iter().filter(|attempt| attempt.0 == attempts[0].0).count() >= 2, "the GUID is the same");
    assert_eq!(world.runs(&stack).await.len(), 2);
    stack.stop().await;
}

/// Our App was removed after the job was planned: it ends with the reason, instead of waiting for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_commit_github_refuses_fails_with_the_reason() {
    let world = World::new();
    let stack = world.server();
    let main = world.first(WORKFLOW);
    accepted(world.github.push(REPO, "main", None, &main)).await;
    world.checks(&main, "the check runs", |runs| runs.len() == 2).await;
    world.github.state().installations.clear();
    let stack = stack.with_runner(2, IsolationChoice::None);
    let run = until_async("the run to end", async || {
        let run = world.get(&stack, "runs/1").await;
        if run["conclusion"].is_null() { Err(run) } else { Ok(run) }
    })
    .await;
    assert_eq!(run["conclusion"], "failure", "{run:#}");
    stack.stop().await;
}
