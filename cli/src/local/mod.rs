//! `assay run`: journey 2. The workflow here, on the working tree, and the table that the check run will show.

mod execute;
mod places;
mod print;
mod tree;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use anyhow::{Context, bail};
use runner::{job::local::Source, onnx::library, process::sandbox::Sandbox};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use workflows::{
    compare,
    event::Event,
    gate::{self, Policy, Verdict},
    ids::{JobId, Sha},
    plan::{Selection, preview, select},
    report,
    run::Conclusion,
    settings::read_dotenv,
    syntax::{self, Called, Paint, Severity, Workflow},
};

use self::{
    execute::{Measured, Outcome, Script, Subject, Surroundings, execute},
    print::Printer,
    tree::WorkTree,
};
use crate::{embedded, exit::Exit, ui};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Workflow file; by default every one in .assay/workflows that the event starts.
    workflow: Option<PathBuf>,
    /// Event to pretend: push, pull_request, workflow_dispatch; or a file with one, as JSON.
    #[arg(long, value_name = "NAME|FILE", default_value = "push")]
    event: String,
    /// Only this job, and those that it needs.
    #[arg(long, value_name = "ID")]
    job: Option<JobId>,
    /// Compare with this commit; by default with where the branch left the default one.
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Print the plan and run nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document; everything else goes to standard error.
    #[arg(long)]
    json: bool,
    /// Secrets for the jobs, as lines of NAME=value.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Variables (`vars`) for the jobs, as lines of NAME=value.
    #[arg(long, value_name = "FILE")]
    var_file: Option<PathBuf>,
    /// Run steps without a sandbox, even where one works.
    #[arg(long)]
    no_isolation: bool,
}

/// One workflow file, read and found valid.
struct Chosen {
    file: String,
    workflow: Workflow,
    /// Those that it calls.
    called: Called,
}

pub async fn run(args: Args) -> anyhow::Result<Exit> {
    let tree = WorkTree::discover(&std::env::current_dir()?)?;
    let base = tree.base(args.base.as_deref())?;
    let event = event(&args.event, &tree, base.as_ref())?;
    let Some(chosen) = choose(&args, &tree, &event)? else { return Ok(Exit::No) };
    if args.dry_run {
        let plans: Vec<_> =
            chosen.iter().map(|chosen| preview(&chosen.workflow, &chosen.called, &event, None)).collect();
        match args.json {
            true => ui::say(serde_json::to_string_pretty(&json!({ "plans": plans }))?),
            false => plans.iter().for_each(print::plan),
        }
        return Ok(Exit::Yes);
    }

    let printer = Arc::new(Mutex::new(Printer::new(args.json)));
    let scratch =
        tempfile::Builder::new().prefix("assay-run-").tempdir().context("cannot make a temporary directory")?;
    let around = surroundings(&args, scratch.path(), &printer).await?;
    let cancel = CancellationToken::new();
    let interrupt = cancel.clone();
    tokio::spawn(async move {
        embedded::interrupted().await;
        interrupt.cancel();
    });

    let mut documents = Vec::new();
    let mut exit = Exit::Yes;
    for chosen in &chosen {
        let job = args.job.as_ref();
        let here = Subject { side: "head", source: Source::WorkingTree(tree.root.clone()), sha: tree.head.clone() };
        let script = Script { workflow: &chosen.workflow, called: &chosen.called };
        let head = execute(script, &event, &here, &around, job, &printer, &cancel).await?;
        let verdict = match head.evaluations.is_empty() || cancel.is_cancelled() {
            true => None,
            false => judge(&tree, chosen, &event, base.as_ref(), &head, &around, job, &printer, &cancel).await?,
        };
        let judged = verdict.as_ref().map(|(verdict, policy)| report::conclusion(verdict, &policy.defaults));
        if !head.conclusion.passes() || judged.is_some_and(|conclusion| !conclusion.passes()) {
            exit = Exit::No;
        }
        documents.push(document(chosen, &head, verdict.as_ref().map(|(verdict, _)| verdict)));
    }
    if args.json {
        ui::say(serde_json::to_string_pretty(&json!({ "runs": documents }))?);
    }
    Ok(exit)
}

