//! Actions that move files, and those of the repository.

use workflows::run::Conclusion;

use crate::harness::{Bench, repository};

#[tokio::test]
async fn files_go_from_a_commit_to_an_artifact_to_another_job() {
    let mut bench = Bench::new();
    let (source, sha) = repository(&bench, &[("m/a.onnx", "AAAA"), ("m/readme", "x")]);
    bench.source = Some(source);
    let mut spec = bench.spec(
        r#"
    steps:
      - uses: actions/checkout@v4
      - run: ls -A
      - uses: assay/upload-artifact@v1
        with: { name: models, path: "m/*.onnx" }
"#,
    );
    spec.checkout.sha = sha.parse().unwrap();
    bench.run_spec(&spec).await.concluded(Conclusion::Success).logged("\nm\n").not_logged(".git\n");
    let done = bench
        .run(
            r#"
    steps:
      - uses: assay/download-artifact@v1
        with: { name: models, path: got }
      - run: cat got/a.onnx; ls got | wc -l
      - uses: assay/download-artifact@v1
        with: { path: all }
      - run: ls all/models
      - uses: assay/download-artifact@v1
        with: { name: nothing }
"#,
        )
        .await;
    done.concluded(Conclusion::Failure)
        .logged("AAAA1")
        .logged("\na.onnx\n")
        .logged("the run has no artifact `nothing`");
}

#[tokio::test]
async fn an_artifact_without_files_is_as_bad_as_the_workflow_says() {
    let mut bench = Bench::new();
    let job = |then: &str| {
        format!(
            "    steps:\n      - uses: assay/upload-artifact@v1\n        with: {{ path: none/*, if-no-files-found: {then} }}\n"
        )
    };
    bench.run(&job("warn")).await.concluded(Conclusion::Success).logged("##[warning]No file");
    bench.run(&job("error")).await.concluded(Conclusion::Failure).logged("No file was found");
}

#[tokio::test]
async fn a_composite_action_has_inputs_and_outputs_of_its_own() {
    let mut bench = Bench::new();
    let action = r#"
inputs:
  who: { required: true }
  greeting: { default: hello }
outputs:
  text: { value: "${{ steps.say.outputs.text }}" }
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      run: |
        echo "text=${{ inputs.greeting }} ${{ inputs.who }}" >> "$GITHUB_OUTPUT"
        echo "path ${{ github.action_path }}"
    - { shell: sh, if: "inputs.who == 'nobody'", run: exit 9 }
"#;
    let (source, sha) = repository(&bench, &[("greet/action.yml", action)]);
    bench.source = Some(source);
    let mut spec = bench.spec(
        r#"
    steps:
      - uses: assay/checkout@v1
      - { id: g, uses: ./greet, with: { who: world } }
      - run: echo "said ${{ steps.g.outputs.text }}"
      - { uses: ./greet, with: { who: nobody } }
      - { if: always(), uses: ./missing }
"#,
    );
    spec.checkout.sha = sha.parse().unwrap();
    let done = bench.run_spec(&spec).await;
    done.concluded(Conclusion::Failure).logged("said hello world").logged("/greet\n").logged("no action.yml");
    assert_eq!(done.conclusions(), ["success", "success", "success", "failure", "failure"]);
}

#[tokio::test]
async fn a_cache_is_kept_but_not_by_strangers() {
    let mut bench = Bench::new();
    let job = |content: &str| {
        format!(
            r#"
    steps:
      - {{ id: c, uses: actions/cache@v4, with: {{ key: k1, path: deps, restore-keys: k }} }}
      - run: |
          echo "hit=${{{{ steps.c.outputs.cache-hit }}}}"; cat deps/x || true
          mkdir -p deps; echo {content} > deps/x
"#
        )
    };
    bench.trusted = false;
    bench.run(&job("poison")).await.concluded(Conclusion::Success).logged("hit=false").logged("Saved the cache");
    bench.trusted = true;
    bench.run(&job("good")).await.logged("hit=false").not_logged("\npoison");
    bench.run(&job("other")).await.logged("hit=true").logged("\ngood\n");
}
