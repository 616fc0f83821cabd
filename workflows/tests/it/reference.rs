//! `docs/workflow-language.md` is a test: each `yaml` block is read, and the block that follows says
//! what comes of it.
//!
//! - `yaml PATH`: a file that later blocks may call, or an action that they may use.
//! - `diagnostics`: `line:column severity code`, one a line, in order; notes are left out. In an action, with its file.
//! - `plan EVENT [CHANGED…]`: `key | name | labels`, one job a line, `skipped ID`, `later ID`, or `no: reason`.
//! - `steps`: `job | name | shell | working directory`, one step a line; `-` where none is said, name alone of an action.
//! - `expressions` (without a `yaml` block): `expression → JSON` or `expression → error: message`.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};
use workflows::{
    event::{Event, EventKind},
    expr::{Environment, evaluate},
    ids::Forge,
    plan,
    protocol::JobSpec,
    syntax::{
        Actions, Called, Defaults, Diagnostic, Severity, StepAction, Template, Workflow, action_folder, check_actions,
        check_calls, parse, parse_action, step_names,
    },
};

struct Block<'d> {
    info: &'d str,
    text: String,
    line: usize,
}

#[test]
fn the_reference_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/workflow-language.md");
    let document = std::fs::read_to_string(path).expect("the reference is part of the repository");
    let blocks = blocks(&document);
    let mut source: Option<&Block<'_>> = None;
    let mut called = Called::new();
    let mut actions = Actions::new();
    let mut checked = 0;
    let mut wrong = Vec::new();
    for block in &blocks {
        let (kind, rest) = block.info.split_once(' ').unwrap_or((block.info, ""));
        let found = match (kind, source) {
            ("yaml", _) if rest.ends_with("/action.yml") => {
                let folder = action_folder(rest.trim_end_matches("action.yml")).expect("a path in the repository");
                actions.insert(folder, parse_action(rest.trim_start_matches("./"), &block.text));
                continue;
            }
            ("yaml", _) if !rest.is_empty() => {
                called.insert(rest.to_owned(), Arc::new(valid(rest, &block.text)));
                continue;
            }
            ("yaml", _) => {
                source = Some(block);
                continue;
            }
            ("diagnostics", Some(source)) => diagnostics(&source.text, &actions),
            ("plan", Some(source)) => planned(&source.text, &called, rest),
            ("steps", Some(source)) => steps(&source.text),
            ("expressions", _) => expressions(&block.text),
            _ => continue,
        };
        if found.trim() != block.text.trim() {
            wrong.push(format!("line {}:\n{}\nbut it is:\n{}", block.line, block.text.trim(), found.trim()));
        }
        checked += 1;
    }
    assert!(wrong.is_empty(), "docs/workflow-language.md says what is not so\n{}", wrong.join("\n"));
    assert!(checked >= 10, "only {checked} blocks were checked");
}

