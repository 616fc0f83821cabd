mod made;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use workflows::syntax::{Diagnostic, parse};

use super::{Differences, ask, number};
use crate::mutation::{Random, seeds};

const VALUES: [&str; 38] = [
    "",
    "null",
    "true",
    "3",
    "1.5",
    "~",
    "[a, b]",
    "{a: b}",
    "[]",
    "{}",
    "''",
    "text",
    "\"q\"",
    "[{a: b}]",
    "-1",
    "read-all",
    "inherit",
    "'${{'",
    "${{ secrets.a }}",
    "${{ matrix.x }}",
    "${{ github.ref }}",
    "${{ env.A }}",
    "${{ steps.a.outputs.b }}",
    "${{ needs.a }}",
    "${{ inputs.a }}",
    "${{ hashFiles('a') }}",
    "${{ success() }}",
    "${{ strategy.x }}",
    "${{ jobs.a }}",
    "${{ runner.os }}",
    "${{ vars.x }}",
    "${{ foo }}",
    "${{ }}",
    "${{ 1 == }}",
    "${{ contains('a') }}",
    "${{ fromJSON('[1]') }}",
    "a ${{ github.x }} b",
    "${{ insert }}",
];

const KEYS: [&str; 34] = [
    "runs-on",
    "steps",
    "run",
    "uses",
    "with",
    "env",
    "if",
    "needs",
    "name",
    "strategy",
    "matrix",
    "foo",
    "timeout-minutes",
    "continue-on-error",
    "container",
    "services",
    "concurrency",
    "permissions",
    "defaults",
    "outputs",
    "id",
    "shell",
    "secrets",
    "environment",
    "types",
    "branches",
    "include",
    "exclude",
    "group",
    "image",
    "cron",
    "on",
    "jobs",
    "wait",
];

/// A line taken out, doubled, or with another key or value.
fn damaged(text: &str, random: &mut Random) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for _ in 0..[1, 1, 1, 2][random.below(4)] {
        let at = random.below(lines.len());
        let line = lines[at].clone();
        let indent = line.len() - line.trim_start().len();
        let (key, value) = (KEYS[random.below(KEYS.len())], VALUES[random.below(VALUES.len())]);
        let (colon, dash) = (line.find(':'), line.find("- "));
        match (random.below(20), colon, dash) {
            (0..=2, ..) => drop(lines.remove(at)),
            (3..=10, Some(colon), _) if !line.trim_start().starts_with('#') => {
                lines[at] = format!("{} {value}", &line[..=colon]);
            }
            (11..=14, Some(colon), _) => {
                let word = line[..colon].trim_start_matches([' ', '-']).len();
                lines[at] = format!("{}{key}{}", &line[..colon - word], &line[colon..]);
            }
            (15..=17, ..) => lines.insert(at, format!("{}{key}: {value}", " ".repeat(indent))),
            (_, _, Some(dash)) => lines[at] = format!("{}{value}", &line[..dash + 2]),
            _ => lines.insert(at, line),
        }
        if lines.is_empty() {
            lines.push(String::new());
        }
    }
    lines.join("\n")
}

/// Whole workflows: those of our reference, and GitHub's vectors where they are.
fn workflows() -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for seed in seeds("workflows") {
        // A vector is several documents, its workflow the second one; an example begins with its kind.
        let text = match seed.split("\n---\n").nth(1) {
            Some(workflow) => workflow.to_owned(),
            None => seed.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default(),
        };
        if text.contains("jobs:")
            && text.contains("on:")
            && !text.contains("gate:")
            && !text.contains("!!int")
            && !text.contains("!!bool")
            && text.len() < 6_000
        {
            files.push(text);
        }
    }
    files
}