/// The event that this tree would be, or one from a file.
fn event(name: &str, tree: &WorkTree, base: Option<&Sha>) -> anyhow::Result<Event> {
    match PathBuf::from(name).is_file() {
        true => Ok(crate::plan::read_event(name)?.0),
        false => tree.event(name, base),
    }
}

/// The workflows to run; none where one of them has errors, which are printed.
fn choose(args: &Args, tree: &WorkTree, event: &Event) -> anyhow::Result<Option<Vec<Chosen>>> {
    let files = match &args.workflow {
        None => tree.workflow_files()?,
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            let full = path.canonicalize()?;
            let name = full.strip_prefix(tree.root.canonicalize()?).unwrap_or(path);
            vec![(name.display().to_string(), text)]
        }
    };
    if files.is_empty() {
        bail!("there is no workflow in .assay/workflows; `assay init` writes one");
    }
    let mut chosen = Vec::new();
    let mut valid = true;
    let mut reasons = Vec::new();
    for (file, text) in files {
        let (workflow, diagnostics) = syntax::parse(&file, &text);
        let paint = if ui::colour_stderr() { Paint::ANSI } else { Paint::PLAIN };
        for diagnostic in &diagnostics {
            eprintln!("{}", syntax::to_text(diagnostic, &text, &paint));
        }
        if diagnostics.iter().any(|d| d.severity == Severity::Error) {
            valid = false;
        }
        let Some(workflow) = workflow else { continue };
        let here = |path: &str| std::fs::read_to_string(tree.root.join(crate::plan::file_of(path))).ok();
        let (called, problems) = crate::plan::called(&workflow, here);
        for diagnostic in &problems {
            eprintln!("{}", syntax::to_text(diagnostic, if diagnostic.file == file { &text } else { "" }, &paint));
            valid = false;
        }
        match select(&workflow, event, None) {
            Selection::Runs => chosen.push(Chosen { file, workflow, called }),
            // Whoever names a file wants it run.
            Selection::NotSubscribed | Selection::Filtered(_) if args.workflow.is_some() => {
                chosen.push(Chosen { file, workflow, called });
            }
            Selection::NotSubscribed => reasons.push(format!("{file}: not started by {}", event.kind.name())),
            Selection::Filtered(reason) => reasons.push(format!("{file}: {reason}")),
        }
    }
    if valid && chosen.is_empty() {
        bail!("no workflow is started by this event:\n  {}", reasons.join("\n  "));
    }
    Ok(valid.then_some(chosen))
}

async fn surroundings(
    args: &Args,
    scratch: &std::path::Path,
    printer: &Arc<Mutex<Printer>>,
) -> anyhow::Result<Surroundings> {
    let say = |line: String| printer.lock().expect("printing does not panic").say(&ui::paint(ui::Style::Dim, &line));
    let assay = embedded::own_binary()?;
    let cache = library::cache_dir().join("runner");
    std::fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let onnxruntime = match library::locate_or_install(&library::Places::from_env(), &|note| say(note.to_owned())) {
        Ok(library) => Some(library.path),
        Err(error) => {
            say(format!("ONNX Runtime: {error}"));
            None
        }
    };
    let sandbox = match args.no_isolation {
        true => Sandbox::None,
        false => {
            let readable: Vec<PathBuf> = [Some(assay.clone()), onnxruntime.clone()].into_iter().flatten().collect();
            Sandbox::detect(scratch, &readable).await.unwrap_or_else(|why| {
                say(format!("Steps are not isolated: {why}"));
                Sandbox::None
            })
        }
    };
    let (secrets, vars) = (settings(args.secret_file.as_deref())?, settings(args.var_file.as_deref())?);
    Ok(Surroundings { sandbox, cache, assay, onnxruntime, secrets, vars, scratch: scratch.to_owned() })
}

/// What a file of secrets or variables gives.
fn settings(file: Option<&std::path::Path>) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(file) = file else { return Ok(BTreeMap::new()) };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    read_dotenv(&text).map_err(|problem| anyhow::anyhow!("{}: {problem}", file.display()))
}