fn blocks(document: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (index, line) in document.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some(Block { info, text: String::new(), line: index + 1 }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

fn diagnostics(text: &str, actions: &Actions) -> String {
    let (workflow, mut diagnostics) = parse("w.yml", text);
    if let Some(workflow) = workflow {
        diagnostics.extend(check_actions(&workflow.file, workflow.steps(), actions));
    }
    let shown = diagnostics.iter().filter(|each| each.severity != Severity::Note);
    let line = |each: &Diagnostic| {
        let file = if each.file == "w.yml" { String::new() } else { format!("{}:", each.file) };
        format!("{file}{}:{} {} {}\n", each.line, each.column, each.severity.as_str(), each.code)
    };
    shown.map(line).collect()
}

fn valid(file: &str, text: &str) -> Workflow {
    let (workflow, diagnostics) = parse(file, text);
    assert!(!diagnostics.iter().any(|each| each.severity == Severity::Error), "{diagnostics:?}");
    workflow.expect("there is a workflow")
}

fn planned(text: &str, called: &Called, event: &str) -> String {
    let workflow = valid("w.yml", text);
    assert_eq!(check_calls(&workflow, &|path| called.get(path).map(|called| &**called)), []);
    let mut words = event.split_whitespace();
    let event = make_event(words.next().expect("an event is named"));
    let changed: Vec<String> = words.map(str::to_owned).collect();
    let changed = (!changed.is_empty()).then_some(changed);
    let preview = plan::preview(&workflow, called, &event, changed.as_deref());
    let mut lines: Vec<String> = preview.reason.iter().map(|reason| format!("no: {reason}")).collect();
    lines.extend(preview.jobs.iter().map(|job| format!("{} | {} | {}", job.key, job.name, job.runs_on.join(", "))));
    lines.extend(preview.skipped.iter().map(|skip| format!("skipped {}", skip.id)));
    lines.extend(preview.later.iter().map(|later| format!("later {}", later.id)));
    lines.join("\n")
}

/// What the steps of each job are called, and the shell and directory that they run in.
fn steps(text: &str) -> String {
    let workflow = valid("w.yml", text);
    let mut lines = Vec::new();
    for (id, job) in &workflow.jobs {
        let (_, beneath) = JobSpec::workflow_layers(&workflow, job);
        let defaults = [job.defaults.clone().unwrap_or_default(), beneath];
        let shown = |own: &Option<Template>, default: fn(&Defaults) -> &Option<String>| {
            let own = own.as_ref().map(|template| template.value.clone());
            own.or_else(|| defaults.iter().find_map(|each| default(each).clone())).unwrap_or_else(|| "-".to_owned())
        };
        for (step, name) in job.steps().iter().zip(step_names(job.steps())) {
            lines.push(match &step.action {
                StepAction::Uses { .. } => format!("{id} | {name}"),
                StepAction::Run { shell, working_directory, .. } => {
                    let directory = shown(working_directory, |defaults| &defaults.working_directory);
                    format!("{id} | {name} | {} | {directory}", shown(shell, |defaults| &defaults.shell))
                }
            });
        }
    }
    lines.join("\n")
}

/// `push`, `push:refs/tags/v1`, `pull_request`, `pull_request:labeled`.
fn make_event(name: &str) -> Event {
    let (name, detail) = name.split_once(':').unwrap_or((name, ""));
    let or = |default: &str| if detail.is_empty() { default.to_owned() } else { detail.to_owned() };
    let sha = |digit: &str| digit.repeat(40).parse().expect("forty digits are a commit id");
    let kind = match name {
        "push" => EventKind::Push {
            git_ref: or("refs/heads/main"),
            before: None,
            head: sha("a"),
            title: "a commit".to_owned(),
        },
        "pull_request" => EventKind::PullRequest {
            action: or("opened"),
            number: Some(7),
            title: "a change".to_owned(),
            head_ref: "topic".to_owned(),
            base_ref: "main".to_owned(),
            head: sha("a"),
            base: sha("b"),
            from_fork: false,
        },
        other => panic!("the reference cannot make the event {other}"),
    };
    let repo = "acme/digits".parse().expect("a repository's name");
    Event {
        forge: Forge::Local,
        repo,
        default_branch: "main".to_owned(),
        actor: "ada".to_owned(),
        kind,
        payload: json!({}),
    }
}

fn expressions(block: &str) -> String {
    let contexts = [
        ("github".to_owned(), json!({"ref": "refs/heads/main", "event": {"labels": [{"name": "a"}, {"name": "B"}]}})),
        ("env".to_owned(), json!({"LEVEL": "low"})),
    ];
    let environment = Environment { contexts: contexts.into_iter().collect(), ..Environment::default() };
    let mut text = String::new();
    for line in block.lines() {
        let (expression, _) = line.split_once(" → ").expect("`expression → value`");
        let value = match evaluate(expression.trim_end(), &environment) {
            Ok(value) => Value::to_string(&value),
            Err(error) => format!("error: {}", error.message),
        };
        text.push_str(&format!("{expression} → {value}\n"));
    }
    text
}