#[test]
fn files_have_their_errors_where_githubs_parser_finds_them() {
    let (count, seed) = (number("ASSAY_ORACLE_FILES", 1_500), number("ASSAY_ORACLE_SEED", 4));
    let (seeds, mut random) = (workflows(), Random(seed));
    let text = |index: u64| match index % 2 {
        0 => damaged(&seeds[random.below(seeds.len())], &mut random),
        _ => made::Maker { random: &mut random }.workflow(),
    };
    let texts: Vec<String> = (0..count).map(text).collect();
    let questions: Vec<Value> = texts.iter().map(|text| json!({"text": text})).collect();
    let (mut places, mut verdicts) = (Differences::default(), Differences::default());
    for (text, official) in texts.iter().zip(ask(&questions)) {
        let (_, mut ours) = parse("w.yml", text);
        ours.retain(Diagnostic::is_error);
        let theirs: Vec<Theirs<'_>> = official.as_array().into_iter().flatten().map(Theirs::read).collect();
        if let Some(reason) = known_file(&ours, &theirs) {
            places.explain(reason);
            continue;
        }
        let a: BTreeSet<(u64, u64)> = ours.iter().map(|each| (each.line.into(), each.column.into())).collect();
        let b: BTreeSet<(u64, u64)> = theirs.iter().map(|each| (each.line, each.column)).collect();
        let (mut only_theirs, mut only_ours) = (Vec::new(), Vec::new());
        for each in theirs.iter().filter(|each| !a.contains(&(each.line, each.column))) {
            match known_theirs(each, text) {
                Some(reason) => places.explain(reason),
                None => only_theirs.push(format!("{}:{} {}", each.line, each.column, each.message)),
            }
        }
        for each in ours.iter().filter(|each| !b.contains(&(each.line.into(), each.column.into()))) {
            match known_ours(each, text, !theirs.is_empty()) {
                Some(reason) => places.explain(reason),
                None => only_ours.push(format!("{}:{} {}", each.line, each.column, each.message)),
            }
        }
        if only_theirs.is_empty() && only_ours.is_empty() {
            continue;
        }
        let class = format!("GitHub: {} | we: {}", class(&only_theirs), class(&only_ours));
        let example = || format!("GitHub {only_theirs:?} {}, we {only_ours:?}\n{text}", official["thrown"]);
        if a.is_empty() == b.is_empty() { places.add(class, example) } else { verdicts.add(class, example) }
    }
    println!("== which of {count} files have errors: {} differ", verdicts.total());
    verdicts.print();
    println!("== where: {} differ", places.total());
    places.print();
    assert_eq!(verdicts.total() + places.total(), 0, "of {count} files");
}

/// What GitHub's parser says.
struct Theirs<'v> {
    line: u64,
    column: u64,
    message: &'v str,
}

impl<'v> Theirs<'v> {
    fn read(value: &'v Value) -> Self {
        let number = |index: usize| value[index].as_u64().unwrap_or_default();
        Self { line: number(0), column: number(1), message: value[2].as_str().unwrap_or_default() }
    }
}

const WHOLE: &str =
    "the package expects `env`, `with` or `services` to be written out; the service evaluates an expression there";

