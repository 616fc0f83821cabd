//! Actions that measure a model: what they run, what they keep, and what they put beside it.

use std::fs;

use workflows::{
    protocol::{AnnotationLevel, Baseline, CheckoutSpec, KnownEvaluation},
    run::Conclusion,
};

use crate::harness::{Bench, repository};

const EVALUATION: &str = r#"{"name":"","task":"classification","n":3,"metrics":{"accuracy":0.5},
 "model":{"path":"m.onnx","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","bytes":4},
 "dataset":{"path":"d.npz","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","bytes":4},
 "provider":{"requested":"cpu","nodes":{},"device":"a CPU","version":"1","threads":1},
 "timing":{"load_ms":1,"run_ms":1,"total_ms":2}}"#;

#[tokio::test]
async fn an_evaluation_is_named_kept_and_its_numbers_are_outputs() {
    let mut bench = Bench::new();
    bench.fake_assay(&format!(
        "#!/bin/sh\nfor w; do last=$w; done\necho \"args: $*\" >&2\necho outcomes > \"$last\"\ncat <<'E'\n{EVALUATION}\nE\n"
    ));
    let done = bench
        .run(
            r#"
    steps:
      - id: holdout
        uses: assay/eval@v1
        with: { model: m.onnx, dataset: d.npz, task: classification, metrics: "accuracy,f1", no-cache: true }
      - run: echo "it is ${{ steps.holdout.outputs.accuracy }}"
"#,
        )
        .await;
    done.concluded(Conclusion::Success)
        .logged("args: eval --model=m.onnx --dataset=d.npz --task=classification --metrics=accuracy,f1 --no-cache --json --outcomes ")
        .logged("\nit is 0.5");
    let evaluation = &done.result.evaluations[0];
    assert_eq!((evaluation.name.as_str(), evaluation.n), ("holdout", 3));
    let blob = evaluation.outcomes.as_ref().unwrap();
    let kept = bench.path().join("host/blobs").join(blob.digest.hex());
    assert_eq!(fs::read_to_string(kept).unwrap(), "outcomes\n");
}

/// A program in place of `assay` that answers with a key, counts its evaluations, and says how many they were.
fn counting_assay(bench: &Bench) {
    let zeros = "0".repeat(64);
    let evaluation = EVALUATION.replace('\n', " ");
    bench.fake_assay(&format!(
        r#"#!/bin/sh
for w; do
  case $w in --key) echo '{{"key":"sha256:{zeros}","model":"sha256:{zeros}","dataset":"sha256:{zeros}"}}'; exit;; esac
  last=$w
done
echo x >> "{count}"
echo "outcomes $(wc -l < "{count}")" > "$last"
echo '{evaluation}'
"#,
        count = bench.path().join("count").display()
    ));
}

#[tokio::test]
async fn a_known_result_is_reused_but_trusted_code_takes_none_from_strangers() {
    let mut bench = Bench::new();
    counting_assay(&bench);
    let job = |more: &str| {
        format!(
            "    steps:\n      - id: e\n        uses: assay/eval@v1\n        with: {{ model: m.onnx, dataset: d.npz{more} }}\n"
        )
    };
    let evaluations = |bench: &Bench| fs::read_to_string(bench.path().join("count")).unwrap().lines().count();
    bench.trusted = false;
    assert!(!bench.run(&job("")).await.concluded(Conclusion::Success).result.evaluations[0].cached);
    assert!(bench.run(&job("")).await.result.evaluations[0].cached, "strangers may reuse what strangers computed");
    assert_eq!(evaluations(&bench), 1);
    bench.trusted = true;
    let done = bench.run(&job("")).await;
    assert!(!done.result.evaluations[0].cached, "the baseline came from a stranger");
    let computed = done.result.evaluations[0].outcomes.clone().unwrap();
    let done = bench.run(&job("")).await;
    done.concluded(Conclusion::Success).logged("(known from an earlier evaluation)");
    let evaluation = &done.result.evaluations[0];
    assert!(evaluation.cached);
    assert_eq!((evaluation.name.as_str(), evaluation.model.path.as_str()), ("e", "m.onnx"));
    assert_eq!(evaluation.outcomes.as_ref(), Some(&computed));
    assert!(bench.path().join("host/blobs").join(computed.digest.hex()).is_file());
    bench.trusted = false;
    let done = bench.run(&job("")).await;
    assert_eq!(done.result.evaluations[0].outcomes.as_ref(), Some(&computed), "strangers reuse trusted results first");
    assert_eq!(evaluations(&bench), 2);
    bench.run(&job(", no-cache: true")).await.concluded(Conclusion::Success);
    assert_eq!(evaluations(&bench), 3);
    // A result that rotted is computed again.
    let trusted = bench.path().join("cache/evaluations/acme/digits/trusted");
    for entry in fs::read_dir(trusted).unwrap() {
        fs::write(entry.unwrap().path(), "rot").unwrap();
    }
    bench.trusted = true;
    assert!(!bench.run(&job("")).await.concluded(Conclusion::Success).result.evaluations[0].cached);
}

