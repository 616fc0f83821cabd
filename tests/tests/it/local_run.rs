//! `assay run` in a working tree: journey 2, with the real binary.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tests::{binary::assay, digits::example, site::Site};

fn git(directory: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(assay()).args(arguments).current_dir(directory).output().unwrap()
}

/// A repository with the good model committed, and the workflow that is given.
fn project(workflow: Option<&str>) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    git(home.path(), &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(home.path().join("model.onnx"), example("model.onnx")).unwrap();
    std::fs::write(home.path().join("heldout.npz"), example("heldout.npz")).unwrap();
    if let Some(text) = workflow {
        std::fs::create_dir_all(home.path().join(".assay/workflows")).unwrap();
        std::fs::write(home.path().join(".assay/workflows/evaluate.yml"), text).unwrap();
    }
    git(home.path(), &["add", "--all"]);
    git(home.path(), &["commit", "--quiet", "--message", "A model that reads digits"]);
    home
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn an_uncommitted_model_is_judged_against_the_committed_one() {
    let home = project(Some(std::str::from_utf8(&example(".assay/workflows/evaluate.yml")).unwrap()));
    std::fs::write(home.path().join("model.onnx"), example("variants/regressed.onnx")).unwrap();
    let output = run(home.path(), &["run"]);
    let table = text(&output);
    assert_eq!(output.status.code(), Some(1), "{table}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(table.contains("Failed: 2 of 3 rules are broken: accuracy −3.23 pp (max-drop: 1pp)"), "{table}");
    let row = table.lines().find(|line| line.trim_start().starts_with("fail  accuracy")).expect("a row of the table");
    assert!(row.contains("0.9633") && row.contains("0.9310") && row.contains("−4.54 pp … −2.04 pp"), "{row}");
    assert!(table.contains("37 examples became wrong, 8 became right."), "{table}");

    std::fs::write(home.path().join("model.onnx"), example("variants/smaller.onnx")).unwrap();
    let output = run(home.path(), &["run"]);
    let table = text(&output);
    assert_eq!(output.status.code(), Some(0), "{table}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(table.contains("Passed: all 3 rules hold"), "{table}");

    let output = run(home.path(), &["run", "--dry-run"]);
    assert_eq!(output.status.code(), Some(0));
    let plan = text(&output);
    assert!(plan.contains("build") && plan.contains("eval") && plan.contains("after build"), "{plan}");
    assert!(!plan.contains("accuracy"), "it ran: {plan}");
}

#[test]
fn what_init_writes_runs() {
    let home = project(None);
    let output = run(home.path(), &["run"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("`assay init` writes one"), "{output:?}");

    let output = run(home.path(), &["init"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output).contains("model.onnx is evaluated on heldout.npz"), "{output:?}");
    let output = run(home.path(), &["run"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output).contains("No baseline"), "{}", text(&output));
}

#[test]
fn a_job_that_would_wait_for_itself_is_cancelled_and_says_why() {
    let caller = "on: push
concurrency: top
jobs:
  alone: { runs-on: linux, concurrency: \"${{ 'TOP' }}\", steps: [{ run: echo never }] }
  twice: { uses: ./.assay/workflows/called.yml, concurrency: call }
  after: { runs-on: linux, needs: twice, if: always(), steps: [{ run: 'echo ${{ needs.twice.result }}' }] }
";
    let called = "on: { workflow_call: {} }
concurrency: \"${{ 'Call' }}\"
jobs: { inner: { runs-on: linux, if: always(), steps: [{ run: echo never }] } }
";
    let home = project(Some(caller));
    std::fs::write(home.path().join(".assay/workflows/called.yml"), called).unwrap();
    let output = run(home.path(), &["run"]);
    let told = text(&output);
    let between = |group: &str, one: &str, other: &str| {
        format!("cancelled: a deadlock for concurrency group '{group}' was detected between '{one}' and '{other}'")
    };
    for line in [between("TOP", "top level workflow", "alone"), between("Call", "twice", "the workflow that it calls")]
    {
        assert!(told.contains(&line), "{told}");
    }
    assert!(!told.contains("never") && told.lines().any(|line| line.trim() == "cancelled"), "{told}");
    assert_eq!(output.status.code(), Some(1), "{told}");
}

#[test]
fn rows_and_calls_of_one_concurrency_group_take_turns_as_on_a_server() {
    let caller = "on: push
jobs:
  row:
    runs-on: linux
    strategy: { matrix: { n: [1, 2, 3] } }
    concurrency: Group
    steps: [{ run: 'echo ran ${{ github.job }} ${{ matrix.n }}' }]
  queued:
    runs-on: linux
    strategy: { matrix: { n: [1, 2, 3] } }
    concurrency: { group: queue, queue: max }
    steps: [{ run: 'echo ran ${{ github.job }} ${{ matrix.n }}' }]
  call:
    strategy: { matrix: { n: [1, 2] } }
    uses: ./.assay/workflows/called.yml
    with: { n: '${{ matrix.n }}' }
    concurrency: { group: calls, queue: max }
  over:
    strategy: { matrix: { n: [8, 9] } }
    uses: ./.assay/workflows/called.yml
    with: { n: '${{ matrix.n }}' }
    concurrency: { group: over, cancel-in-progress: true }
";
    let called = "on: { workflow_call: { inputs: { n: { type: number } } } }
jobs:
  first: { runs-on: linux, steps: [{ run: 'echo ran ${{ github.job }} ${{ inputs.n }}' }] }
  second: { runs-on: linux, needs: first, steps: [{ run: 'echo ran ${{ github.job }} ${{ inputs.n }}' }] }
";
    let home = project(Some(caller));
    std::fs::write(home.path().join(".assay/workflows/called.yml"), called).unwrap();
    let output = run(home.path(), &["run"]);
    let told = text(&output);
    let ran: Vec<&str> = told.lines().filter_map(|line| line.trim().strip_prefix("ran ")).collect();
    let order = |job: &str| ran.iter().copied().filter(|line| line.starts_with(job)).collect::<Vec<_>>();
    assert_eq!(order("row"), ["row 1", "row 3"], "{told}");
    assert!(told.contains("row (2) cancelled: row.2 is newer in the concurrency group Group"), "{told}");
    assert_eq!(order("queued"), ["queued 1", "queued 2", "queued 3"], "{told}");
    let of_calls = |rows: &[char]| {
        let is_called = |line: &str| line.starts_with("first") || line.starts_with("second");
        ran.iter().copied().filter(|line| is_called(line) && line.ends_with(rows)).collect::<Vec<_>>()
    };
    assert_eq!(of_calls(&['1', '2']), ["first 1", "second 1", "first 2", "second 2"], "{told}");
    assert_eq!(of_calls(&['8', '9']), ["first 9", "second 9"], "{told}");
    assert!(told.contains("over.0 cancelled: over.1 is newer in the concurrency group over"), "{told}");
    assert_eq!(output.status.code(), Some(1), "{told}");
}

/// What a reader compares: the rows of the table.
fn rows(verdict: &Value) -> Vec<Value> {
    let rules = verdict["rules"].as_array().unwrap_or_else(|| panic!("no rules in {verdict:#}"));
    let columns = ["metric", "allowed", "base", "head", "change", "interval", "verdict", "discordant", "p"];
    rules
        .iter()
        .map(|rule| columns.iter().map(|column| ((*column).to_owned(), rule[*column].clone())).collect())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_the_one_that_the_check_run_shows() {
    let site = Site::start(&[]);
    let (workflow, data) = (example(".assay/workflows/evaluate.yml"), example("heldout.npz"));
    let files: [(&str, &[u8]); 3] =
        [(".assay/workflows/evaluate.yml", &workflow), ("model.onnx", &example("model.onnx")), ("heldout.npz", &data)];
    let main = site.commit("main", None, "A model that reads digits", &files).await;
    site.gate(&main).await;
    let regressed = example("variants/regressed.onnx");
    let head = site.commit("retrain", Some(&main), "Retrain", &[("model.onnx", &regressed)]).await;
    let there = site.gate(&head).await;
    assert_eq!(there["conclusion"], "failure");

    let home = tempfile::tempdir().unwrap();
    git(home.path(), &["clone", "--quiet", "--branch", "retrain", site.git.path.to_str().unwrap(), "digits"]);
    let output = run(&home.path().join("digits"), &["run", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let here: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows(&here["runs"][0]["gate"]), rows(&there["verdict"]));
}
