//! What GitHub's runner does and those who rebuild it get wrong, by its source (actions/runner: StepsRunner,
//! CompositeActionHandler, ScriptHandler, ActionCommandManager).

use std::time::{Duration, Instant};

use workflows::run::Conclusion;

use crate::harness::{Bench, Done, repository};

async fn on_commit(bench: &mut Bench, files: &[(&str, &str)], job: &str) -> Done {
    let (source, sha) = repository(bench, files);
    bench.source = Some(source);
    let mut spec = bench.spec(job);
    spec.checkout.sha = sha.parse().unwrap();
    bench.run_spec(&spec).await
}

#[tokio::test]
async fn a_step_has_its_own_env_in_its_condition_and_a_name_also_where_it_is_skipped() {
    let mut bench = Bench::new();
    let done = bench
        .run(
            r#"
    env: { LEVEL: job, JOB: job }
    steps:
      - { if: env.OWN == 'x', env: { OWN: x }, run: echo sees its own }
      - { name: "level ${{ env.LEVEL }}", env: { LEVEL: step }, run: 'echo "$LEVEL-$JOB ${{ env.LEVEL }}"' }
      - { name: "not ${{ matrix.model }}", if: env.OWN == 'x', run: echo no more }
"#,
        )
        .await;
    done.concluded(Conclusion::Success).logged("\nsees its own\n").logged("\nstep-job step\n").not_logged("\nno more");
    assert_eq!(done.steps[1].name, "level step");
    assert_eq!(done.steps[2].name, "not small");
}

#[tokio::test]
async fn an_expression_may_give_the_whole_of_env_and_with_and_a_key_of_them() {
    let mut bench = Bench::new();
    let action = r#"
inputs: { a: { required: true }, b: { default: own } }
runs:
  using: composite
  steps: [{ shell: sh, run: 'echo "inputs ${{ inputs.a }} ${{ inputs.b }}"' }]
"#;
    let job = r#"
    env: ${{ fromJSON('{"JOB":"job","COUNT":2}') }}
    steps:
      - uses: assay/checkout@v1
      - env:
          OWN: own
          "X_${{ env.JOB }}": key
          ${{ insert }}: ${{ fromJSON('{"MORE":true}') }}
        run: echo "$JOB $COUNT $OWN $X_job $MORE ${{ env.MORE }}"
      - { uses: ./act, with: "${{ fromJSON('{\"a\":\"given\"}') }}" }
      - { env: "${{ fromJSON('[1]') }}", run: echo never, continue-on-error: true }
      - { env: "${{ fromJSON('{\"A\":{}}') }}", run: echo never }
"#;
    let done = on_commit(&mut bench, &[("act/action.yml", action)], job).await;
    done.concluded(Conclusion::Failure)
        .logged("\njob 2 own key true true\n")
        .logged("\ninputs given own\n")
        .logged("`env` is no mapping")
        .logged("`env.A` is not valid: it is no text")
        .not_logged("\nnever");
}

#[tokio::test]
async fn the_env_of_a_step_that_uses_an_action_is_stronger_than_what_steps_added() {
    let mut bench = Bench::new();
    let action = r#"
runs:
  using: composite
  steps:
    - { shell: sh, run: 'echo "first $A $B ${{ env.A }}"; echo A=within >> $GITHUB_ENV; echo C=within >> $GITHUB_ENV' }
    - { shell: sh, run: 'echo "second $A $C"' }
    - { shell: sh, env: { A: own }, run: 'echo "third $A"' }
"#;
    let job = r#"
    env: { B: job }
    steps:
      - uses: assay/checkout@v1
      - run: echo A=added >> $GITHUB_ENV
      - { uses: ./act, env: { A: outer } }
      - run: echo "after $A $C"
"#;
    let done = on_commit(&mut bench, &[("act/action.yml", action)], job).await;
    done.concluded(Conclusion::Success)
        .logged("\nfirst outer job outer\n")
        .logged("\nsecond outer within\n")
        .logged("\nthird own\n")
        .logged("\nafter within within\n");
}

