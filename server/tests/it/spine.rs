//! From a push to a judged commit.

use serde_json::json;
use sha2::Digest as _;
use workflows::{
    evaluation::{BlobRef, Evaluation, FileFacts, Outcome, OutcomesHeader, ProviderFacts, Timing},
    ids::Digest,
    run::Conclusion,
};

use crate::world::{ONE_JOB, Runner, World, result};

pub(crate) const GATED: &str = "on: [push, pull_request]
jobs:
  eval:
    runs-on: linux
    steps:
      - run: echo evaluating
gate:
  accuracy: { max-drop: 1pp }
";

const EXAMPLES: usize = 1000;

fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(sha2::Sha256::digest(bytes).into())
}

/// Outcomes of a model that is right on all but the first `wrong` examples, and what a step says of them.
pub(crate) fn evaluated(model: &str, wrong: usize) -> (Evaluation, Vec<u8>) {
    let header = OutcomesHeader {
        schema: 1,
        task: "classification".into(),
        model: digest(model.as_bytes()),
        dataset: digest(b"held out"),
        classes: vec![],
    };
    let mut text = serde_json::to_string(&header).unwrap();
    for index in 0..EXAMPLES {
        let right = index >= wrong;
        let outcome = Outcome {
            id: index.to_string(),
            target: json!("7"),
            prediction: json!(if right { "7" } else { "1" }),
            score: None,
            values: [("accuracy".to_owned(), f64::from(u8::from(right)))].into(),
            group: None,
            slice: None,
        };
        text.push('\n');
        text.push_str(&serde_json::to_string(&outcome).unwrap());
    }
    let file = |path: &str, digest: &Digest| FileFacts { path: path.into(), digest: digest.clone(), bytes: 9 };
    let evaluation = Evaluation {
        name: "eval".into(),
        task: header.task.clone(),
        n: EXAMPLES as u64,
        metrics: [("accuracy".to_owned(), (EXAMPLES - wrong) as f64 / EXAMPLES as f64)].into(),
        per_class: [].into(),
        confusion: [].into(),
        slices: [].into(),
        model: file("model.onnx", &header.model),
        dataset: file("heldout.npz", &header.dataset),
        provider: ProviderFacts {
            requested: "cpu".into(),
            nodes: [].into(),
            device: "a CPU".into(),
            version: "1".into(),
            threads: 1,
        },
        timing: Timing::default(),
        cached: false,
        benchmark: None,
        beside: None,
        self_check: None,
        outcomes: Some(BlobRef { digest: digest(text.as_bytes()), bytes: text.len() as u64 }),
    };
    (evaluation, text.into_bytes())
}

pub(crate) async fn evaluate(runner: &Runner, model: &str, wrong: usize) {
    let claim = runner.claim().await;
    let (evaluation, outcomes) = evaluated(model, wrong);
    let blob = &evaluation.outcomes.as_ref().unwrap().digest;
    let stored = runner.put(&claim, &format!("blobs/{blob}")).body(outcomes).send().await.unwrap();
    assert!(stored.status().is_success(), "{}", stored.status());
    let mut result = result(Conclusion::Success);
    result.evaluations = vec![evaluation];
    runner.finish(&claim, result).await;
}

#[tokio::test]
async fn a_base_that_nobody_evaluated_is_named_with_the_reason() {
    let world = World::new().await;
    let runner = world.runner();
    let main = world.push_main(&GATED.replace("[push, pull_request]", "pull_request")).await;
    world.gate_concluded(&main).await;
    let head = world.git.commit("change", &[("model.onnx", "made by a step")]);
    world.push("change", None, &head).await;
    evaluate(&runner, "made", 20).await;
    let gate = world.gate_concluded(&head).await;
    assert_eq!(
        (&gate["conclusion"], &gate["verdict"]["verdict"]),
        (&json!("neutral"), &json!("no_baseline")),
        "{gate:#}"
    );
    let text = format!("{} {}", gate["summary"], gate["text"]);
    assert!(text.contains(&format!("The base {} was not evaluated", main.short())), "{gate:#}");
}

#[tokio::test]
async fn a_worse_model_is_refused_and_an_equal_one_passes() {
    let world = World::new().await;
    let runner = world.runner();
    let main = world.push_main(GATED).await;
    evaluate(&runner, "good", 20).await;
    let gate = world.gate_concluded(&main).await;
    // There is nothing before the first commit.
    assert_eq!((&gate["conclusion"], &gate["allowed"]), (&json!("neutral"), &json!(true)), "{gate:#}");

    let worse = world.git.commit("worse", &[("model.onnx", "worse")]);
    world.push("worse", None, &worse).await;
    evaluate(&runner, "worse", 90).await;
    let gate = world.gate_concluded(&worse).await;
    assert_eq!((&gate["conclusion"], &gate["allowed"]), (&json!("failure"), &json!(false)), "{gate:#}");
    assert_eq!(gate["base"], main.as_str());
    assert!(gate["reason"].as_str().unwrap().contains("accuracy"), "{gate:#}");
    assert!(gate["url"].as_str().unwrap().ends_with("/acme/digits/runs/2"), "{gate:#}");

    let equal = world.git.commit("equal", &[("model.onnx", "equal")]);
    world.push("equal", None, &equal).await;
    evaluate(&runner, "equal", 20).await;
    let gate = world.gate_concluded(&equal).await;
    assert_eq!((&gate["conclusion"], &gate["allowed"]), (&json!("success"), &json!(true)), "{gate:#}");

    let trend = world.get("metrics/accuracy").await;
    assert_eq!(trend["points"].as_array().unwrap().len(), 1, "{trend:#}");
    assert_eq!(trend["points"][0]["value"], 0.98);
}

