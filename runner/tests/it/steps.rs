//! What steps do and what that means for the next.

use std::time::{Duration, Instant};

use workflows::{protocol::StepState, run::Conclusion};

use crate::harness::{Bench, is_alive, until};

#[tokio::test]
async fn a_step_speaks_to_the_next_through_its_files() {
    let mut bench = Bench::new();
    let done = bench
        .run(
            r#"
    env: { LEVEL: "job-${{ matrix.model }}" }
    outputs:
      text: ${{ steps.first.outputs.text }}
      upper: ${{ steps.second.outputs.upper }}
    steps:
      - id: first
        run: |
          { echo 'text<<END'; echo 'two'; echo 'lines=1'; echo END; } >> "$GITHUB_OUTPUT"
          echo "LATER=from-env" >> "$GITHUB_ENV"
          mkdir bin && printf '#!/bin/sh\necho tool ran' > bin/tool && chmod +x bin/tool
          echo "$PWD/bin" >> "$GITHUB_PATH"
      - id: second
        env: { OWN: "${{ steps.first.outputs.text }}" }
        run: |
          tool
          echo "upper=$LATER/$LEVEL/$OWN" | tr '\n' ' ' >> "$GITHUB_OUTPUT"
"#,
        )
        .await;
    done.concluded(Conclusion::Success).logged("tool ran");
    assert_eq!(done.result.outputs["text"], "two\nlines=1");
    assert_eq!(done.result.outputs["upper"].trim(), "from-env/job-small/two lines=1");
}

#[tokio::test]
async fn after_a_failure_only_those_run_that_say_so() {
    let mut bench = Bench::new();
    let done = bench
        .run(
            r#"
    steps:
      - { id: soft, run: exit 3, continue-on-error: true }
      - run: echo outcome=${{ steps.soft.outcome }} conclusion=${{ steps.soft.conclusion }}
      - run: exit 7
      - run: echo never
      - { run: "echo status ${{ job.status }}", if: always() }
      - { run: echo mourning, if: failure() }
"#,
        )
        .await;
    done.concluded(Conclusion::Failure)
        .logged("outcome=failure conclusion=success")
        .logged("status failure")
        .logged("mourning")
        .not_logged("\nnever");
    assert_eq!(done.conclusions(), ["success", "success", "failure", "skipped", "success", "success"]);
    let annotation = done.result.annotations.iter().find(|a| a.message.contains("exit code 7")).unwrap();
    assert_eq!((annotation.path.as_str(), annotation.line), (".assay/workflows/w.yml", 9));
    assert!(done.result.summary.as_ref().unwrap().contains("exit code 7"));
}

#[tokio::test]
async fn shells_are_githubs() {
    let mut bench = Bench::new();
    let done = bench
        .run(
            r#"
    steps:
      - run: false | true; echo unspecified goes on
      - { shell: bash, continue-on-error: true, run: "false | true; echo bash goes on" }
      - { shell: python, run: "import sys; print('python', sys.version_info[0])" }
      - { shell: "sh -c '. {0}; :'", continue-on-error: true, run: echo custom }
"#,
        )
        .await;
    done.concluded(Conclusion::Success).logged("\nunspecified goes on").logged("python 3").not_logged("\nbash goes on");
}

#[tokio::test]
async fn the_borders_of_steps_cut_the_log_where_they_spoke() {
    let mut bench = Bench::new();
    let done = bench.run("    steps:\n      - run: echo first-word\n      - run: printf second-word\n").await;
    done.concluded(Conclusion::Success);
    for (step, word) in done.steps.iter().zip(["first-word", "second-word"]) {
        let StepState::Finished { log_start, log_end, .. } = step.state else { panic!("{step:?}") };
        let part = &done.log[log_start as usize..log_end as usize];
        assert!(part.contains(&format!("\n{word}\n")), "{part}");
        assert_eq!(part.matches("-word\n").count(), 3, "the script's line, its echo, its output: {part}");
    }
}

#[tokio::test]
async fn commands_in_the_output_are_heard() {
    let mut bench = Bench::new();
    let done = bench
        .run(
            r#"
    steps:
      - run: |
          echo "::warning file=a.py,line=4,col=2,title=Careful::look here"
          echo "::add-mask::sesame-street"
          echo "the word is sesame-street"
          echo "::group::Details"
          echo "::set-output name=X::y"
"#,
        )
        .await;
    done.concluded(Conclusion::Success)
        .logged("##[warning]look here")
        .logged("the word is ***")
        .logged("##[group]Details")
        .logged("`::set-output::` does nothing");
    let annotation = &done.result.annotations[0];
    assert_eq!((annotation.path.as_str(), annotation.line, annotation.column), ("a.py", 4, Some(2)));
}