#[tokio::test]
async fn a_steps_own_settings_are_over_the_defaults_which_are_not_for_the_steps_of_actions() {
    let mut bench = Bench::new();
    let action =
        "runs:\n  using: composite\n  steps: [{ shell: sh, run: 'echo \"action in ${PWD#$GITHUB_WORKSPACE}.\"' }]\n";
    let (source, sha) = repository(&bench, &[("act/action.yml", action), ("of/job/x", ""), ("of/step/x", "")]);
    bench.source = Some(source);
    let mut spec = bench.spec(
        r#"
    defaults: { run: { working-directory: of/job, shell: bash } }
    steps:
      - { uses: assay/checkout@v1 }
      - run: echo "job in ${PWD#$GITHUB_WORKSPACE}."; shopt -oq pipefail && echo pipefail
      - { working-directory: of/step, shell: sh, run: 'echo "step in ${PWD#$GITHUB_WORKSPACE}."' }
      - { working-directory: "${{ '' }}", run: 'shopt -oq pipefail && echo "root in ${PWD#$GITHUB_WORKSPACE}."' }
      - uses: ./act
"#,
    );
    spec.checkout.sha = sha.parse().unwrap();
    let done = bench.run_spec(&spec).await;
    done.concluded(Conclusion::Success)
        .logged("\njob in /of/job.\n")
        .logged("\npipefail\n")
        .logged("\nstep in /of/step.\n")
        .logged("\nroot in .\n")
        .logged("\naction in .\n");
    (spec.job.defaults, spec.workflow_defaults) = (None, spec.job.defaults.unwrap_or_default());
    bench.run_spec(&spec).await.concluded(Conclusion::Success).logged("\njob in /of/job.\n").logged("\naction in .\n");
}

#[tokio::test]
async fn a_step_knows_what_it_is_called_and_whose_action_it_is() {
    let mut bench = Bench::new();
    let action = r#"
runs:
  using: composite
  steps:
    - shell: sh
      id: inner
      run: 'echo "in $GITHUB_ACTION = ${{ github.action }} by ${{ github.action_status }} at ${GITHUB_ACTION_PATH##*/}"'
    - { shell: sh, run: exit 1 }
    - shell: sh
      if: failure()
      run: 'echo "then ${{ github.action_status }} while ${{ job.status }}"'
"#;
    let job = r#"
    steps:
      - { uses: actions/checkout@v4, with: { path: "${{ github.action }}-${{ github.action_ref }}" } }
      - run: echo "a $GITHUB_ACTION"; ls -d *-v4
      - { if: github.action == '__run_2', run: 'echo "b $GITHUB_ACTION [$GITHUB_ACTION_REF$GITHUB_ACTION_REPOSITORY] ${GITHUB_ACTION_PATH-unset}"' }
      - { id: mine, run: 'echo "c ${{ github.action }} [${{ github.action_repository }}] ${{ github.action_path }}."' }
      - { uses: ./__actions_checkout-v4/act, continue-on-error: true }
      - { uses: ./__actions_checkout-v4/act, continue-on-error: true }
"#;
    let done = on_commit(&mut bench, &[("act/action.yml", action)], job).await;
    done.concluded(Conclusion::Success)
        .logged("\na __run\n__actions_checkout-v4\n")
        .logged("\nb __run_2 [] unset\n")
        .logged("\nc mine [] .\n")
        .logged("\nin __self = __self by success at act\n")
        .logged("\nin __self_2 = __self_2 by success at act\n")
        .logged("\nthen failure while success\n")
        .logged("##[group]Run actions/checkout@v4\n");
    assert_eq!(done.steps[0].name, "Run actions/checkout@v4");
}

#[tokio::test]
async fn variables_have_a_case() {
    let mut bench = Bench::new();
    let mut spec = bench.spec("    steps: [{ run: 'echo \"$LEVEL [$level] ${{ env.LEVEL }} [${{ ENV.level }}]\"' }]\n");
    spec.job.env = [("LEVEL".to_owned(), "job".to_owned())].into();
    bench.run_spec(&spec).await.concluded(Conclusion::Success).logged("\njob [] job []\n");
}

