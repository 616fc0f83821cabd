mod service;

use super::*;

/// `line:column code` of each error and warning.
fn remarks(text: &str) -> Vec<String> {
    let (_, diagnostics) = parse("w.yml", text);
    diagnostics.iter().map(|each| format!("{}:{} {}", each.line, each.column, each.code)).collect()
}

fn job(body: &str) -> String {
    format!("on: push\njobs:\n  a:\n    runs-on: linux\n{body}")
}

#[test]
fn a_whole_workflow_is_read() {
    let text = r#"
name: models
run-name: by ${{ github.actor }}
on:
  push: { branches: [main, "release/**"], paths-ignore: docs/** }
  pull_request: { types: [opened, labeled] }
  merge_group:
  schedule: [{ cron: "0 4 * * 1" }]
  workflow_dispatch:
    inputs: { model: { type: choice, options: [a, b], default: a, required: true } }
env: { A: 1.0, B: true }
concurrency: { group: g, cancel-in-progress: "${{ github.event_name == 'push' }}" }
jobs:
  build:
    runs-on: [self-hosted, linux]
    outputs: { x: "${{ steps.s.outputs.x }}" }
    steps:
      - uses: actions/checkout@v4
      - { id: s, run: echo hi, shell: bash }
  eval:
    needs: build
    if: always()
    runs-on: { labels: [gpu], gpus: 2, gpu-memory: 40GB, gpu-name: H100 }
    strategy: { matrix: { ep: [cpu, cuda], include: [{ ep: cpu, n: 1 }] }, fail-fast: false }
    timeout-minutes: 5
    steps: [{ uses: assay/eval@v1, with: { model: m.onnx, batch: 8 } }]
gate:
  accuracy: { max-drop: 0.5pp }
  defaults: { alpha: 0.01 }
"#;
    let (workflow, diagnostics) = parse("w.yml", text);
    assert_eq!(diagnostics, Vec::new());
    let workflow = workflow.unwrap();
    assert_eq!(workflow.display_name(), "models");
    assert_eq!(workflow.env["A"], "1");
    assert_eq!(workflow.on.push.as_ref().unwrap().paths_ignore, Some(vec!["docs/**".to_owned()]));
    assert_eq!(workflow.on.merge_group, Some(RefFilters::default()));
    assert_eq!(workflow.on.schedule[0].value, "0 4 * * 1");
    let eval = &workflow.jobs[1];
    assert_eq!((eval.runs_on.gpus, eval.runs_on.gpu_memory_bytes), (2, Some(40_000_000_000)));
    assert_eq!(eval.needs[0].at, Place { line: 21, column: 12 });
    let StepAction::Uses { uses, with, .. } = &eval.steps()[0].action else { panic!("not an action") };
    assert_eq!((uses, with["batch"].value.as_str()), (&ActionRef::Builtin(BuiltinAction::Eval), "8"));
    let gate = workflow.gate.unwrap();
    assert_eq!((gate.rules[0].line, gate.defaults.alpha), (28, 0.01));
    let json = serde_json::to_string(&workflow.jobs).unwrap();
    assert_eq!(serde_json::from_str::<indexmap::IndexMap<crate::ids::JobId, Job>>(&json).unwrap(), workflow.jobs);
}

#[test]
fn every_mistake_is_reported_at_its_place() {
    let text = "on: pusch\njobs:\n  a:\n    run-on: x\n    step: []\n  b:\n    runs-on: x\n    needs: [c]\n    steps: [{ shell: x }]\n";
    assert_eq!(
        remarks(text),
        [
            "1:5 unknown-event",
            "4:5 unknown-key",
            "4:5 missing-key",
            "5:5 unknown-key",
            "8:13 unknown-need",
            "9:13 missing-key"
        ]
    );
    let (_, diagnostics) = parse("w.yml", text);
    let helps: Vec<_> = diagnostics.iter().filter_map(|each| each.help.as_deref()).collect();
    assert!(helps.contains(&"did you mean `steps`?") && helps.contains(&"did you mean `runs-on`?"), "{helps:?}");
}

#[test]
fn contexts_are_available_where_github_has_them() {
    assert_eq!(remarks(&job("    if: steps.x\n    name: ${{ secrets.x }}\n")), ["5:9 expression", "6:11 expression"]);
    assert_eq!(remarks(&job("    if: success('b') && needs.x.result == 'success'\n")), [""; 0]);
    assert_eq!(remarks(&job("    steps: [{ run: x, if: hashFiles('a') == '' && env.A }]\n")), [""; 0]);
    assert_eq!(remarks("on: push\nname: ${{ github.x }}\njobs: {a: {runs-on: x}}"), ["2:7 expression-not-allowed"]);
}

#[test]
fn scripts_must_not_hold_what_strangers_write() {
    let step = |script: &str| job(&format!("    steps:\n      - run: echo ${{{{ {script} }}}}\n"));
    for bad in [
        "github.head_ref",
        "github.event.pull_request.title",
        "github.event['commits'][0].message",
        "format('{0}', github.event.head_commit.message)",
        "join(github.event.commits.*.message)",
        "GitHub.Event.Issue.Body || 'x'",
        "toJSON(github.event.pull_request)",
        "toJSON(github)",
        "format('{0}', toJSON(github.event.commits))",
    ] {
        assert_eq!(remarks(&step(bad)), ["6:14 script-injection"], "{bad}");
    }
    for good in [
        "github.sha",
        "contains(github.head_ref, 'x')",
        "github.head_ref == 'main'",
        "env.TITLE",
        "github.event",
        "toJSON(github.sha)",
    ] {
        assert_eq!(remarks(&step(good)), [""; 0], "{good}");
    }
}

#[test]
fn a_matrix_that_is_written_out_is_checked() {
    let matrix = |matrix: &str| remarks(&job(&format!("    strategy: {{ matrix: {matrix} }}\n    steps: []\n")));
    assert_eq!(matrix("{ os: [l, w], exclude: [{ so: w }] }"), ["5:51 matrix-exclude"]);
    assert_eq!(matrix("{ os: [l, w], include: [{ v: 1 }], exclude: [{ v: 1 }, { os: w }] }"), ["5:72 matrix-exclude"]);
    let many = format!("{:?}", (0..17).collect::<Vec<_>>());
    assert_eq!(matrix(&format!("{{ a: {many}, b: {many} }}")), ["5:25 matrix"]);
    assert_eq!(matrix(&format!("{{ a: {many}, b: \"${{{{ fromJSON(github.x) }}}}\" }}")), [""; 0]);
    assert_eq!(matrix("{ a: [1], exclude: [{ a: 2 }], include: \"${{ fromJSON(github.x) }}\" }"), [""; 0]);
}

#[test]
fn the_status_of_named_jobs_is_asked_in_a_jobs_condition_alone() {
    let condition = |job: &str, step: &str| {
        remarks(&format!(
            "on: push\njobs:\n  a: {{ runs-on: x, steps: [{{ run: \"true\" }}] }}\n  b:\n    needs: a\n    if: {job}\n    \
             runs-on: x\n    steps:\n      - if: {step}\n        run: \"true\"\n"
        ))
    };
    assert_eq!(condition("success('a') || failure('a')", "success() || failure()"), [""; 0]);
    assert_eq!(condition("always()", "success('a')"), ["9:13 expression"]);
    assert_eq!(condition("always('a')", "failure('a')"), ["6:9 expression", "9:13 expression"]);
}

#[test]
fn a_called_workflow_asks_for_no_more_permissions_than_its_caller_may_give() {
    let found = |caller: &str, called: &str| -> Vec<String> {
        let caller = parse("w.yml", caller).0.unwrap();
        let called = parse("c.yml", called).0.unwrap();
        let found = check_calls(&caller, &|_| Some(&called));
        found.iter().map(|each| format!("{}:{} {}", each.line, each.column, each.message)).collect()
    };
    let caller = |top: &str, job: &str| format!("on: push\n{top}\njobs:\n  a:\n    uses: ./c.yml\n{job}\n");
    let called = |top: &str, job: &str| format!("on: workflow_call\n{top}\njobs:\n  b:\n    runs-on: x\n{job}\n");
    let (writes, reads) = ("permissions: { actions: write }", "permissions: { actions: read, checks: read }");
    let none = Vec::<String>::new();
    // The job's word counts before its workflow's; where nobody says, nothing is known.
    assert_eq!(found(&caller(writes, ""), &called(writes, "")), none);
    assert_eq!(found(&caller("", ""), &called("permissions: write-all", "")), none);
    assert_eq!(found(&caller(reads, &format!("    {writes}")), &called(writes, "")), none);
    assert_eq!(found(&caller("permissions: read-all", ""), &called(reads, "")), none);
    assert_eq!(
        found(&caller(writes, &format!("    {reads}")), &called(writes, "")),
        ["4:3 `./c.yml` asks for the permission `actions: write`; this job may give `actions: read`"]
    );
    assert_eq!(
        found(&caller("permissions: {}", ""), &called("", "    permissions: read-all")),
        [
            "4:3 `b` of `./c.yml` asks for the permission `actions: read`, and 12 more; this job may give `actions: none`"
        ]
    );
}

#[test]
fn a_concurrency_group_that_waits_for_itself_is_said_where_its_names_are_written_out() {
    let own = |top: &str, job: &str| {
        remarks(&format!("on: push\nconcurrency: {top}\njobs:\n  a: {{ runs-on: x, concurrency: {job} }}\n"))
    };
    assert_eq!(own("Deploy", "{ group: deploy, cancel-in-progress: true }"), ["4:42 concurrency-deadlock"]);
    assert_eq!(own("deploy", "deploy2"), [""; 0]);
    assert_eq!(own("'${{ github.ref }}'", "'${{ github.ref }}'"), [""; 0]);

    let read = |file: &str, text: &str| parse(file, text).0.unwrap();
    let called = read("c.yml", "on: workflow_call\nconcurrency: G\njobs: { b: { runs-on: x, concurrency: top } }\n");
    let caller = read(
        "w.yml",
        "on: push\nconcurrency: Top\njobs:\n  a:\n    uses: ./c.yml\n    concurrency: g\n  c: { uses: ./c.yml }\n",
    );
    let found = check_calls(&caller, &|_| Some(&called));
    let told: Vec<_> = found.iter().map(|each| (each.file.as_str(), each.line, each.message.as_str())).collect();
    let expected = [
        ("w.yml", 5, "`./c.yml` never starts: it asks for the place that the job `a` that calls it has"),
        ("c.yml", 3, "this job never starts: the workflow w.yml has the place in the group `top`"),
    ];
    assert_eq!(told, expected);
    assert!(found.iter().all(|each| each.code == "concurrency-deadlock" && each.severity == Severity::Warning));
}

#[test]
fn what_does_not_go_together_is_said() {
    let (_, diagnostics) = parse("w.yml", &job("    steps: [{ run: x, uses: ./x }]\n"));
    assert_eq!(diagnostics[0].help.as_deref(), Some("`uses` cannot stand beside `run`"));
    let (_, diagnostics) = parse("w.yml", "on: { schedule: [{ corn: '0 4 * * 1' }] }\njobs: { a: { runs-on: x } }\n");
    assert!(diagnostics.iter().any(|each| each.help.as_deref() == Some("did you mean `cron`?")), "{diagnostics:?}");
    let concurrency = |more: &str| job(&format!("    concurrency: {{ group: g, queue: max{more} }}\n    steps: []\n"));
    assert_eq!(remarks(&concurrency("")), [""; 0]);
    assert_eq!(remarks(&concurrency(", cancel-in-progress: false")), [""; 0]);
    assert_eq!(remarks(&concurrency(", cancel-in-progress: \"${{ true }}\"")), [""; 0]);
    assert_eq!(remarks(&concurrency(", cancel-in-progress: true")), ["5:37 concurrency-queue"]);
}

#[test]
fn cycles_are_named() {
    let text = "on: push\njobs:\n  a: {runs-on: x, needs: c}\n  b: {runs-on: x, needs: [a]}\n  c: {runs-on: x, needs: b}\n  d: {runs-on: x, needs: a}\n  e: {runs-on: x}\n";
    assert_eq!(remarks(text), ["3:26 needs-cycle", "4:27 needs-cycle", "5:26 needs-cycle"]);
}

#[test]
fn bad_input_ends_in_a_diagnostic() {
    let deep = "[".repeat(100_000);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    let large = format!("on: push\nname: {}\n", "x".repeat(10 << 20));
    let expression = job(&format!("    if: {}\n", "a ".repeat(1 << 19)));
    let parens = job(&format!("    if: {}\n", "(".repeat(20_000)));
    for text in [
        deep.as_str(),
        bomb,
        &large,
        &expression,
        &parens,
        "\ta: b",
        "a: b: c",
        "- a\nb",
        "a: &x [*x]",
        "---\na: 1\n---\nb: 2\n",
        "",
        "x",
        "a: *b",
    ] {
        let (_, diagnostics) = parse("w.yml", text);
        assert!(diagnostics.iter().any(Diagnostic::is_error), "no error in {:?}…", &text[..text.len().min(40)]);
    }
}

#[test]
fn harmless_oddities_are_taken() {
    let plain = job("    steps: [{run: x}]\n");
    for text in [format!("\u{feff}{plain}"), plain.replace('\n', "\r\n"), format!("# x\n---\n{plain}...\n")] {
        assert_eq!(remarks(&text), [""; 0], "{text:?}");
    }
    let anchors =
        "on: push\njobs:\n  a: &j\n    runs-on: x\n    steps: &s [{run: x}]\n  b: *j\n  c: {runs-on: y, steps: *s}\n";
    assert_eq!(remarks(anchors), [""; 0]);
    assert_eq!(remarks(&anchors.replace("c: {", "c: {<<: *j, ")), ["7:7 unknown-key"]);
    assert_eq!(remarks(&job("    env: {A: x, a: y}\n")), ["5:17 duplicate-key"]);
}

#[test]
fn a_block_scalar_is_placed_at_its_header() {
    for header in ["|", ">-  # why |", "|2-", "|+"] {
        // With a carriage return the YAML parser reads it, without one we do where it is plain.
        for end in ["\n", "\r\n"] {
            let lines = ["on: push", "jobs:", "  a:", "    runs-on: x", "    steps:"];
            let step = format!("    - run: {header}{end}{end}          echo ${{{{ foo }}}}{end}");
            let text = lines.iter().map(|line| format!("{line}{end}")).collect::<String>() + &step;
            let (_, diagnostics) = parse("w.yml", &text);
            let places: Vec<_> = diagnostics.iter().map(|each| (each.line, each.column)).collect();
            assert_eq!(places, [(6, 12)], "{text:?}: {diagnostics:?}");
        }
    }
}

#[test]
fn descriptions_are_texts() {
    for on in [
        "workflow_call: { inputs: { a: { type: string, description: '${{ github.ref }}' } } }",
        "workflow_dispatch: { inputs: { a: { description: '${{ github.ref }}' } } }",
        "workflow_call: { outputs: { a: { value: x, description: [b] } } }",
        "workflow_call: { secrets: { a: { description: { b: c } } } }",
    ] {
        let (_, diagnostics) = parse("w.yml", &format!("on: {{ {on} }}\njobs: {{ a: {{ runs-on: x }} }}\n"));
        let column = on.find("description: ").unwrap() + "on: { description: ".len() + 1;
        assert_eq!(
            diagnostics.iter().map(|each| each.column as usize).collect::<Vec<_>>(),
            [column],
            "{diagnostics:?}"
        );
    }
}

#[test]
fn a_tab_may_part_a_key_and_its_value() {
    let text = "on:\tpush\njobs:\n  a:\n    runs-on: \tx\n    name:\t\ty\n    steps:\n      - run: '${{ foo }}'\n";
    let (workflow, diagnostics) = parse("w.yml", text);
    assert_eq!(
        diagnostics.iter().map(|each| (each.line, each.column)).collect::<Vec<_>>(),
        [(7, 14)],
        "{diagnostics:?}"
    );
    let workflow = workflow.unwrap();
    let name = workflow.jobs[0].name.as_ref().unwrap();
    assert_eq!((name.value.as_str(), name.at.column), ("y", 12));
}

#[test]
fn what_only_githubs_service_refuses_is_refused_at_its_place() {
    assert_eq!(remarks(&format!("description: d\n{}", job("    steps: []\n"))), Vec::<String>::new());
    for uses in ["actions/checkout", "checkout@v4", "/a@v1", "a/b@", "a/b@v1@v2"] {
        assert_eq!(remarks(&job(&format!("    steps: [{{ uses: {uses} }}]\n"))), ["5:21 action-reference"], "{uses}");
    }
    for uses in ["docker://alpine", "a/b/c@v1", ".\\a"] {
        assert_eq!(remarks(&job(&format!("    steps: [{{ uses: '{uses}' }}]\n"))), ["5:21 unknown-action"], "{uses}");
    }
    let group = |group: &str| remarks(&format!("on: push\njobs:\n  a:\n    runs-on: {{ group: '{group}' }}\n"));
    for bad in ["a/b", "org/", "org/a/b"] {
        assert_eq!(group(bad), ["4:23 runner-group"], "{bad}");
    }
    for right in ["a", "org/a", "enterprise/a", "${{ github.ref }}/a/b"] {
        assert_eq!(group(right), Vec::<String>::new(), "{right}");
    }
    let named = |length: usize| remarks(&job(&format!("    concurrency: {}\n", "g".repeat(length))));
    assert_eq!((named(400), named(401)), (Vec::new(), vec!["5:18 concurrency-group".to_owned()]));
}