#[tokio::test]
async fn an_evaluation_that_cannot_be_fails_with_its_reason() {
    let mut bench = Bench::new();
    let job = "    steps:\n      - uses: assay/eval@v1\n        with: { model: m.onnx, dataset: d.npz }\n";
    bench.fake_assay("#!/bin/sh\necho 'error: m.onnx: not a model' >&2; exit 2\n");
    let done = bench.run(job).await;
    done.concluded(Conclusion::Failure);
    assert_eq!(done.result.annotations[0].message, "m.onnx: not a model");
    bench.fake_assay("#!/bin/sh\nkill -SEGV $$\n");
    bench.run(job).await.concluded(Conclusion::Failure).logged("crashed (SIGSEGV)");
    let unknown = "    steps:\n      - run: printf 'version https://git-lfs.github.com/spec/v1\\n' > m.onnx\n";
    let job = format!("{unknown}{}", job.trim_start_matches("    steps:\n"));
    bench.run(&job).await.concluded(Conclusion::Failure).logged("Git LFS pointer");
}

#[tokio::test]
async fn a_changed_signature_is_annotated_and_the_size_is_a_metric() {
    let mut bench = Bench::new();
    let digest = format!("sha256:{}", "0".repeat(64));
    bench.fake_assay(&format!(
        r#"#!/bin/sh
echo "args: $*" >&2
cat <<'E'
{{"model":{{"path":"m.onnx","digest":"{digest}","bytes":4416}},"parameters":650,"nodes":5,"against":
{{"model":{{"path":"old.onnx","digest":"{digest}","bytes":4400}},"signature":["the input `z` is new"]}}}}
E
"#
    ));
    let job = r#"
    steps:
      - { id: it, uses: assay/inspect@v1, with: { model: m.onnx, against: old.onnx } }
      - run: echo "it has ${{ steps.it.outputs.model_bytes }} bytes"
"#;
    let done = bench.run(job).await;
    done.concluded(Conclusion::Success)
        .logged("args: inspect --json --against=old.onnx -- m.onnx")
        .logged("\nit has 4416 bytes");
    let [annotation] = &done.result.annotations[..] else { panic!("{:?}", done.result.annotations) };
    assert_eq!((annotation.path.as_str(), annotation.level), ("m.onnx", AnnotationLevel::Warning));
    assert_eq!(annotation.message, "Against old.onnx, the input `z` is new");
    let evaluation = &done.result.evaluations[0];
    assert_eq!((evaluation.name.as_str(), evaluation.metrics["model_bytes"]), ("it", 4416.0));
}