/// Evaluates the base as its own workflow says, and judges by its policy; prints the table.
#[expect(clippy::too_many_arguments, reason = "each is one of the things that a verdict depends on")]
async fn judge(
    tree: &WorkTree,
    chosen: &Chosen,
    event: &Event,
    base: Option<&Sha>,
    head: &Outcome,
    around: &Surroundings,
    job: Option<&JobId>,
    printer: &Arc<Mutex<Printer>>,
    cancel: &CancellationToken,
) -> anyhow::Result<Option<(Verdict, Policy)>> {
    let say = |line: &str| printer.lock().expect("printing does not panic").say(line);
    let base_workflow = match base {
        None => None,
        Some(sha) => tree.file_at(sha, &chosen.file)?.and_then(|text| {
            let (workflow, diagnostics) = syntax::parse(&chosen.file, &text);
            workflow.filter(|_| diagnostics.iter().all(|d| d.severity != Severity::Error))
        }),
    };
    let mut context = report::Context { policy_file: Some(chosen.file.clone()), ..report::Context::default() };
    let own = chosen.workflow.gate.clone();
    let policy = match base_workflow.as_ref().and_then(|workflow| workflow.gate.clone()) {
        Some(policy) => {
            context.gate_changed = own.as_ref() != Some(&policy);
            policy
        }
        // The fleet would judge from the merge on; here the question is what it would say then.
        None => match own {
            Some(policy) => {
                context.notes.push("The base has no gate yet: this is what the new one says.".to_owned());
                policy
            }
            None => return Ok(None),
        },
    };
    let base_outcome = match (base, &base_workflow) {
        (Some(sha), Some(workflow)) => {
            say("");
            say(&ui::paint(ui::Style::Bold, &format!("The base, {}", sha.short())));
            let at_base = |path: &str| tree.file_at(sha, crate::plan::file_of(path)).ok().flatten();
            let (called, _) = crate::plan::called(workflow, at_base);
            let subject = Subject { side: "base", source: Source::Repository(tree.root.clone()), sha: sha.clone() };
            printer.lock().expect("printing does not panic").quiet = true;
            let outcome =
                execute(Script { workflow, called: &called }, event, &subject, around, job, printer, cancel).await?;
            printer.lock().expect("printing does not panic").quiet = false;
            if !outcome.conclusion.passes() {
                context.notes.push(format!(
                    "The base, {}, could not be evaluated: its run ended with {}.",
                    sha.short(),
                    outcome.conclusion
                ));
            }
            Some(outcome)
        }
        (Some(_) | None, _) => None,
    };
    let sides = |measured: &[Measured]| -> Vec<gate::Side> {
        measured.iter().map(|m| compare::side(&m.job, &m.evaluation, m.outcomes.as_ref())).collect()
    };
    let base_sides = base_outcome.as_ref().map(|outcome| sides(&outcome.evaluations)).filter(|sides| !sides.is_empty());
    let beside = head.evaluations.iter().filter_map(|m| compare::side_beside(&m.job, &m.evaluation, None));
    let base_sides = compare::with_beside(base_sides, beside.collect());
    let verdict = gate::judge(&policy, &sides(&head.evaluations), base_sides.as_deref());
    let dirty = if tree.dirty { " and what is not committed" } else { "" };
    context.head = report::CommitRef { name: format!("{}{dirty}", tree.head.short()), url: None };
    context.base = base.map(|sha| report::CommitRef { name: sha.short().to_owned(), url: None });
    context.ran = head.evaluations.iter().map(Measured::ran).collect();
    say("");
    let table = report::terminal(&verdict, &context, ui::colour(), ui::width());
    say(table.trim_end());
    Ok(Some((verdict, policy)))
}

fn document(chosen: &Chosen, head: &Outcome, verdict: Option<&Verdict>) -> serde_json::Value {
    let jobs: Vec<_> = head
        .jobs
        .iter()
        .map(|job| json!({ "key": job.key, "name": job.name, "conclusion": job.conclusion, "summary": job.summary }))
        .collect();
    let evaluations: Vec<_> = head.evaluations.iter().map(|measured| &measured.evaluation).collect();
    let conclusion: Conclusion = head.conclusion;
    json!({
        "workflow": chosen.file,
        "conclusion": conclusion,
        "jobs": jobs,
        "evaluations": evaluations,
        "gate": verdict,
    })
}
