//! `assay compare`: two outcomes files, offline, judged and told as on a pull request.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_yaml::Value;
use workflows::{
    compare::side_of_outcomes,
    gate::{Amount, Bound, Defaults, FieldError, Policy, Rule, Side, TestChoice, Unit, judge, metric},
    report::{self, CommitRef},
};

use crate::{exit::Exit, ui};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Outcomes of the base: JSON Lines as `assay eval --outcomes` writes them, plain or `.zst`.
    base: PathBuf,
    /// Outcomes of the head.
    head: PathBuf,
    /// The policy: a workflow with a `gate:` section, or a file with that section's contents. Without
    /// one, no metric may get worse at all.
    #[arg(long, value_name = "FILE")]
    gate: Option<PathBuf>,
    /// Print the verdict as one JSON document.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print what the check run would show.
    #[arg(long)]
    markdown: bool,
}

/// Exits with "no" where a check run of this verdict would block.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let (policy, base, head) = match inputs(args) {
        Ok(inputs) => inputs,
        Err(error) => {
            eprintln!("error: {error:#}");
            return Ok(Exit::Usage);
        }
    };
    let verdict = judge(&policy, &[head], Some(&[base]));
    let name = |path: &Path| CommitRef { name: path.display().to_string(), url: None };
    let context =
        report::Context { head: name(&args.head), base: Some(name(&args.base)), ..report::Context::default() };
    if args.json {
        ui::say(serde_json::to_string_pretty(&verdict)?);
    } else if args.markdown {
        ui::say(report::markdown(&verdict, &context));
    } else {
        ui::say(report::terminal(&verdict, &context, ui::colour(), ui::width()).trim_end());
    }
    Ok(if report::conclusion(&verdict, &policy.defaults).passes() { Exit::Yes } else { Exit::No })
}

/// What the caller gave, read; every error is theirs to mend.
fn inputs(args: &Args) -> anyhow::Result<(Policy, Side, Side)> {
    let base = read_side(&args.base)?;
    let head = read_side(&args.head)?;
    let policy = match &args.gate {
        Some(path) => read_policy(path).with_context(|| format!("cannot read the gate in {}", path.display()))?,
        None => strictest(&head),
    };
    Ok((policy, base, head))
}

fn read_side(path: &Path) -> anyhow::Result<Side> {
    Ok(side_of_outcomes("outcomes", &crate::outcomes::read(path)?))
}

/// No metric that is known to have a direction may get worse.
fn strictest(head: &Side) -> Policy {
    let rule = |name: &String| {
        let nothing = Amount { value: 0.0, unit: Unit::Absolute };
        let bound = match metric::direction(name)? {
            metric::Direction::HigherIsBetter => Bound::MaxDrop(nothing),
            metric::Direction::LowerIsBetter => Bound::MaxIncrease(nothing),
        };
        Some(Rule { metric: name.clone(), bounds: vec![bound], test: TestChoice::Auto, line: 0 })
    };
    Policy { rules: head.metrics.keys().filter_map(rule).collect(), defaults: Defaults::default() }
}

/// `gate:` of a workflow, or its contents alone.
fn read_policy(path: &Path) -> anyhow::Result<Policy> {
    let file: Value = serde_yaml::from_str(&std::fs::read_to_string(path)?)?;
    let section = file.get("gate").unwrap_or(&file);
    let Some(section) = section.as_mapping() else { bail!("it is not a mapping of metrics to bounds") };
    let mut policy = Policy::default();
    let mut errors = Vec::new();
    for (key, value) in section {
        let key = scalar(key)?;
        // It is about runs, and there is none.
        if key == "self-check" {
            continue;
        }
        let fields = fields(value).with_context(|| format!("`{key}`"))?;
        let failed = match key.as_str() {
            "defaults" => Defaults::parse(&fields).map(|defaults| policy.defaults = defaults).err(),
            _ => Policy::rule(&key, &fields).map(|rule| policy.rules.push(rule)).err(),
        };
        errors.extend(failed.into_iter().flatten().map(|error| describe(&key, error)));
    }
    if errors.is_empty() { Ok(policy) } else { bail!("{}", errors.join("\n")) }
}

fn describe(rule: &str, error: FieldError) -> String {
    let help = error.help.map_or_else(String::new, |help| format!("; {help}"));
    format!("{rule}: {}{help}", error.message)
}

fn fields(value: &Value) -> anyhow::Result<Vec<(String, String)>> {
    let Some(mapping) = value.as_mapping() else { bail!("should be a mapping, such as {{ max-drop: 0.5pp }}") };
    mapping.iter().map(|(key, value)| Ok((scalar(key)?, scalar(value)?))).collect()
}

fn scalar(value: &Value) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
            bail!("should be a text or a number")
        }
    }
}
