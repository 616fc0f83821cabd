use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::*;
use crate::{
    event::{Event, EventKind},
    ids::Forge,
    syntax::{Workflow, parse},
};

fn workflow(text: &str) -> Workflow {
    let (workflow, diagnostics) = parse("w.yml", text);
    assert!(!diagnostics.iter().any(crate::syntax::Diagnostic::is_error), "{diagnostics:?}");
    workflow.unwrap()
}

fn event(kind: EventKind) -> Event {
    Event {
        forge: Forge::Local,
        repo: "acme/digits".parse().unwrap(),
        default_branch: "main".to_owned(),
        actor: "ada".to_owned(),
        kind,
        payload: json!({"x": 1}),
    }
}

fn push(git_ref: &str) -> Event {
    let head = "a".repeat(40).parse().unwrap();
    event(EventKind::Push { git_ref: git_ref.to_owned(), before: None, head, title: "t".to_owned() })
}

fn pull_request(action: &str) -> Event {
    event(EventKind::PullRequest {
        action: action.to_owned(),
        number: Some(7),
        title: "t".to_owned(),
        head_ref: "topic".to_owned(),
        base_ref: "main".to_owned(),
        head: "a".repeat(40).parse().unwrap(),
        base: "b".repeat(40).parse().unwrap(),
        from_fork: false,
    })
}

#[track_caller]
fn check_select(on: &str, event: &Event, changed: Option<&[&str]>, runs: bool) {
    let workflow = workflow(&format!("on: {on}\njobs: {{a: {{runs-on: x}}}}"));
    let changed: Option<Vec<String>> = changed.map(|paths| paths.iter().map(|&path| path.to_owned()).collect());
    let selection = select(&workflow, event, changed.as_deref());
    assert_eq!(selection == Selection::Runs, runs, "{on}: {selection:?}");
}

#[test]
fn events_start_what_names_them() {
    check_select("push", &push("refs/heads/x"), None, true);
    check_select("[pull_request]", &push("refs/heads/x"), None, false);
    check_select("{push: {branches: [main]}}", &push("refs/heads/x"), None, false);
    check_select("{push: {branches: [main]}}", &push("refs/heads/main"), None, true);
    // Only one kind of filter: the other kind of ref starts nothing.
    check_select("{push: {branches: [main]}}", &push("refs/tags/main"), None, false);
    check_select("{push: {tags-ignore: [v*]}}", &push("refs/heads/main"), None, false);
    check_select("{push: {tags-ignore: [v*]}}", &push("refs/tags/w1"), None, true);
    check_select("{push: {paths: ['m/**']}}", &push("refs/heads/x"), Some(&["m/a", "b"]), true);
    check_select("{push: {paths: ['m/**']}}", &push("refs/heads/x"), Some(&["b"]), false);
    check_select("{push: {paths: ['m/**']}}", &push("refs/heads/x"), None, true);
    check_select("{push: {paths: ['m/**']}}", &push("refs/tags/v1"), Some(&["b"]), true);
    check_select("pull_request", &pull_request("synchronize"), None, true);
    check_select("pull_request", &pull_request("labeled"), None, false);
    check_select("{pull_request: {types: labeled}}", &pull_request("labeled"), None, true);
    check_select("{pull_request: {branches-ignore: [main]}}", &pull_request("opened"), None, false);
}

#[test]
fn the_github_context_names_the_ref_as_github_does() {
    let workflow = workflow("on: push\njobs: {a: {runs-on: x}}");
    let context = github_context(&pull_request("opened"), &workflow, 3, 1);
    // The head, and no merge of it: that is what the gate compares.
    assert_eq!(context["sha"], json!("a".repeat(40)));
    for (key, value) in
        [("ref", "refs/pull/7/merge"), ("ref_name", "7/merge"), ("head_ref", "topic"), ("run_number", "3")]
    {
        assert_eq!(context[key], json!(value), "{key}");
    }
    assert_eq!(github_context(&push("refs/tags/v1"), &workflow, 3, 1)["ref_type"], json!("tag"));
}