#[tokio::test]
async fn secrets_are_masked_and_do_not_leave_as_outputs() {
    let mut bench = Bench::new();
    bench.secrets = vec![("KEY", "correct-horse")];
    let done = bench
        .run(
            r#"
    outputs: { leak: "${{ steps.s.outputs.leak }}", fine: "${{ steps.s.outputs.fine }}" }
    steps:
      - id: s
        env: { KEY: "${{ secrets.KEY }}" }
        run: |
          echo "plain $KEY"; printf 'cut %s' "${KEY:0:7}"; sleep 0.05; printf '%s\n' "${KEY:7}"
          printf %s "$KEY" | base64
          echo "leak=$KEY" >> "$GITHUB_OUTPUT"; echo "fine=1" >> "$GITHUB_OUTPUT"
"#,
        )
        .await;
    done.concluded(Conclusion::Success).logged("plain ***").logged("cut ***").not_logged("correct-horse");
    assert!(!done.log.contains("Y29ycmVjdC1o"), "base64 is shown:\n{}", done.log);
    assert_eq!(done.result.outputs.keys().collect::<Vec<_>>(), ["fine"]);
}

#[tokio::test]
async fn what_would_load_code_into_every_program_is_refused() {
    let mut bench = Bench::new();
    let done = bench.run("    steps:\n      - run: echo LD_PRELOAD=/tmp/x.so >> $GITHUB_ENV\n").await;
    done.concluded(Conclusion::Failure).logged("`LD_PRELOAD` must not be set");
}

#[tokio::test]
async fn a_step_that_takes_too_long_fails_and_its_children_die() {
    let mut bench = Bench::new();
    let began = Instant::now();
    let done = bench
        .run(
            r#"
    steps:
      - timeout-minutes: 0.005
        run: |
          sleep 600 & echo "child=$!"
          wait
      - { if: failure(), run: echo afterwards }
"#,
        )
        .await;
    done.concluded(Conclusion::Failure).logged("exceeded its `timeout-minutes`").logged("\nafterwards");
    assert!(began.elapsed() < Duration::from_secs(9), "SIGINT was enough");
    let child = done.log.lines().find_map(|line| line.strip_prefix("child=")?.parse().ok()).unwrap();
    until("the child is gone", || !is_alive(child)).await;
}

#[tokio::test]
async fn a_cancelled_job_cleans_up_and_is_cancelled() {
    let mut bench = Bench::new();
    let spec = bench.spec(
        r#"
    steps:
      - run: |
          trap 'echo interrupted; exit 1' INT
          echo ready; while :; do sleep 0.05; done
      - run: echo never
      - { if: always(), run: "echo cleaned ${{ job.status }}" }
      - { if: cancelled(), run: echo knows }
"#,
    );
    let done = bench.cancelled_when_ready(&spec).await;
    done.concluded(Conclusion::Cancelled)
        .logged("\ninterrupted")
        .logged("\ncleaned cancelled")
        .logged("\nknows")
        .not_logged("\nnever");
    assert_eq!(done.conclusions(), ["cancelled", "skipped", "success", "success"]);
}

/// A shell has what it starts in the background ignore SIGINT, which children inherit.
#[test]
fn a_runner_that_a_script_started_in_the_background_interrupts_its_steps_too() {
    let story = "trap '' INT; exec \"$0\" --exact steps::a_cancelled_job_cleans_up_and_is_cancelled";
    let this = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh").args(["-c", story]).arg(this).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn a_job_has_a_time_limit_of_its_own() {
    let mut bench = Bench::new();
    let mut spec = bench.spec("    steps:\n      - run: sleep 600\n      - { if: always(), run: echo last }\n");
    spec.timeout_minutes = 0.005;
    bench.run_spec(&spec).await.concluded(Conclusion::TimedOut).logged("\nlast");
}

#[tokio::test]
async fn what_is_left_running_ends_with_the_job() {
    let mut bench = Bench::new();
    let done = bench
        .run("    steps:\n      - run: setsid sleep 600 >/dev/null 2>&1 & echo \"child=$!\"\n      - run: echo on\n");
    let done = done.await;
    done.concluded(Conclusion::Success);
    let child = done.log.lines().find_map(|line| line.strip_prefix("child=")?.parse().ok()).unwrap();
    until("the child is gone", || !is_alive(child)).await;
}

#[tokio::test]
async fn twenty_megabytes_of_log_pass_through_masked() {
    let mut bench = Bench::new();
    bench.secrets = vec![("KEY", "correct-horse")];
    let done = bench
        .run("    steps:\n      - run: yes correct-horse-battery | head -c 20000000; head -c 2000000 /dev/zero\n")
        .await;
    done.concluded(Conclusion::Success).not_logged("correct-horse-battery\n");
    assert!(done.log.len() > 8_000_000);
}
