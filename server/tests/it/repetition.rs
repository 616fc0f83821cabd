//! A benchmark that cannot tell is repeated with more blocks, a bounded number of times, and the check run says so.

use serde_json::json;
use workflows::{
    evaluation::{Benchmark, Beside, Evaluation},
    run::Conclusion,
};

use crate::{
    spine::evaluated,
    world::{Runner, World, result},
};

const BENCHED: &str = "on: [push, pull_request]
jobs:
  bench:
    runs-on: linux
    steps:
      - id: bench
        uses: assay/bench@v1
        with: { model: model.onnx, blocks: 8 }
gate:
  latency_p50: { max-increase: 10% }
";

/// A benchmark of so many blocks: 8 % slower than the base's, give or take.
fn benchmark(noise: f64, blocks: u32, disturbed: bool) -> Evaluation {
    let side = |slower: f64| {
        let block = |i: u32| 10.0 * (1.0 + slower) + if slower > 0.0 { noise * f64::from(i * 7 % 11) } else { 0.0 };
        let (mut evaluation, _) = evaluated(if slower > 0.0 { "head" } else { "base" }, 0);
        evaluation.name = "bench".into();
        evaluation.task = "benchmark".into();
        evaluation.outcomes = None;
        evaluation.metrics = [("latency_p50".to_owned(), 10.0 * (1.0 + slower))].into();
        evaluation.benchmark = Some(Benchmark {
            scenario: "single-stream".into(),
            blocks: [("latency_p50".to_owned(), (0..blocks).map(block).collect())].into(),
            disturbances: if disturbed { vec!["another process used the GPU".into()] } else { vec![] },
            ..Benchmark::default()
        });
        evaluation
    };
    let base = Beside { sha: None, evaluation: side(0.0) };
    Evaluation { beside: Some(Box::new(base)), ..side(0.05) }
}

/// Takes the next job and says this of it; how many blocks were asked for.
async fn bench(runner: &Runner, evaluation: Evaluation) -> Option<u32> {
    let claim = runner.claim().await;
    let mut result = result(Conclusion::Success);
    result.evaluations = vec![evaluation];
    runner.finish(&claim, result).await;
    claim.job.baseline.and_then(|baseline| baseline.blocks)
}

async fn changed(workflow: &str) -> (World, Runner, workflows::ids::Sha) {
    let world = World::new().await;
    let runner = world.runner();
    let main = world.push_main(workflow).await;
    let claim = runner.run_one(Conclusion::Success).await;
    assert_eq!(claim.job.baseline, None, "there is nothing before the first commit");
    world.gate_concluded(&main).await;
    let change = world.git.commit("change", &[("model.onnx", "other")]);
    world.push("change", None, &change).await;
    (world, runner, change)
}

#[tokio::test]
async fn what_cannot_tell_is_measured_again_with_the_blocks_that_would() {
    let (world, runner, change) = changed(BENCHED).await;
    // Between 5 and 13 % slower, where 10 % are allowed.
    assert_eq!(bench(&runner, benchmark(0.08, 8, false)).await, None);
    let asked = bench(&runner, benchmark(0.001, 60, false)).await;
    assert!(asked.is_some_and(|blocks| blocks > 8), "{asked:?}");
    let gate = world.gate_concluded(&change).await;
    assert_eq!(gate["conclusion"], "success", "{gate:#}");
    let said = format!("{} {}", gate["summary"], gate["text"]);
    assert!(said.contains("repeated automatically (1 of 1)") && said.contains("from 8 blocks"), "{gate:#}");
    assert_eq!(world.get("runs/2").await["attempt"], json!(2));
}

#[tokio::test]
async fn it_is_repeated_no_more_often_than_the_policy_says() {
    let (world, runner, change) = changed(&format!("{BENCHED}  defaults: {{ repetitions: 2 }}\n")).await;
    for _ in 0..3 {
        bench(&runner, benchmark(0.3, 8, false)).await;
    }
    let gate = world.gate_concluded(&change).await;
    assert_eq!(gate["verdict"]["verdict"], "inconclusive", "{gate:#}");
    assert_eq!(world.get("runs/2").await["attempt"], json!(3));

    let (world, runner, change) = changed(&format!("{BENCHED}  defaults: {{ repetitions: 0 }}\n")).await;
    bench(&runner, benchmark(0.3, 8, true)).await;
    world.gate_concluded(&change).await;
    assert_eq!(world.get("runs/2").await["attempt"], json!(1));
}

#[tokio::test]
async fn a_disturbed_one_is_repeated_as_it_was() {
    let (world, runner, change) = changed(BENCHED).await;
    assert_eq!(bench(&runner, benchmark(0.3, 8, true)).await, None);
    assert_eq!(bench(&runner, benchmark(0.001, 8, false)).await, None);
    let gate = world.gate_concluded(&change).await;
    let said = format!("{} {}", gate["summary"], gate["text"]);
    assert!(said.contains("another process used the GPU"), "{gate:#}");
    assert_eq!(world.get("runs/2").await["attempt"], json!(2));
}