#[test]
fn a_dispatch_shows_its_inputs_with_their_defaults() {
    let workflow = workflow(
        "on: { workflow_dispatch: { inputs: { b: { type: boolean, default: true }, n: { type: number } } } }\njobs: {a: {runs-on: x}}",
    );
    let inputs = json!({"n": 7}).as_object().unwrap().clone();
    let head = "a".repeat(40).parse().unwrap();
    let dispatch =
        event(EventKind::WorkflowDispatch { workflow: None, git_ref: "refs/heads/main".to_owned(), head, inputs });
    assert_eq!(github_context(&dispatch, &workflow, 3, 1)["event"]["inputs"], json!({"n": "7", "b": "true"}));
    assert_eq!(dispatch_inputs(&workflow, &dispatch), json!({"n": 7, "b": true}));
}

#[test]
fn a_dispatch_starts_the_workflow_that_it_names() {
    let workflow = workflow("on: workflow_dispatch\njobs: {a: {runs-on: x}}");
    let selected = |file: &str| {
        let (git_ref, head, inputs) = ("refs/heads/main".to_owned(), "a".repeat(40).parse().unwrap(), Map::new());
        let kind = EventKind::WorkflowDispatch { workflow: Some(file.to_owned()), git_ref, head, inputs };
        select(&workflow, &event(kind), None)
    };
    assert_eq!(selected(&workflow.file), Selection::Runs);
    assert_eq!(selected(".assay/workflows/other.yml"), Selection::NotSubscribed);
}

#[test]
fn what_a_dispatch_may_be_given() {
    let workflow = workflow(
        "on:
  workflow_dispatch:
    inputs:
      size: { type: choice, options: [small, large], required: true }
      n: { type: number }
      dry: { type: boolean, default: true, required: true }
      note: {}
jobs: {a: {runs-on: x}}",
    );
    let problems = |given: Value| dispatch_problems(&workflow, given.as_object().unwrap());
    assert_eq!(problems(json!({"size": "small"})), Vec::<String>::new());
    assert_eq!(problems(json!({"size": "small", "n": "1e3", "dry": "false", "note": ""})), Vec::<String>::new());
    assert_eq!(
        problems(json!({"n": "many", "dry": "maybe", "note": "x", "Size": "small"})),
        [
            "the workflow has no input `Size`: it takes size, n, dry, note",
            "the input `size` is required",
            "the input `n` is a number",
            "the input `dry` is `true` or `false`",
        ]
    );
    assert_eq!(problems(json!({"size": "huge"})), ["the input `size` is one of small, large"]);
}

fn expand_in(text: &str, job: &str, needs: &[(&str, Conclusion, Value)], cancelled: bool) -> Expansion {
    let needs: IndexMap<JobId, NeedResult> = needs
        .iter()
        .map(|(id, result, outputs)| {
            let outputs = serde_json::from_value(outputs.clone()).unwrap();
            (id.parse().unwrap(), NeedResult { result: *result, outputs })
        })
        .collect();
    let contexts = IndexMap::from([("github".to_owned(), json!({"ref": "r"}))]);
    expand(&workflow(text), &job.parse().unwrap(), &contexts, &needs, cancelled)
}

fn names(expansion: Expansion) -> Vec<String> {
    match expansion {
        Expansion::Jobs(jobs) => jobs.into_iter().map(|job| format!("{} {}", job.key, job.name)).collect(),
        Expansion::Calls(calls) => calls.into_iter().map(|call| format!("{} {}", call.key, call.name)).collect(),
        Expansion::Skipped { name } => vec![format!("skipped {name}")],
        Expansion::Invalid(diagnostic) => {
            vec![format!("{}:{} {}", diagnostic.line, diagnostic.column, diagnostic.message)]
        }
    }
}

#[test]
fn a_matrix_may_come_from_a_need() {
    let text = "on: push
jobs:
  a: {runs-on: x}
  b:
    needs: a
    runs-on: ['${{ matrix.os }}', GPU]
    strategy: {matrix: {os: '${{ fromJSON(needs.a.outputs.list) }}'}, max-parallel: 1}
    continue-on-error: ${{ matrix.os == 'Two' }}
";
    let given = [("a", Conclusion::Success, json!({"list": "[\"one\",\"Two\"]"}))];
    let Expansion::Jobs(jobs) = expand_in(text, "b", &given, false) else { panic!("not expanded") };
    assert_eq!(jobs[1].runs_on, ["two", "gpu"]);
    assert_eq!((jobs[1].gpus, jobs[0].continue_on_error, jobs[1].continue_on_error), (1, false, true));
    assert_eq!(jobs[1].strategy["job-index"], json!(1));
    assert_eq!(names(Expansion::Jobs(jobs)), ["b.0 b (one)", "b.1 b (Two)"]);
    let bad = [("a", Conclusion::Success, json!({"list": "nonsense"}))];
    assert!(names(expand_in(text, "b", &bad, false))[0].starts_with("7:24 job `b`: Error parsing JSON"));
    // Of a job that is skipped nothing else is evaluated.
    let skipped = text.replace("needs: a", "needs: a\n    if: false");
    assert_eq!(names(expand_in(&skipped, "b", &bad, false)), ["skipped b"]);
}