#[tokio::test]
async fn what_is_the_runners_to_say_is_not_the_workflows() {
    let mut bench = Bench::new();
    let done = bench
        .run(
            r#"
    env: { GITHUB_SHA: mine, RUNNER_OS: mine, GITHUB_JOB: mine, GITHUB_TOKEN: given, CI: mine, GITHUB_ENV: mine }
    steps:
      - run: |
          echo "sha $GITHUB_SHA os $RUNNER_OS job $GITHUB_JOB"
          echo "token $GITHUB_TOKEN ci $CI in ${{ github.job }}"
          test -d "$RUNNER_TEMP" && test "$RUNNER_TEMP" = "${{ runner.temp }}" && echo same temp
          echo key=value >> "$GITHUB_STATE"; echo ADDED=1 >> "$GITHUB_ENV"
      - run: echo "added $ADDED"
"#,
        )
        .await;
    done.concluded(Conclusion::Success)
        .logged("\nsha 0123456789abcdef0123456789abcdef01234567 os Linux job j\n")
        .logged("\ntoken given ci mine in j\n")
        .logged("\nsame temp\n")
        .logged("\nadded 1\n");
}

#[tokio::test]
async fn a_step_whose_condition_holds_for_a_cancelled_job_goes_on() {
    let mut bench = Bench::new();
    let spec = bench.spec(&format!(
        r#"
    steps:
      - {{ if: always(), run: "echo ready; until [ -e {} ]; do sleep 0.01; done; echo went on" }}
      - run: echo never
      - {{ if: cancelled(), run: "echo cleaned ${{{{ job.status }}}}" }}
"#,
        bench.told_of_cancel().display()
    ));
    let done = bench.cancelled_when_ready(&spec).await;
    done.concluded(Conclusion::Cancelled).logged("\nwent on\n").logged("\ncleaned cancelled\n").not_logged("\nnever");
    assert_eq!(done.conclusions(), ["success", "skipped", "success"]);
}

#[tokio::test]
async fn a_job_that_ends_after_its_time_has_not_succeeded() {
    let mut bench = Bench::new();
    let mut spec = bench.spec("    steps:\n      - { if: always(), run: sleep 1; echo went on }\n");
    spec.timeout_minutes = 0.005;
    bench.run_spec(&spec).await.concluded(Conclusion::TimedOut).logged("\nwent on\n");
}

#[tokio::test]
async fn the_steps_of_an_action_that_cleans_up_run() {
    let mut bench = Bench::new();
    let action = r#"
runs:
  using: composite
  steps:
    - { shell: sh, run: "echo cleaning ${{ job.status }}" }
    - { shell: sh, run: exit 1 }
    - { shell: sh, run: echo not after a failure }
    - { shell: sh, if: failure(), run: echo mourning }
"#;
    let (source, sha) = repository(&bench, &[("clean/action.yml", action)]);
    bench.source = Some(source);
    let mut spec = bench.spec(
        r#"
    steps:
      - uses: assay/checkout@v1
      - run: echo ready; sleep 600
      - { if: always(), uses: ./clean }
"#,
    );
    spec.checkout.sha = sha.parse().unwrap();
    let done = bench.cancelled_when_ready(&spec).await;
    done.concluded(Conclusion::Cancelled)
        .logged("\ncleaning cancelled\n")
        .logged("\nmourning\n")
        .not_logged("\nnot after a failure\n");
}

#[tokio::test]
async fn an_action_that_goes_on_ends_those_of_its_steps_that_do_not() {
    let mut bench = Bench::new();
    let action = r#"
runs:
  using: composite
  steps:
    - { shell: sh, run: "echo ready; sleep 600" }
    - { shell: sh, run: echo never }
    - { shell: sh, if: always(), run: echo last }
"#;
    let (source, sha) = repository(&bench, &[("act/action.yml", action)]);
    bench.source = Some(source);
    let mut spec = bench.spec("    steps:\n      - uses: assay/checkout@v1\n      - { if: always(), uses: ./act }\n");
    spec.checkout.sha = sha.parse().unwrap();
    let done = bench.cancelled_when_ready(&spec).await;
    done.concluded(Conclusion::Cancelled).logged("\nlast\n").not_logged("\nnever\n");
}

/// SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL.
#[tokio::test]
async fn a_step_is_asked_to_stop_twice_and_then_killed() {
    let mut bench = Bench::new();
    let job = r#"
    steps:
      - run: |
          trap 'echo interrupted $(date +%s%3N)' INT; trap 'echo terminated $(date +%s%3N)' TERM
          echo ready; while :; do sleep 0.05 || :; done
"#;
    let began = Instant::now();
    let done = bench.cancelled_when_ready(&bench.spec(job)).await;
    done.concluded(Conclusion::Cancelled);
    let at = |word: &str| -> u64 {
        done.log.lines().find_map(|line| line.strip_prefix(word)?.trim().parse().ok()).expect("the signal was heard")
    };
    let between = at("terminated") - at("interrupted");
    assert!((7_300..9_000).contains(&between), "{between} ms");
    assert!((Duration::from_millis(9_900)..Duration::from_secs(20)).contains(&began.elapsed()), "{began:?}");
}

#[tokio::test]
async fn a_command_that_would_change_the_environment_fails_its_step() {
    let mut bench = Bench::new();
    for command in ["::set-env name=X::y", "::add-path::/x", "::ADD-PATH::/x"] {
        let done = bench.run(&format!("    steps:\n      - run: echo '{command}'; echo went on\n")).await;
        done.concluded(Conclusion::Failure).logged("\nwent on").logged("write to the files $GITHUB_ENV");
    }
    // Of this one GitHub only says that it will be abolished: whoever reads the output must be told that there is none.
    let done = bench.run("    steps:\n      - run: echo '::set-output name=x::y'\n").await;
    done.concluded(Conclusion::Success);
    assert!(done.result.annotations[0].message.contains("`::set-output::` does nothing"), "{:?}", done.result);
}

#[tokio::test]
async fn commands_rest_between_stop_commands_and_its_token_and_each_step_begins_anew() {
    let mut bench = Bench::new();
    let done = bench
        .run(
            r#"
    steps:
      - run: |
          echo '::stop-commands::s3same'; echo '::error::quiet'; echo '::S3SAME::'; echo '::WARNING::loud'
          echo "::error file=$PWD/src/a.py,line=3,title=100%253A::gone"; echo '::stop-commands::other'
      - run: echo '::notice::again'
"#,
        )
        .await;
    done.concluded(Conclusion::Success);
    let said: Vec<_> = done.result.annotations.iter().map(|a| (a.path.as_str(), a.message.as_str())).collect();
    assert_eq!(said, [("", "loud"), ("src/a.py", "gone"), ("", "again")]);
    assert_eq!(done.result.annotations[1].title.as_deref(), Some("100%3A"));
}

#[tokio::test]
async fn no_time_at_all_is_no_limit() {
    let mut bench = Bench::new();
    let done =
        bench.run("    steps:\n      - { timeout-minutes: \"${{ matrix.none || 0 }}\", run: sleep 0.2 }\n").await;
    done.concluded(Conclusion::Success);
}

#[tokio::test]
async fn files_are_hashed_as_their_patterns_say() {
    let mut bench = Bench::new();
    let files = [("a/x.lock", "1"), ("a/b/y.lock", "2"), ("a/z.txt", "3")];
    let job = r#"
    steps:
      - uses: assay/checkout@v1
      - run: |
          echo "all ${{ hashFiles('**/*.lock') == hashFiles('a/b/y.lock', 'a/x.lock') }}"
          echo "order ${{ hashFiles('**/*.lock') != hashFiles('a/x.lock', 'a/b/y.lock') }}"
          echo "not ${{ hashFiles('**/*.lock', '!a/b/**') == hashFiles('a/x.lock') }}"
          echo "lines ${{ hashFiles(format('**/*.lock{0}# a remark{0}!a/b/**', fromJSON('"\n"'))) == hashFiles('a/x.lock') }}"
          echo "none '${{ hashFiles('**/none') }}' some ${{ hashFiles('a/x.lock') != hashFiles('a/z.txt') }}"
          one=$(python3 -c "from hashlib import sha256 as h; print(h(h(b'1').digest()).hexdigest())")
          echo "is ${{ hashFiles('a/x.lock') }}" | sed "s/$one/that of GitHub/"
"#;
    let done = on_commit(&mut bench, &files, job).await;
    done.concluded(Conclusion::Success)
        .logged("\nall true\n")
        .logged("\norder true\n")
        .logged("\nnot true\n")
        .logged("\nlines true\n")
        .logged("\nnone '' some true\n")
        .logged("\nis that of GitHub\n");
}
