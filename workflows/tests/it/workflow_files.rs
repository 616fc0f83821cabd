//! GitHub's workflow files: which have errors, where, and what the others hold.

use std::collections::BTreeSet;

use serde_json::Value;
use workflows::expr::{Environment, interpolate};
use workflows::syntax::{Diagnostic, Job, JobBody, StepAction, Workflow, check_calls, parse};

use crate::vectors::{Tally, files, folder};

#[test]
fn githubs_workflow_files() {
    let Some(folder) = folder("workflows") else { return };
    let mut tally = Tally::default();
    for (name, text) in files(&folder) {
        let vector = Vector::read(&text);
        match not_applicable(&name, &vector) {
            Some(reason) => tally.not_applicable(&name, reason),
            None => tally.check(&name, vector.check(&name)),
        }
    }
    tally.finish("workflow files");
}

/// One file: options, the workflow, called workflows by name, and what GitHub's parsers make of it.
struct Vector<'t> {
    options: &'t str,
    workflow: &'t str,
    called: Vec<(&'t str, &'t str)>,
    expected: Value,
}

fn not_applicable(name: &str, vector: &Vector<'_>) -> Option<&'static str> {
    let option = |name: &str| vector.options.lines().any(|line| line.starts_with(name));
    let errors = vector.expected["errors"].to_string();
    if option("max-depth:") || option("max-file-size:") || option("max-result-size:") {
        return Some("it lowers a limit by an option; ours are constants, and their tests are in `syntax::tests`");
    }
    if errors.contains("but is only allowed") && !vector.workflow.contains("permissions:") {
        return Some("it depends on a setting of GitHub's repository, what a token may do where no file says");
    }
    if name == "on-workflow_dispatch-unknown-keys-ignored.yml" {
        return Some("GitHub's parsers disagree (events-single-invalid.yml): we report unknown keys everywhere");
    }
    if name == "errors-anchor-tag.yml" {
        return Some("it expects anchors to be refused; GitHub takes them since September 2025, and so do we");
    }
    None
}

impl<'t> Vector<'t> {
    fn read(text: &'t str) -> Self {
        let documents: Vec<&str> = text.split("\n---\n").collect();
        let [options, workflow, called @ .., expected] = documents.as_slice() else {
            panic!("a vector has three parts")
        };
        let called = called.chunks_exact(2).map(|pair| (pair[0].trim(), pair[1])).collect();
        Vector { options, workflow, called, expected: serde_json::from_str(expected).expect("an expectation is JSON") }
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let (workflow, mut diagnostics) = parse(name, self.workflow);
        let called: Vec<(&str, Workflow)> = self
            .called
            .iter()
            .filter_map(|(name, text)| {
                let (workflow, inner) = parse(name, text);
                diagnostics.extend(inner);
                Some((*name, workflow?))
            })
            .collect();
        let find = |path: &str| called.iter().find(|(name, _)| *name == path).map(|(_, workflow)| workflow);
        if let Some(workflow) = &workflow {
            // A path that is not local names a file of another repository: here they are given too.
            diagnostics.extend(check_calls(workflow, &find));
        }
        diagnostics.retain(Diagnostic::is_error);
        match self.expected["errors"].as_array() {
            Some(errors) => same_places(errors, &diagnostics),
            None if diagnostics.is_empty() => {
                let workflow = workflow.as_ref().ok_or("there is no workflow")?;
                same_jobs(&self.expected["jobs"], workflow, &find)
            }
            None => Err(format!("must have no errors: {}", shown(&diagnostics))),
        }
    }
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    let lines = diagnostics.iter().map(|each| format!("{}:{}:{} {}", each.file, each.line, each.column, each.message));
    lines.collect::<Vec<_>>().join("; ")
}

fn same_places(errors: &[Value], diagnostics: &[Diagnostic]) -> Result<(), String> {
    let mut expected = BTreeSet::new();
    for error in errors {
        match place(error["Message"].as_str().unwrap_or_default()) {
            Some(place) => drop(expected.insert(place)),
            // An error of the whole file.
            None if diagnostics.is_empty() => return Err(format!("must have an error: {error}")),
            None => return Ok(()),
        }
    }
    let found: BTreeSet<(u32, u32)> = diagnostics.iter().map(|each| (each.line, each.column)).collect();
    if found == expected {
        Ok(())
    } else {
        Err(format!("errors at {expected:?} expected, found: {}", shown(diagnostics)))
    }
}

/// `…(Line: 5, Col: 7)…`
fn place(message: &str) -> Option<(u32, u32)> {
    let (_, rest) = message.split_once("(Line: ")?;
    let (line, rest) = rest.split_once(", Col: ")?;
    let (column, _) = rest.split_once(')')?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

fn same_jobs<'w>(
    expected: &Value,
    workflow: &'w Workflow,
    find: &dyn Fn(&str) -> Option<&'w Workflow>,
) -> Result<(), String> {
    let expected = expected.as_array().ok_or("no jobs are expected")?;
    let ids: Vec<String> = expected.iter().map(|job| literal(&job["id"])).collect();
    let found: Vec<String> = workflow.jobs.keys().map(ToString::to_string).collect();
    equal("jobs", &ids, &found)?;
    for (expected, job) in expected.iter().zip(workflow.jobs.values()) {
        same_job(expected, job, find).map_err(|why| format!("job {}: {why}", literal(&expected["id"])))?;
    }
    Ok(())
}

fn same_job<'w>(expected: &Value, job: &'w Job, find: &dyn Fn(&str) -> Option<&'w Workflow>) -> Result<(), String> {
    let needs: Vec<String> = expected["needs"].as_array().into_iter().flatten().map(literal).collect();
    equal("needs", &needs, &job.needs.iter().map(|need| need.value.to_string()).collect::<Vec<_>>())?;
    for (key, template) in [("timeout-minutes", &job.timeout_minutes), ("continue-on-error", &job.continue_on_error)] {
        same_template(key, &expected[key], template.as_ref().map(|template| template.value.as_str()))?;
    }
    let condition = job.condition.as_ref().map(|template| template.value.as_str());
    same_condition(&expected["if"], condition)?;
    same_map("env", &expected["env"], job.env.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
    let outputs = job.outputs.iter().map(|(name, template)| (name.as_str(), template.value.as_str()));
    same_map("outputs", &expected["outputs"], outputs)?;
    if let Value::String(label) = &expected["runs-on"] {
        equal("runs-on", &vec![label.clone()], &job.runs_on.labels.iter().map(|each| each.value.clone()).collect())?;
    }
    match &job.body {
        JobBody::Call { uses, .. } => {
            equal("uses", &literal(&expected["ref"]), &uses.value)?;
            match find(&uses.value) {
                Some(called) => same_jobs(&expected["jobs"], called, find),
                None => Err(format!("{} is not given", uses.value)),
            }
        }
        JobBody::Steps(_) => {
            // Steps that GitHub runs in the background have no counterpart here.
            let is_step = |step: &&Value| step.get("run").is_some() || step.get("uses").is_some();
            let steps: Vec<&Value> = expected["steps"].as_array().into_iter().flatten().filter(is_step).collect();
            equal("number of steps", &steps.len(), &job.steps().len())?;
            for (expected, step) in steps.iter().zip(job.steps()) {
                if let Some(id) = &step.id {
                    equal("step id", &literal(&expected["id"]), id)?;
                }
                same_condition(&expected["if"], step.condition.as_ref().map(|each| each.value.as_str()))?;
                same_map("step env", &expected["env"], step.env.iter().map(|(k, v)| (k.as_str(), v.as_str())))?;
                match &step.action {
                    StepAction::Run { script, .. } => same_template("run", &expected["run"], Some(&script.value))?,
                    StepAction::Uses { with, .. } => {
                        let with = with.iter().map(|(name, value)| (name.as_str(), value.value.as_str()));
                        same_map("with", &expected["with"], with)?;
                    }
                }
            }
            Ok(())
        }
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{what}: {expected:?} expected, found {found:?}")) }
}

/// A literal of GitHub's template: bare, or `{"lit": …}` where places are kept.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(entries) => entries.get("lit").map(literal).unwrap_or_default(),
        other => other.to_string(),
    }
}

