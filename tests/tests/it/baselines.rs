//! The base's model beside the head's: real models, a real runner, the local forge.

use serde_json::{Value, json};
use tests::{
    digits::{WORKFLOW, example, first},
    site::Site,
};

/// The same data in another file: the archive's comment, which ends it, says one letter.
fn other_data() -> Vec<u8> {
    let mut bytes = example("heldout.npz");
    let length = bytes.len() - 2;
    assert_eq!(bytes[length..], [0, 0], "the archive has no comment yet");
    bytes[length] = 1;
    bytes.push(b'x');
    bytes
}

/// The evaluation of a run's only job.
async fn evaluation(site: &Site, run: u64) -> Value {
    let run = site.ended(run).await;
    run["jobs"][0]["evaluations"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_never_ran_is_evaluated_beside_the_head() {
    let site = Site::start(&[]);
    let main = first(&site, &WORKFLOW.replace("[push, pull_request]", "pull_request")).await;
    let regressed = example("variants/regressed.onnx");
    let worse = site.commit("worse", Some(&main), "Worse", &[("model.onnx", &regressed)]).await;
    let gate = site.gate(&worse).await;
    assert_eq!((&gate["conclusion"], &gate["base"]), (&json!("failure"), &json!(main)), "{gate:#}");
    let rule = &gate["verdict"]["rules"][0];
    assert!((rule["base"].as_f64().unwrap() - 0.9633).abs() < 1e-4, "{gate:#}");
    assert_eq!(rule["n"], 899);
    let beside = &evaluation(&site, 1).await["beside"];
    assert_eq!(beside["sha"], json!(main), "{beside:#}");
    assert!(beside["evaluation"]["outcomes"]["digest"].is_string(), "{beside:#}");
    let page = site.client.get(gate["url"].as_str().unwrap()).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("base evaluated beside it"), "{page}");

    let same = site.commit("same", Some(&main), "Words", &[("README.md", b"words")]).await;
    let gate = site.gate(&same).await;
    assert_eq!((&gate["conclusion"], &gate["verdict"]["rules"][0]["test"]), (&json!("success"), &json!("identical")));
}

/// The base's model twice, by ONNX Runtime and not from what is known of it; the gate says that nothing changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_checks_the_gate_measures_the_base_twice() {
    let site = Site::start(&[]);
    let main = first(&site, &WORKFLOW.replace("gate:", "gate:\n  self-check: 100%")).await;
    assert_eq!(evaluation(&site, 1).await["self_check"], Value::Null, "there is nothing before the first commit");
    let smaller = example("variants/smaller.onnx");
    let head = site.commit("smaller", Some(&main), "Smaller", &[("model.onnx", &smaller)]).await;
    assert_eq!(site.gate(&head).await["conclusion"], "success");
    let twice = &evaluation(&site, 2).await["self_check"];
    let second = &twice["beside"];
    assert_eq!(second["sha"], json!(main), "{twice:#}");
    assert_eq!((&twice["cached"], &second["evaluation"]["cached"]), (&json!(false), &json!(false)));
    assert_eq!(twice["model"]["digest"], second["evaluation"]["model"]["digest"]);
    assert_eq!(twice["metrics"], second["evaluation"]["metrics"]);
    let checks = site.get("self-checks").await;
    let (all, newest) = (&checks["false_alarms"], &checks["self_checks"][0]["check"]);
    assert_eq!((&all["of"], &all["alarms"], &newest["differing"]), (&json!(1), &json!(0), &json!(0)), "{checks:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_like_is_taken_and_other_data_are_judged_on_the_heads() {
    let site = Site::start(&[]);
    let main = first(&site, WORKFLOW).await;
    let smaller = example("variants/smaller.onnx");
    let like = site.commit("like", Some(&main), "Smaller", &[("model.onnx", &smaller)]).await;
    assert_eq!(site.gate(&like).await["conclusion"], "success");
    assert_eq!(evaluation(&site, 2).await["beside"], Value::Null, "the base's own results are like it");

    let (data, regressed) = (other_data(), example("variants/regressed.onnx"));
    let files: [(&str, &[u8]); 2] = [("heldout.npz", &data), ("model.onnx", &regressed)];
    let other = site.commit("other", Some(&main), "Other data", &files).await;
    let gate = site.gate(&other).await;
    assert_eq!(gate["conclusion"], "failure", "{gate:#}");
    let head = evaluation(&site, 3).await;
    assert_eq!(head["beside"]["sha"], json!(main));
    assert_eq!(head["beside"]["evaluation"]["dataset"]["digest"], head["dataset"]["digest"]);
}

/// The runner's own memory is gone, as on another machine: the server knows the result.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_runner_computed_another_reuses() {
    let site = Site::start(&[]);
    let main = first(&site, WORKFLOW).await;
    let computed = evaluation(&site, 1).await;
    assert_eq!(computed["cached"], false);
    std::fs::remove_dir_all(site.data.join("runner/cache/evaluations")).unwrap();
    let same = site.commit("same", Some(&main), "Words", &[("README.md", b"words")]).await;
    assert_eq!(site.gate(&same).await["conclusion"], "success");
    let reused = evaluation(&site, 2).await;
    assert_eq!(reused["cached"], true);
    assert_eq!((&reused["metrics"], &reused["outcomes"]), (&computed["metrics"], &computed["outcomes"]));
}