#[test]
fn a_whole_strategy_may_come_from_a_need() {
    let text = "on: push
jobs:
  a: {runs-on: x}
  b:
    needs: a
    runs-on: x
    strategy: ${{ fromJSON(needs.a.outputs.strategy) }}
";
    let given = |strategy: Value| [("a", Conclusion::Success, json!({ "strategy": strategy.to_string() }))];
    let rows = given(json!({"matrix": {"v": [1, 2]}, "fail-fast": false, "max-parallel": 1}));
    let Expansion::Jobs(jobs) = expand_in(text, "b", &rows, false) else { panic!("not expanded") };
    assert_eq!((&jobs[1].strategy["fail-fast"], &jobs[1].strategy["max-parallel"]), (&json!(false), &json!(1)));
    assert_eq!(names(Expansion::Jobs(jobs)), ["b.0 b (1)", "b.1 b (2)"]);
    assert_eq!(names(expand_in(text, "b", &given(json!({})), false)), ["b b"]);
    for (wrong, message) in [
        (json!([]), "`strategy` is a mapping"),
        (json!({"matrix": {"v": []}}), "the matrix vector `v` has no values"),
        (json!({"max-parallel": 0}), "`max-parallel` is a number of 1 or more"),
        (json!({"fast": true}), "`strategy` has no `fast`"),
    ] {
        assert_eq!(names(expand_in(text, "b", &given(wrong), false)), [format!("7:15 job `b`: {message}")]);
    }
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let text = "on: push
jobs:
  a:
    name: on ${{ matrix.os }}, ${{ strategy.job-index }}
    runs-on: x
    strategy: {matrix: {os: [one, two]}}
";
    assert_eq!(names(expand_in(text, "a", &[], false)), ["a.0 on one, 0", "a.1 on two, 1"]);
}