#[tokio::test]
async fn a_benchmark_times_the_base_of_its_job_beside_the_head() {
    let mut bench = Bench::new();
    let (source, sha) = repository(&bench, &[("m.onnx", "BASE")]);
    bench.source = Some(source);
    let side = EVALUATION.replace('\n', " ");
    let both = side.replace(
        "\"metrics\"",
        &format!(
            r#""benchmark":{{"scenario":"single-stream","blocks":{{"latency_p50":[1,2]}},"disturbances":["a neighbour"]}},"beside":{{"evaluation":{side}}},"metrics""#
        ),
    );
    bench.fake_assay(&format!(
        "#!/bin/sh\nfor w; do case $w in --against=*) cat \"${{w#--against=}}\" >&2; echo >&2;; esac; done\necho \"args: $*\" >&2\ncat <<'E'\n{both}\nE\n"
    ));
    let job = "    steps:\n      - { id: b, uses: assay/bench@v1, with: { model: m.onnx, queries: 500 } }\n";
    let mut spec = bench.spec(job);
    let checkout = CheckoutSpec { sha: sha.parse().unwrap(), ..spec.checkout.clone() };
    spec.baseline =
        Some(Baseline { sha: checkout.sha.clone(), checkout, known: Vec::new(), blocks: Some(40), self_check: false });
    let done = bench.run_spec(&spec).await;
    done.concluded(Conclusion::Success)
        .logged("args: bench --model=m.onnx --queries=500 --against=/")
        .logged("m.onnx --blocks=40 --json")
        .logged("\nBASE\n")
        .logged("Disturbed: a neighbour");
    let evaluation = &done.result.evaluations[0];
    let beside = evaluation.beside.as_ref().unwrap();
    assert_eq!((evaluation.name.as_str(), beside.evaluation.name.as_str()), ("b", "b"));
    assert_eq!(beside.sha.as_ref().unwrap().as_str(), sha);
    assert_eq!(evaluation.benchmark.as_ref().unwrap().blocks["latency_p50"], [1.0, 2.0]);
    assert!(evaluation.self_check.is_none());

    // A run that checks the gate times the base against itself as well; what is said of both is the base's.
    let baseline = spec.baseline.as_mut().unwrap();
    baseline.self_check = true;
    let done = bench.run_spec(&spec).await;
    done.concluded(Conclusion::Success).logged("against itself").logged("args: bench --queries=500 --model=/");
    let twice = done.result.evaluations[0].self_check.as_ref().unwrap();
    let second = twice.beside.as_ref().unwrap();
    assert_eq!((twice.name.as_str(), second.evaluation.name.as_str()), ("b", "b"));
    assert_eq!((twice.model.path.as_str(), second.sha.as_ref().unwrap().as_str()), ("m.onnx", sha.as_str()));

    // A model that the base has not, as one that a step makes, is timed alone; the log says so.
    let alone = bench.spec(&job.replace("m.onnx", "new.onnx"));
    spec.job = alone.job;
    let done = bench.run_spec(&spec).await;
    done.concluded(Conclusion::Success).not_logged("--against").logged("has no file new.onnx");
    assert!(done.result.evaluations[0].self_check.is_none());
}

#[tokio::test]
async fn a_step_measures_for_itself() {
    let mut bench = Bench::new();
    let done = bench
        .run(
            r#"
    steps:
      - id: mine
        run: |
          echo '{"metric":"bleu","value":31.5}' >> "$ASSAY_METRICS"
          echo '{"id":"1","target":1,"prediction":1,"values":{"accuracy":1}}' >> "$ASSAY_METRICS"
"#,
        )
        .await;
    done.concluded(Conclusion::Success);
    let evaluation = &done.result.evaluations[0];
    assert_eq!((evaluation.name.as_str(), evaluation.metrics["bleu"], evaluation.n), ("mine", 31.5, 1));
    assert!(evaluation.outcomes.is_some());
}

