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

/// A file, where `assay check` finds fault with it, and in which words.
type Hostile = (&'static str, Vec<u8>, &'static str, &'static str);

/// What a stranger may push: each ends in a diagnostic, within a gigabyte of address space.
#[test]
fn hostile_files_end_in_a_diagnostic_within_bounded_memory() {
    let job = |more: String| format!("on: push\njobs:\n  a:\n    runs-on: linux\n{more}").into_bytes();
    let many = |count: u32, each: fn(u32) -> String| (0..count).map(each).collect::<String>();
    let long = "x".repeat(1 << 20);
    let cases: [Hostile; 15] = [
        ("ten-megabytes", vec![b' '; 10 << 20], "1:1", "the file is 10485760 bytes long; at most 4194304 are read"),
        (
            "long-text",
            format!("a: &a {long}\nb: [{}]\n", "*a,".repeat(100_000)).into(),
            "2:",
            "bytes of text once aliases",
        ),
        ("laughs", laughs().into(), "", "values once aliases are copied"),
        ("nested-anchors", format!("{}1{}", "&a [".repeat(90), ",1]".repeat(90)).into(), "1:1", "expected a mapping"),
        ("flow-depth", "[".repeat(100_000).into(), "1:", "recursion limit exceeded"),
        (
            "block-depth",
            many(2000, |i| format!("{}a:\n", " ".repeat(i as usize))).into(),
            "101:",
            "nested deeper than 100",
        ),
        ("parentheses", job(format!("    if: {}\n", "(".repeat(20_000))), "5:9", "Exceeded max expression depth 50"),
        (
            "long-expression",
            job(format!("    if: {}\n", "a ".repeat(1 << 19))),
            "5:9",
            "Exceeded max expression length",
        ),
        (
            "doubled",
            b"on: push\nname: a\nname: b\njobs: {a: {runs-on: x}}\n".into(),
            "3:1",
            "`name` is already defined",
        ),
        ("tab", b"on: push\njobs:\n\ta:\n".into(), "3:", "tabs disallowed"),
        ("latin", b"on: push\nname: caf\xe9\n".into(), "2:10", "the file is not UTF-8"),
        ("utf-16", b"\xff\xfeo\0n\0".into(), "1:1", "the file is UTF-16; save it as UTF-8"),
        (
            "needs",
            format!("on: push\njobs:\n{}", many(10_000, |i| format!("  j{i}: {{runs-on: x, needs: k{i}}}\n"))).into(),
            "3:",
            "which is no job of this workflow",
        ),
        (
            "one-line",
            format!("on: push\njobs: {{{}}}\n", many(10_000, |i| format!("j{i}: {{run-on: x}},"))).into(),
            "2:",
            "unknown key `run-on`",
        ),
        (
            "ids",
            job(format!(
                "    steps:\n{}      - run: echo\n        id: s7\n",
                many(10_000, |i| format!("      - {{run: x, id: s{i}}}\n"))
            )),
            "10007:",
            "the id `s7` is already used in this job",
        ),
    ];
    let home = tempfile::tempdir().unwrap();
    for (name, bytes, place, words) in cases {
        let file = format!("{name}.yml");
        fs::write(home.path().join(&file), bytes).unwrap();
        let bounded = format!("ulimit -v {}; exec \"$0\" check \"$1\"", 1 << 20);
        let output = Command::new("sh")
            .args(["-c", &bounded])
            .arg(assay())
            .arg(&file)
            .current_dir(home.path())
            .output()
            .unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(&format!("{file}:{place}")) && said.contains(words), "{name}: {said:.2000}");
    }
}

/// A billion of them.
fn laughs() -> String {
    let level = |i: u32| format!("l{}: &l{} [{}]\n", i + 1, i + 1, format!("*l{i},").repeat(10));
    "l0: &l0 ha\n".to_owned() + &(0..9).map(level).collect::<String>()
}

#[test]
fn what_editors_of_other_systems_write_is_taken() {
    let plain = "on: push\njobs:\n  a:\n    runs-on: linux\n    steps:\n      - run: echo\n";
    let carriage = plain.replace('\n', "\r\n");
    let marked = format!("\u{feff}{plain}");
    let quoted = plain.replacen("on:", "'on':", 1);
    let home = repository(&[("crlf.yml", &carriage), ("bom.yml", &marked), ("quoted.yml", &quoted)]);
    for file in ["crlf.yml", "bom.yml", "quoted.yml"] {
        let output = check(home.path(), &[file]);
        assert_eq!(output.status.code(), Some(0), "{file}: {}", text(&output));
    }
}

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
