//! Some runs measure their base twice, so that the gate's false alarms can be counted.

use serde_json::json;
use workflows::{
    evaluation::{Beside, Evaluation},
    run::Conclusion,
};

use crate::{
    spine::evaluated,
    world::{REPO, Runner, World, result},
};

const CHECKED: &str = "on: [push, pull_request]
jobs:
  eval:
    runs-on: linux
    steps:
      - id: eval
        uses: assay/eval@v1
        with: { model: model.onnx, dataset: heldout.npz, task: classification }
gate:
  self-check: 100%
  accuracy: { max-drop: 1pp, min: 0.5 }
";

/// Takes the next job and evaluates: the head, and the base twice where that is asked for, with so many wrong.
async fn evaluate(runner: &Runner, wrong: usize, base: [usize; 2]) -> bool {
    let claim = runner.claim().await;
    let asked = claim.job.baseline.as_ref().is_some_and(|baseline| baseline.self_check);
    let measure = async |model: &str, wrong: usize| {
        let (evaluation, outcomes) = evaluated(model, wrong);
        let blob = &evaluation.outcomes.as_ref().unwrap().digest;
        let stored = runner.put(&claim, &format!("blobs/{blob}")).body(outcomes).send().await.unwrap();
        assert!(stored.status().is_success(), "{}", stored.status());
        evaluation
    };
    let mut evaluation = measure("head", wrong).await;
    if asked {
        let [first, second] = [measure("base", base[0]).await, measure("base", base[1]).await];
        let beside = Some(Box::new(Beside { sha: None, evaluation: second }));
        evaluation.self_check = Some(Box::new(Evaluation { beside, ..first }));
    }
    let mut result = result(Conclusion::Success);
    result.evaluations = vec![evaluation];
    runner.finish(&claim, result).await;
    asked
}

#[tokio::test]
async fn false_alarms_are_counted_and_block_nobody() {
    let world = World::new().await;
    let runner = world.runner();
    let main = world.push_main(CHECKED).await;
    assert!(!evaluate(&runner, 20, [0, 0]).await, "there is no base to measure");
    world.gate_concluded(&main).await;
    let page = async || {
        world.client.get(format!("{}/{REPO}/self-checks", world.url)).send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(world.get("self-checks").await["false_alarms"]["standing"]["standing"], "unmeasured");
    assert!(page().await.contains("No self-check has been made."));

    // The same answers twice; then 40 of 1,000 that differ by chance, far more than the rule allows.
    for (n, (branch, base, said)) in
        [("calm", [20, 20], "raised no false alarm"), ("noisy", [60, 20], "raised a false alarm")]
            .into_iter()
            .enumerate()
    {
        let head = world.git.commit(branch, &[("model.onnx", branch)]);
        world.push(branch, None, &head).await;
        assert!(evaluate(&runner, 20, base).await);
        let gate = world.gate_concluded(&head).await;
        assert_eq!(gate["conclusion"], "success", "{gate:#}");
        assert!(gate["text"].as_str().unwrap().contains(said), "{gate:#}");
        let checks = world.get("self-checks").await;
        assert_eq!((&checks["false_alarms"]["of"], &checks["false_alarms"]["alarms"]), (&json!(n + 1), &json!(n)));
        let newest = &checks["self_checks"][0];
        assert_eq!((&newest["head"], &newest["base"]), (&json!(head), &json!(main)), "{checks:#}");
        assert_eq!((&newest["check"]["differing"], &newest["check"]["lines"]), (&json!(40 * n), &json!(1)));
    }

    // Judged again, the same commit is the same self-check: here the second attempt is a calm one.
    assert_eq!(world.post("runs/3/rerun").await, reqwest::StatusCode::ACCEPTED);
    assert!(evaluate(&runner, 20, [20, 20]).await, "the same commits are chosen again");
    world.gate_concluded(&world.git.tip("noisy").unwrap()).await;
    let checks = world.get("self-checks").await;
    assert_eq!(
        (&checks["false_alarms"]["of"], &checks["false_alarms"]["alarms"]),
        (&json!(2), &json!(0)),
        "{checks:#}"
    );
    let text = page().await;
    assert!(text.contains("0 false alarms in 2 self-checks: 0\u{a0}%."), "{text}");
}

#[tokio::test]
async fn how_often_is_for_the_policy_to_say_that_judges() {
    let world = World::new().await;
    let runner = world.runner();
    let often = ["0%", "100%"].map(|share| CHECKED.replace("100%", share));
    for (n, [of_base, of_head]) in [[1, 0], [0, 1]].into_iter().enumerate() {
        let main = world.push_main(&often[of_base]).await;
        evaluate(&runner, 20, [20, 20]).await;
        world.gate_concluded(&main).await;
        let branch = format!("change-{n}");
        let head = world.git.commit(&branch, &[(".assay/workflows/ci.yml", &often[of_head])]);
        world.push(&branch, None, &head).await;
        assert_eq!(evaluate(&runner, 20, [20, 20]).await, of_base == 1, "{branch}");
        world.gate_concluded(&head).await;
    }
}