/// What a step says of its examples is what the gate compares: paired by id, as an evaluation's own outcomes are.
#[tokio::test]
async fn a_steps_own_outcomes_reach_the_gate() {
    use workflows::{
        compare,
        evaluation::Outcomes,
        gate::{Answer, Bound, Policy, Rule, Side, judge},
    };
    let mut bench = Bench::new();
    let mut sides: Vec<Side> = Vec::new();
    for every in [50, 4] {
        let job = format!(
            r#"
    steps:
      - id: answers
        run: |
          i=0
          while [ $i -lt 400 ]; do
            right=1; [ $((i % {every})) -eq 0 ] && right=0
            echo "{{\"id\":\"q$i\",\"target\":1,\"prediction\":$right,\"values\":{{\"exact_match\":$right}}}}"
            i=$((i + 1))
          done >> "$ASSAY_METRICS"
"#
        );
        let mut spec = bench.spec(&job);
        // The commit stands for the model.
        spec.checkout.sha = format!("{every:040}").parse().unwrap();
        let done = bench.run_spec(&spec).await;
        done.concluded(Conclusion::Success);
        let evaluation = &done.result.evaluations[0];
        let blob = bench.path().join("host/blobs").join(evaluation.outcomes.as_ref().unwrap().digest.hex());
        let text = String::from_utf8(zstd::decode_all(&fs::read(blob).unwrap()[..]).unwrap()).unwrap();
        sides.push(compare::side("j", evaluation, Some(&Outcomes::parse(&text).unwrap())));
    }
    let nothing = workflows::gate::Amount { value: 0.0, unit: workflows::gate::Unit::Absolute };
    let rule = Rule {
        metric: "exact_match".to_owned(),
        bounds: vec![Bound::MaxDrop(nothing)],
        test: Default::default(),
        line: 0,
    };
    let policy = Policy { rules: vec![rule], defaults: Default::default() };
    let (base, head) = (&sides[..1], &sides[1..]);
    let verdict = judge(&policy, head, Some(base));
    let finding = &verdict.rules[0];
    assert_eq!(verdict.verdict, Answer::Fail, "{finding:?}");
    assert_eq!(finding.n, 400, "{finding:?}");
    assert_eq!(judge(&policy, base, Some(base)).verdict, Answer::Pass);
}

/// A model that a step makes is in no commit: the one that the base's run made is kept, and measured on the head's data
/// where the base's own result is of other data.
#[tokio::test]
async fn a_model_that_the_bases_run_made_is_evaluated_beside_the_heads() {
    let mut bench = Bench::new();
    let (source, sha) = repository(&bench, &[("README.md", "no model here")]);
    bench.source = Some(source);
    let evaluation = EVALUATION.replace('\n', " ");
    let zeros = format!("\"model\":{{\"path\":\"m.onnx\",\"digest\":\"sha256:{}\"", "0".repeat(64));
    let (before, after) = evaluation.split_once(&zeros).unwrap();
    bench.fake_assay(&format!(
        r#"#!/bin/sh
for w; do
  case $w in --key) exit 2;; --model=*) model="${{w#--model=}}";; esac
  last=$w
done
echo "evaluated: $(cat "$model")" >&2
cp "$model" "$last"
echo '{before}"model":{{"path":"m.onnx","digest":"sha256:'$(sha256sum < "$model" | cut -c1-64)'"{after}'
"#
    ));
    let job = |model: &str| {
        format!(
            "    steps:\n      - run: mkdir dist; printf '{model}' > dist/m.onnx\n      - {{ id: e, uses: assay/eval@v1, with: {{ model: dist/m.onnx, dataset: d.npz, no-cache: true }} }}\n"
        )
    };
    let of_base = bench.run(&job("of the base")).await;
    of_base.concluded(Conclusion::Success);
    let mut known = KnownEvaluation::of("j", &of_base.result.evaluations[0]);
    known.like.insert("dataset".to_owned(), "another".to_owned());
    let mut spec = bench.spec(&job("of the head"));
    let checkout = CheckoutSpec { sha: sha.parse().unwrap(), ..spec.checkout.clone() };
    let model = known.model.clone();
    spec.baseline =
        Some(Baseline { sha: checkout.sha.clone(), checkout, known: vec![known], blocks: None, self_check: false });
    let done = bench.run_spec(&spec).await;
    done.concluded(Conclusion::Success).logged("evaluated: of the head").logged("evaluated: of the base");
    let beside = done.result.evaluations[0].beside.as_ref().expect("the base is measured beside");
    assert_eq!(Some(&beside.evaluation.model.digest), model.as_ref());

    // A copy that rotted is nobody's model.
    let kept = bench.path().join("cache/models/acme/digits/trusted").join(model.as_ref().unwrap().hex());
    fs::write(&kept, "rotten").unwrap();
    let done = bench.run_spec(&spec).await;
    done.concluded(Conclusion::Success).not_logged("evaluated: rotten").logged("has no file dist/m.onnx");
    assert!(done.result.evaluations[0].beside.is_none());
}