/// Why a whole file cannot be compared.
fn known_file(ours: &[Diagnostic], theirs: &[Theirs<'_>]) -> Option<&'static str> {
    const BROKEN: [&str; 6] = [
        " at line ",
        ", Idx: ",
        "Unknown anchor",
        "Unexpected tag",
        "Expected mapping end",
        "Expected a scalar value, a sequence, or a mapping",
    ];
    if theirs.iter().any(|each| each.message.contains("raw.indexOf is not a function")) {
        // `template-reader.ts`, `parseScalar`: it takes every token but a string, null, boolean or number to be one.
        return Some("the package crashes on a key that is no text");
    }
    let broken = theirs.iter().any(|each| BROKEN.iter().any(|words| each.message.contains(words)));
    // The parsers of the package and of the service do not agree on such files either.
    (broken && !ours.is_empty() || ours.iter().any(|each| each.code == "yaml"))
        .then_some("the YAML is broken, or has numbers and tags that the service refuses (vectors `errors-parse-*`)")
}

/// Whether a value has a tag or an anchor before it: the package places it behind, the service at them (`Start` of
/// YamlDotNet's events).
fn has_properties(text: &str, line: u64) -> bool {
    let last = line as usize;
    text.lines().take(last).skip(last.saturating_sub(2)).any(|line| line.contains(" &") || line.contains(" !"))
}

/// What GitHub's parser says and we do not.
fn known_theirs(each: &Theirs<'_>, text: &str) -> Option<&'static str> {
    let message = each.message;
    if message.contains(" at line ") {
        return Some("the package refuses YAML that the service takes (vectors `yaml-*`)");
    }
    // `ConvertToRunsOn` of the service goes by when it meets an expression.
    let of_a_key = ["key'. The type", "property name'"].iter().any(|words| message.contains(words));
    if message.contains("ExpressionToken' encountered") && of_a_key {
        return Some("the package's converter expects keys that are no expressions");
    }
    if has_properties(text, each.line) {
        return Some("the package places a value behind its tag or anchor");
    }
    if message.contains("'BasicExpressionToken' encountered") {
        return Some(WHOLE);
    }
    if message == "Container image cannot be empty" {
        // `ConvertToJobContainer` of the service traverses the whole mapping first.
        return Some("the package minds an image beside an unknown key with an expression");
    }
    // `ConvertToOnWorkflowDispatchInputTypes` of the service takes any default and any options.
    if message.contains("'input default'") || message.starts_with("Input type is not 'choice'") {
        return Some("the package minds the defaults and options of workflow_dispatch, the service does not");
    }
    // Vector `on-workflow_dispatch-inputs-null`.
    if message == "Unexpected value ''"
        || message.contains("'workflow dispatch inputs'")
        || message.contains("'NullToken' encountered while reading 'input configuration'")
    {
        return Some("the package refuses `inputs:` without inputs");
    }
    if message == "Missing required key 'cron' in schedule entry" {
        return Some("the package says of an empty `cron` that it is missing, too");
    }
    let follows =
        ["The workflow must contain at least one job with no dependencies", "Step references unknown step ID"];
    if follows.iter().any(|start| message.starts_with(start))
        || message.contains("depends on job")
        || message.contains("depends on unknown job")
    {
        return Some("the package leaves a job with an error out of the graph");
    }
    ["gpus", "gpu-memory", "gpu-name"]
        .iter()
        .any(|key| message == format!("Unexpected value '{key}'"))
        .then_some("keys of ours")
}

/// What we say and GitHub's parser does not; `refused` is whether it says anything at all.
fn known_ours(each: &Diagnostic, text: &str, refused: bool) -> Option<&'static str> {
    if has_properties(text, each.line.into()) {
        return Some("the package places a value behind its tag or anchor");
    }
    match each.code.as_str() {
        "matrix-empty-vector" | "matrix" | "matrix-exclude" | "action-reference" | "snapshot-version" => {
            // `MatrixBuilder`, `ConvertToSteps` and `ConvertToJobSnapshot` of the service.
            Some("the service minds matrices, references of actions and versions of snapshots; the package does not")
        }
        "container-image" if each.message.contains("docker://") => {
            Some("the service minds `docker://` without an image; the package does not")
        }
        "unknown-need" | "needs-cycle" | "job-id" | "step-id" | "container-image" | "no-first-job" | "unknown-step"
        | "runner-group" | "parallel" | "concurrency-group"
            if refused =>
        {
            Some("where a file has one error, the package looks no further at ids, needs and images")
        }
        "missing-key" if refused && each.message.starts_with("`options` is required") => {
            Some("where a file has one error, the package looks no further at ids, needs and images")
        }
        "expression" | "empty-expression" if refused && is_condition(text, each) => {
            Some("where a file has one error, the package does not read conditions")
        }
        // `s_snapshotIfNamedValues` of the service beside `snapshot-if` of the schema.
        "expression" if text.lines().nth(each.line as usize - 1).is_some_and(|line| line.contains("snapshot:")) => {
            Some("a snapshot's bare condition may use names that its schema has not")
        }
        "unknown-input" => Some("actions of ours"),
        // `GroupPermitSetting` of the service has no `queue` yet; GitHub's documentation has the rule.
        "expression-not-allowed" if each.message.starts_with("the keys of") => {
            Some("an expression as the whole of `defaults.run` or `credentials`, which both evaluate and we do not")
        }
        "concurrency-queue" => Some("`queue: max` beside `cancel-in-progress`"),
        _ => None,
    }
}

/// Whether it stands behind `if:`.
fn is_condition(text: &str, each: &Diagnostic) -> bool {
    let line = text.lines().nth((each.line as usize).saturating_sub(1)).unwrap_or_default();
    let before: String = line.chars().take((each.column as usize).saturating_sub(1)).collect();
    before.trim_end().trim_end_matches(['"', ':', ' ']).ends_with("if")
        || before.trim().is_empty()
        || before.trim() == ":"
}

/// The first message without its names and place.
fn class(messages: &[String]) -> String {
    let Some(first) = messages.first() else { return "-".to_owned() };
    let first = first.split_once(' ').map_or("", |(_, rest)| rest);
    let outside: Vec<&str> = first.split(['\'', '`']).step_by(2).collect();
    outside.join("X").chars().take(90).collect()
}