#[tokio::test]
async fn a_head_waits_for_its_base_and_a_change_cannot_weaken_its_own_gate() {
    let world = World::new().await;
    let runner = world.runner();
    world.push_main(GATED).await;
    let base = runner.claim().await;
    let weaker = GATED.replace("1pp", "90pp");
    let head = world.git.commit("weaker", &[(".assay/workflows/ci.yml", &weaker), ("model.onnx", "worse")]);
    world.push("weaker", None, &head).await;
    evaluate(&runner, "worse", 90).await;
    world.run_concluded(2).await;
    assert_eq!(world.get(&format!("commits/{head}/gate")).await["state"], "pending");

    let (evaluation, outcomes) = evaluated("good", 20);
    let blob = evaluation.outcomes.as_ref().unwrap().digest.clone();
    runner.put(&base, &format!("blobs/{blob}")).body(outcomes).send().await.unwrap();
    let mut good = result(Conclusion::Success);
    good.evaluations = vec![evaluation];
    runner.finish(&base, good).await;
    let gate = world.gate_concluded(&head).await;
    assert_eq!(gate["conclusion"], "failure", "{gate:#}");
}

#[tokio::test]
async fn a_mistake_in_a_workflow_is_a_failed_gate_at_its_place() {
    let world = World::new().await;
    let sha = world.push_main(&ONE_JOB.replace("runs-on", "run-on")).await;
    let gate = world.gate_concluded(&sha).await;
    assert_eq!(gate["conclusion"], "failure");
    assert!(gate["summary"].as_str().unwrap().contains(".assay/workflows/ci.yml:4:5"), "{gate:#}");
    let run = world.run_concluded(1).await;
    assert_eq!((&run["conclusion"], &run["problems"][0]["line"]), (&json!("failure"), &json!(4)), "{run:#}");
}

#[tokio::test]
async fn the_gate_concludes_where_there_is_nothing_to_judge() {
    let world = World::new().await;
    let runner = world.runner();
    let none = world.git.commit("main", &[("README.md", "no workflows")]);
    world.push("main", None, &none).await;
    let gate = world.gate_concluded(&none).await;
    assert_eq!(gate["allowed"], true, "{gate:#}");

    let filtered = world.push_main(&ONE_JOB.replace("[push, pull_request]", "{push: {paths: [src/**]}}")).await;
    let gate = world.gate_concluded(&filtered).await;
    assert_eq!(gate["allowed"], true, "{gate:#}");

    let failing = world.push_main(ONE_JOB).await;
    runner.run_one(Conclusion::Failure).await;
    let gate = world.gate_concluded(&failing).await;
    assert_eq!((&gate["conclusion"], &gate["allowed"]), (&json!("failure"), &json!(false)), "{gate:#}");

    let gated = world.git.commit("gated", &[(".assay/workflows/ci.yml", GATED)]);
    world.push("gated", None, &gated).await;
    evaluate(&runner, "any", 500).await;
    let gate = world.gate_concluded(&gated).await;
    assert!(gate["summary"].as_str().unwrap().contains("from its merge on"), "{gate:#}");
    assert_eq!(gate["allowed"], true);
}

#[tokio::test]
async fn a_failed_run_blocks_also_without_a_gate() {
    let world = World::new().await;
    let runner = world.runner();
    let main = world.push_main(GATED.split("gate:").next().unwrap()).await;
    let claim = runner.claim().await;
    let (mut evaluation, _) = evaluated("good", 20);
    evaluation.outcomes = None;
    let mut failed = result(Conclusion::Failure);
    failed.evaluations = vec![evaluation];
    runner.finish(&claim, failed).await;
    let gate = world.gate_concluded(&main).await;
    assert_eq!((&gate["conclusion"], &gate["allowed"]), (&json!("failure"), &json!(false)), "{gate:#}");
}

/// More than a value of the store holds: it goes through the report, the store, the API, the page and the gate whole.
#[tokio::test]
async fn an_evaluation_of_a_thousand_classes_and_slices_is_kept_whole() {
    let world = World::new().await;
    let runner = world.runner();
    let main = world.push_main(GATED).await;
    let claim = runner.claim().await;
    let (mut evaluation, outcomes) = evaluated("many", 20);
    let numbers = ["precision", "recall", "f1", "support"].map(|name| (name.to_owned(), 0.123_456_789_012_345_6));
    let thousand = |word: &str| (0..1000).map(|number| (format!("{word}{number}"), numbers.clone().into())).collect();
    evaluation.per_class = thousand("class ");
    evaluation.slices = thousand("language=");
    assert!(serde_json::to_vec(&evaluation).unwrap().len() > 2 * 64 * 1024);
    let blob = &evaluation.outcomes.as_ref().unwrap().digest;
    runner.put(&claim, &format!("blobs/{blob}")).body(outcomes).send().await.unwrap();
    let mut many = result(Conclusion::Success);
    many.evaluations = vec![evaluation.clone()];
    runner.finish(&claim, many).await;
    let run = world.run_concluded(1).await;
    let kept: Evaluation = serde_json::from_value(run["jobs"][0]["evaluations"][0].clone()).unwrap();
    assert_eq!(kept, evaluation);
    assert_eq!(world.gate_concluded(&main).await["conclusion"], "neutral");
    let page = world.client.get(format!("{}/acme/digits/runs/1", world.url)).send().await.unwrap();
    assert!(page.status().is_success(), "{}", page.status());
}