fn expression(value: &Value) -> Option<&str> {
    value.get("expr").and_then(Value::as_str)
}

/// A text whose expressions are literals is a literal to GitHub: `${{ '${{ escaped }}' }}`.
fn constant(text: &str) -> String {
    interpolate(text, &Environment::default()).unwrap_or_else(|_| text.to_owned())
}

/// Literals are compared as texts; of expressions, that there is one (GitHub rewrites them to `format(…)`).
fn same_template(what: &str, expected: &Value, found: Option<&str>) -> Result<(), String> {
    match (expected, found) {
        (Value::Null, None) => Ok(()),
        (expected, Some(found)) if expression(expected).is_some() && found.contains("${{") => Ok(()),
        (expected, Some(found)) => equal(what, &literal(expected), &constant(found)),
        (expected, None) => Err(format!("{what}: {expected} expected, found nothing")),
    }
}

fn same_condition(expected: &Value, found: Option<&str>) -> Result<(), String> {
    let Some(expected) = expression(expected) else { return Ok(()) };
    let bare = |text: &str| text.trim().trim_start_matches("${{").trim_end_matches("}}").trim().to_owned();
    let asks = ["success(", "failure(", "always(", "cancelled("];
    let lower = found.unwrap_or_default().to_ascii_lowercase();
    let implied = match found.map(bare) {
        None => "success()".to_owned(),
        Some(text) if text.is_empty() => "success()".to_owned(),
        Some(text) if asks.iter().any(|name| lower.contains(name)) => text,
        Some(text) => format!("success() && ({text})"),
    };
    // A text with an expression in it: GitHub makes it a call of `format`.
    if implied.contains("${{") && expected.contains("format('") {
        return Ok(());
    }
    equal("if", &expected.to_owned(), &implied)
}

fn same_map<'a>(what: &str, expected: &Value, found: impl Iterator<Item = (&'a str, &'a str)>) -> Result<(), String> {
    let entries = expected["map"].as_array().cloned().unwrap_or_default();
    let found: Vec<(&str, &str)> = found.collect();
    equal(what, &entries.len(), &found.len())?;
    for (entry, (name, value)) in entries.iter().zip(found) {
        equal(what, &literal(&entry["Key"]), &name.to_owned())?;
        same_template(name, &entry["Value"], Some(value))?;
    }
    Ok(())
}
