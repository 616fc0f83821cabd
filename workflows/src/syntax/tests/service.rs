//! What GitHub's service makes of files where npm's package or actionlint say otherwise: found by running its parser
//! (`src/Sdk/WorkflowParser` of actions/runner) beside ours.

use super::*;

/// The errors of a job with this line, which is the fifth of its file.
#[track_caller]
fn check(line: &str, expected: &[&str]) {
    let (_, diagnostics) = parse("w.yml", &job(&format!("    {line}\n    steps: [{{ run: echo }}]\n")));
    let errors = diagnostics.iter().filter(|each| each.is_error());
    let errors: Vec<String> = errors.map(|each| format!("{}:{} {}", each.line, each.column, each.code)).collect();
    assert_eq!(errors, expected, "{line}");
}

#[test]
fn a_text_within_braces_is_a_text() {
    check("defaults: { run: { shell: \"${{ 'bash' }}\" } }", &[]);
    check("timeout-minutes: ${{ '5' }}", &["5:22 unexpected-value"]);
    check("timeout-minutes: ${{ 5 }}", &[]);
    check("if: ${{ 'text' }}", &["5:9 expression"]);
    check("container: { image: \"${{ '' }}\" }", &["5:25 unexpected-value"]);
    check("name: ${{ '${{ github.ref }}' }}", &[]);
    let (workflow, diagnostics) = parse("w.yml", "on: ${{ 'push' }}\njobs: { a: { runs-on: \"${{ 'it''s' }}\" } }");
    let workflow = workflow.expect("it is a mapping");
    assert!(diagnostics.is_empty() && workflow.on.push.is_some(), "{diagnostics:?}");
    assert_eq!(workflow.jobs[0].runs_on.labels[0].value, "it's");
}

#[test]
fn an_image_has_a_name() {
    check("container: docker://", &["5:16 container-image"]);
    check("container: ''", &[]);
    check("container: { image: docker:// }", &["5:16 container-image"]);
    check("container: { image: \"docker://${{ matrix.x }}\" }", &[]);
    check("services: { db: docker:// }", &["5:21 container-image"]);
    check("services: { db: {} }", &["5:21 container-image"]);
    check("services: { db: { env: { A: \"${{ github.ref }}\" } } }", &[]);
}

#[test]
fn a_snapshots_version_is_a_number_and_a_star() {
    check("snapshot: { image-name: a, version: 2.* }", &[]);
    for wrong in ["'1.2'", "1", "a.*", "-1.*", "'.*'"] {
        check(&format!("snapshot: {{ image-name: a, version: {wrong} }}"), &["5:15 snapshot-version"]);
    }
}

#[test]
fn numbers_of_other_bases_have_32_bits() {
    check("timeout-minutes: 0x7fffffff", &[]);
    check("timeout-minutes: 0x1ffffffff", &["5:22 yaml"]);
    check("env: { A: 0o40000000000 }", &["5:15 yaml"]);
    check("env: { A: '0x1ffffffff' }", &[]);
}

#[test]
fn keys_are_compared_without_case_in_every_script() {
    check("env: { É: 1, é: 2 }", &["5:18 duplicate-key"]);
    check("env: { ß: 1, SS: 2, ı: 3, I: 4 }", &[]);
    let many: Vec<String> = (0..20).map(|n| format!("A{n}: 1")).collect();
    let column = 12 + many.join(", ").len() + ", Ä: 1, ".len() - "Ä".len() + 1;
    check(&format!("env: {{ {}, Ä: 1, ä: 1 }}", many.join(", ")), &[&format!("5:{column} duplicate-key")]);
}

#[test]
fn an_expression_may_be_the_whole_of_a_mapping() {
    check("env: \"${{ fromJSON('{}') }}\"", &[]);
    check("env: \"a ${{ github.sha }}\"", &[]);
    check("env: \"${{ 'x' }}\"", &["5:10 unexpected-value"]);
    check("container: { image: i, env: \"${{ github.event }}\" }", &[]);
    check("container: { image: i, credentials: \"${{ github.event }}\" }", &["5:41 expression-not-allowed"]);
    check("defaults: { run: \"${{ github.event }}\" }", &["5:22 expression-not-allowed"]);
    check("outputs: \"${{ github.event }}\"", &["5:14 expression-not-allowed"]);
}

#[test]
fn what_stands_under_an_expression_is_checked() {
    check("env: { \"${{ insert }}\": { A: b } }", &["5:29 unexpected-mapping"]);
    check("env: { \"${{ insert }}\": \"${{ github.event }}\" }", &[]);
    // Where no expression may stand there is none, and what is required is missing.
    check("snapshot: { \"${{ github.ref }}\": a }", &["5:15 missing-key", "5:17 expression-not-allowed"]);
}

#[test]
fn a_job_with_a_bad_id_is_checked_all_the_same() {
    let text = "on: push\njobs:\n  a.b:\n    runs-on: { group: a/b/c }\n";
    assert_eq!(remarks(text), ["3:3 job-id", "4:23 runner-group"]);
}

#[test]
fn options_that_are_no_list_are_complained_about_once() {
    let text =
        "on: { workflow_dispatch: { inputs: { a: { type: choice, options: x } } } }\njobs: { a: { runs-on: x } }";
    assert_eq!(remarks(text), ["1:66 unexpected-value"]);
}

#[test]
fn a_parallel_blocks_ids_are_its_own() {
    let steps = |ids: [&str; 3]| {
        let [first, inner, again] = ids;
        format!(
            "    steps: [{{ run: a, id: {first} }}, {{ parallel: [{{ run: a, id: {inner} }}, {{ run: a, id: {again} }}] }}]"
        )
    };
    let errors = |ids| remarks(&job(&steps(ids))).into_iter().filter(|each| each.ends_with("step-id")).count();
    assert_eq!((errors(["a", "a", "b"]), errors(["a", "b", "B"])), (0, 1));
}

#[test]
fn a_called_workflow_is_given_what_is_written_out() {
    let call =
        |line: &str| remarks(&format!("on: push\njobs:\n  a:\n    uses: ./.assay/workflows/b.yml\n    {line}\n"));
    assert_eq!(call("with: { \"${{ github.ref }}\": a }"), ["5:13 expression-not-allowed"]);
    assert_eq!(call("with: ${{ github.event }}"), ["5:11 expression-not-allowed"]);
    assert_eq!(call("secrets: { a: \"${{ secrets.a }}\" }"), [""; 0]);
}
