//! `assay check`, with the real binary: workflows and the repository's own actions.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tests::binary::assay;

fn check(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(assay()).arg("check").args(arguments).current_dir(directory).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    home
}

const WORKFLOW: &str = "on: push
jobs:
  a:
    runs-on: linux
    steps:
      - uses: ./tools/greet
        with: { whmo: you }
      - uses: ./tools/nowhere
";

const GREET: &str = "name: greet
inputs:
  whom: { required: true }
runs:
  using: composite
  steps:
    - run: echo ${{ inputs.whom }} ${{ secrets.TOKEN }}
";

#[test]
fn actions_that_workflows_use_are_checked_with_them() {
    let unused = ("run:\n  using: composite\n", ".assay/actions/spare/action.yml");
    let home =
        repository(&[(".assay/workflows/ci.yml", WORKFLOW), ("tools/greet/action.yml", GREET), (unused.1, unused.0)]);
    let output = check(home.path(), &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_str(&text(&output)).unwrap();
    let line = |each: &Value| {
        let (file, severity, code) = (&each["file"], &each["severity"], &each["code"]);
        format!("{file}:{}:{} {severity} {code}", each["line"], each["column"]).replace('"', "")
    };
    let lines: Vec<String> = found["diagnostics"].as_array().unwrap().iter().map(line).collect();
    assert_eq!(
        lines,
        [
            ".assay/actions/spare/action.yml:1:1 error missing-key",
            ".assay/actions/spare/action.yml:1:1 error unknown-key",
            ".assay/workflows/ci.yml:6:15 error missing-input",
            ".assay/workflows/ci.yml:7:23 error unknown-input",
            ".assay/workflows/ci.yml:8:15 warning unknown-action",
            "tools/greet/action.yml:7:7 error missing-key",
            "tools/greet/action.yml:7:12 error expression",
        ]
    );
    let shown = text(&check(home.path(), &[]));
    assert!(
        shown.contains("--> tools/greet/action.yml:7:12") && shown.contains("    - run: echo ${{ inputs.whom }}"),
        "{shown}"
    );
    assert!(
        shown.contains("did you mean `whom`?") && shown.contains("3 files checked: 6 errors, 1 warning"),
        "{shown}"
    );
}

#[test]
fn an_action_may_be_checked_alone() {
    let good = GREET.replace(" ${{ secrets.TOKEN }}", "").replace("    - run:", "    - shell: bash\n      run:");
    let home = repository(&[("action.yml", &good), ("bad/action.yaml", "runs: { using: compsite, steps: [] }\n")]);
    assert_eq!(check(home.path(), &["action.yml"]).status.code(), Some(0));
    assert_eq!(check(home.path(), &["."]).status.code(), Some(0));
    let output = check(home.path(), &["bad"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("did you mean `composite`?"), "{}", text(&output));
}

#[test]
fn an_expression_may_begin_with_a_minus() {
    let output = Command::new(assay()).args(["expr", "-1 < 0"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output).trim()), (Some(0), r#"{"kind":"Boolean","value":true}"#));
}