#[test]
fn a_name_of_ones_own_is_cut_and_an_empty_one_is_none() {
    let long = "n".repeat(98);
    let text = format!(
        "on: push
jobs:
  a: {{runs-on: x, name: {long}, strategy: {{matrix: {{v: ['1', '22']}}}}}}
  b: {{runs-on: x, name: \"${{{{ '' }}}}\", strategy: {{matrix: {{v: [1], include: [{{v: 1, w: 2}}]}}}}}}
  d: {{runs-on: x, name: '', strategy: {{matrix: {{v: [1]}}}}}}
  e: {{runs-on: x, name: \"${{{{ github.nothing }}}}\", strategy: {{matrix: {{v: [1]}}}}}}
  c: {{runs-on: x, name: \"{long}${{{{ github.ref }}}}rest\"}}
"
    );
    let cut = format!("{}...", &long[..97]);
    let names = |id: &str| {
        let Expansion::Jobs(jobs) = expand_in(&text, id, &[], false) else { panic!("not expanded") };
        jobs.into_iter().map(|job| job.name).collect::<Vec<_>>()
    };
    assert_eq!(names("a"), [cut.clone(), cut]);
    assert_eq!([names("b"), names("d"), names("e")], [["b (1)"], ["d (1)"], ["e (1)"]]);
    assert_eq!(names("c"), [format!("{long}rrest")]);
}

#[test]
fn every_row_has_a_concurrency_group_of_its_own() {
    let text = "on: push
jobs:
  a:
    runs-on: x
    strategy: {matrix: {os: [one, two]}}
    concurrency: {group: '${{ github.ref }}-${{ matrix.os }}', cancel-in-progress: \"${{ matrix.os == 'two' }}\"}
  b: {runs-on: x, concurrency: \"${{ github.none }}\"}
  c: {runs-on: x, concurrency: '${{ fromJSON(github.ref) }}'}
  d: {runs-on: x, concurrency: {group: g, queue: max, cancel-in-progress: \"${{ true }}\"}}
  e: {runs-on: x, concurrency: {group: g, queue: max, cancel-in-progress: \"${{ false }}\"}}
";
    let Expansion::Jobs(jobs) = expand_in(text, "a", &[], false) else { panic!("not expanded") };
    let groups: Vec<_> = jobs.iter().map(|job| job.concurrency.clone().unwrap()).collect();
    let group = |group: &str, cancel_in_progress| JobConcurrency {
        group: group.to_owned(),
        cancel_in_progress,
        queue: Queue::Single,
    };
    assert_eq!(groups, [group("r-one", false), group("r-two", true)]);
    let Expansion::Jobs(jobs) = expand_in(text, "b", &[], false) else { panic!("not expanded") };
    assert_eq!(jobs[0].concurrency, None);
    assert!(names(expand_in(text, "c", &[], false))[0].starts_with("8:32 job `c`"));
    assert!(names(expand_in(text, "d", &[], false))[0].contains("`queue: max` cannot stand beside"));
    let Expansion::Jobs(jobs) = expand_in(text, "e", &[], false) else { panic!("not expanded") };
    assert_eq!(jobs[0].concurrency, Some(JobConcurrency { queue: Queue::Max, ..group("g", false) }));
}

#[test]
fn a_job_outlives_the_cancel_of_its_run_where_its_condition_would_hold_then() {
    let outlives = |condition: &str| {
        let text = format!("on: push\njobs: {{a: {{runs-on: x{condition}}}}}");
        let Expansion::Jobs(jobs) = expand_in(&text, "a", &[], false) else { panic!("not expanded") };
        jobs[0].outlives_cancel
    };
    assert!(outlives(", if: always()") && outlives(", if: '!failure()'") && outlives(", if: success() || cancelled()"));
    assert!(!outlives("") && !outlives(", if: github.ref == 'r'") && !outlives(", if: '!cancelled()'"));
}

#[test]
fn skips_propagate_unless_the_condition_asks() {
    let text =
        |condition: &str| format!("on: push\njobs: {{a: {{runs-on: x}}, b: {{runs-on: x, needs: a{condition}}}}}");
    let run = |condition: &str, result, cancelled| {
        names(expand_in(&text(condition), "b", &[("a", result, json!({}))], cancelled))[0].starts_with("b")
    };
    assert!(run("", Conclusion::Success, false) && !run("", Conclusion::Skipped, false));
    assert!(!run("", Conclusion::Failure, false) && !run("", Conclusion::Success, true));
    assert!(run(", if: always()", Conclusion::Skipped, true));
    assert!(run(", if: failure()", Conclusion::TimedOut, false) && !run(", if: failure()", Conclusion::Skipped, false));
    assert!(run(", if: '!failure()'", Conclusion::Skipped, false));
    assert!(run(", if: always() && needs.a.result == 'skipped'", Conclusion::Skipped, false));
    assert!(
        run(", if: cancelled()", Conclusion::Success, true) && !run(", if: cancelled()", Conclusion::Failure, false)
    );
}

#[test]
fn a_skip_far_above_is_felt_through_a_job_that_ran() {
    let workflow = workflow(
        "on: push\njobs:\n  a: { runs-on: x, if: false }\n  b: { runs-on: x, needs: A, if: always() }\n  \
         c: { runs-on: x, needs: b }\n  d: { runs-on: x, needs: b, if: '!failure()' }\n  e: { runs-on: x, needs: d }\n  \
         f: { runs-on: x, needs: g, if: needs.g.result == 'success' }\n  g: { runs-on: x }\n",
    );
    let preview = preview(&workflow, &crate::syntax::Called::new(), &push("refs/heads/main"), None);
    let run: Vec<String> = preview.jobs.iter().map(|job| job.key.to_string()).collect();
    let skipped: Vec<String> = preview.skipped.iter().map(|skip| skip.id.to_string()).collect();
    assert_eq!(
        (run, skipped),
        (vec!["b", "d", "g", "f"].into_iter().map(String::from).collect(), vec!["a".into(), "c".into(), "e".into()])
    );
}
