//! `assay/eval@v1`: `assay eval` in a process of its own under the step's sandbox, since a model is
//! hostile input and ONNX Runtime may crash on it.
//!
//! Inputs are the options of `assay eval`, and `name`. Where the job has a baseline of which nothing comparable is
//! known, the base's model is evaluated beside the head's, on the head's data. Outputs: each metric under its name, `n`,
//! `metrics` (JSON) and `outcomes` (the digest of their blob).

use std::path::Path;

use anyhow::Context;
use workflows::{
    evaluation::{Beside, BlobRef, Evaluation},
    run::Conclusion,
    syntax::BuiltinAction,
};

use super::{Inputs, base, cache::Shelves, given, models, tool};
use crate::{
    archive::digest_file,
    job::{Job, StepCall, StepEnd, files, step},
    onnx::reuse::{Key, Known, Results},
};

pub(super) async fn run(job: &mut Job<'_>, call: &StepCall<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    let name = given(inputs, "name").map_or_else(|| step::evaluation_name(job, call.step), str::to_owned);
    let mut inputs = inputs.clone();
    inputs.shift_remove("name");
    if let Err(e) = tool::refuse_pointers(job, &inputs, &["model", "dataset", "tokenizer"]) {
        return Ok(StepEnd::failure(e));
    }
    let mut evaluation = match measure(job, call, &inputs, "head").await? {
        Ok(evaluation) => evaluation,
        Err(end) => return Ok(end),
    };
    evaluation.name = name;
    if let Some(model) = given(&inputs, "model") {
        models::keep(job, model, &evaluation.model.digest).await;
    }
    match beside(job, call, &inputs, &evaluation).await? {
        Ok(base) => evaluation.beside = base.map(Box::new),
        Err(end) => return Ok(end),
    }
    match twice(job, call, &inputs, &evaluation).await? {
        Ok(base) => evaluation.self_check = base.map(Box::new),
        Err(end) => return Ok(end),
    }
    let end = told(job, &evaluation).await;
    job.evaluations.push(evaluation);
    Ok(end)
}

/// Evaluates the model that the inputs name, or takes what is known of it. An end where there is no evaluation.
async fn measure(
    job: &mut Job<'_>,
    call: &StepCall<'_>,
    inputs: &Inputs,
    side: &str,
) -> anyhow::Result<Result<Evaluation, StepEnd>> {
    let options = match tool::options(inputs, BuiltinAction::Eval.inputs()) {
        Ok(options) => options,
        Err(e) => return Ok(Err(StepEnd::failure(e))),
    };
    let fresh = given(inputs, "no-cache").is_some_and(|value| value != "false");
    let shelves = Shelves::of(job, "evaluations");
    let results = Results::new(shelves.readable, shelves.writable);
    let mut key = None;
    if !fresh {
        key = match ask_for_key(job, call, &options).await? {
            Asked::Key(key) => key,
            Asked::Ended(end) => return Ok(Err(end)),
        };
        if let Some(key) = &key
            && let Some(known) = known(job, &results, key).await
        {
            return reuse(job, inputs, known).await.map(Ok);
        }
    }
    let file = format!("{}.{side}.outcomes.jsonl.zst", call.number);
    let outcomes = job.directories.temp.join(&file);
    let mut arguments = vec!["eval".to_owned()];
    arguments.extend(options.into_iter().filter(|option| option != "--no-cache"));
    // What is kept is the runner's to keep: a process that read a hostile model could forge any result.
    arguments.extend(["--no-cache", "--json", "--outcomes"].map(str::to_owned));
    arguments.push(outcomes.display().to_string());
    let answer = match tool::run(job, call, arguments).await? {
        tool::Answer::Given(answer) => answer,
        tool::Answer::Ended(end) => return Ok(Err(end)),
    };
    let mut evaluation: Evaluation =
        serde_json::from_slice(&answer).context("`assay eval` did not answer with an evaluation")?;
    evaluation.cached = false;
    if outcomes.symlink_metadata().is_ok() {
        // Made by a process that read a hostile model: taken into the runner's own place first.
        let kept = job.directories.private.join(&file);
        let (from, to) = (outcomes, kept.clone());
        let (digest, bytes) = tokio::task::spawn_blocking(move || {
            let mut source = files::open_plain(&from)?;
            std::io::copy(&mut source, &mut std::fs::File::create_new(&to)?)?;
            digest_file(&to)
        })
        .await?
        .context("the outcomes cannot be read")?;
        job.host.upload_blob(&digest, &kept).await?;
        evaluation.outcomes = Some(BlobRef { digest, bytes });
        if let Some(key) = key {
            keep(job, &results, &key, &evaluation, &kept).await;
        }
        tokio::fs::remove_file(&kept).await.ok();
    }
    Ok(Ok(evaluation))
}

/// The base's model on the head's data, where nothing that is known of the base is comparable with the head's
/// evaluation. None where the base has no such model, or it cannot be evaluated: then there is no baseline, and
/// the head's step has not failed. An end where the step was stopped.
async fn beside(
    job: &mut Job<'_>,
    call: &StepCall<'_>,
    inputs: &Inputs,
    head: &Evaluation,
) -> anyhow::Result<Result<Option<Beside>, StepEnd>> {
    let Some(baseline) = &job.spec.baseline else { return Ok(Ok(None)) };
    if baseline.knows(job.spec.key.as_str(), head) {
        return Ok(Ok(None));
    }
    let sha = baseline.sha.clone();
    let Some(of_base) = of_base(job, inputs, &head.name).await? else { return Ok(Ok(None)) };
    job.log.say(&format!("Evaluating the model of the base, {}, beside the head's", sha.short())).await;
    let evaluation = measure_base(job, call, &of_base, head, "base", "There is no baseline").await?;
    Ok(evaluation.map(|evaluation| evaluation.map(|evaluation| Beside { sha: Some(sha), evaluation })))
}

/// The base's model twice and anew, where this run is one of those that check the gate.
async fn twice(
    job: &mut Job<'_>,
    call: &StepCall<'_>,
    inputs: &Inputs,
    head: &Evaluation,
) -> anyhow::Result<Result<Option<Evaluation>, StepEnd>> {
    let Some(baseline) = job.spec.baseline.as_ref().filter(|baseline| baseline.self_check) else { return Ok(Ok(None)) };
    let sha = baseline.sha.clone();
    let Some(mut of_base) = of_base(job, inputs, &head.name).await? else { return Ok(Ok(None)) };
    // What is known of the first time would be the second.
    of_base.insert("no-cache".to_owned(), "true".to_owned());
    job.log.say(&format!("Evaluating the model of the base, {}, twice, to check the gate", sha.short())).await;
    let mut sides = Vec::new();
    for side in ["self-check-1", "self-check-2"] {
        match measure_base(job, call, &of_base, head, side, "The gate is not checked").await? {
            Ok(Some(evaluation)) => sides.push(evaluation),
            other => return Ok(other),
        }
    }
    let second = sides.pop().map(|evaluation| Box::new(Beside { sha: Some(sha), evaluation }));
    Ok(Ok(sides.pop().map(|first| Evaluation { beside: second, ..first })))
}

/// The step's inputs with the base's files. None where the base has no such model.
async fn of_base(job: &mut Job<'_>, inputs: &Inputs, name: &str) -> anyhow::Result<Option<Inputs>> {
    let Some(model) = given(inputs, "model") else { return Ok(None) };
    let Some(file) = base::file(job, model, Some(name)).await? else { return Ok(None) };
    let mut of_base = inputs.clone();
    of_base.insert("model".to_owned(), file.display().to_string());
    // A tokenizer belongs to its model.
    if let Some(tokenizer) = given(inputs, "tokenizer")
        && let Some(file) = base::file(job, tokenizer, None).await?
    {
        of_base.insert("tokenizer".to_owned(), file.display().to_string());
    }
    Ok(Some(of_base))
}

/// An evaluation of the base, under the head's names. None where it cannot be evaluated, which `otherwise` says.
async fn measure_base(
    job: &mut Job<'_>,
    call: &StepCall<'_>,
    of_base: &Inputs,
    head: &Evaluation,
    side: &str,
    otherwise: &str,
) -> anyhow::Result<Result<Option<Evaluation>, StepEnd>> {
    let mut evaluation = match measure(job, call, of_base, side).await? {
        Ok(evaluation) => evaluation,
        Err(end) if end.conclusion == Conclusion::Failure => {
            let why = end.message.unwrap_or_default();
            job.log.say(&format!("##[warning]{otherwise}: the base's model cannot be evaluated: {why}")).await;
            return Ok(Ok(None));
        }
        Err(end) => return Ok(Err(end)),
    };
    evaluation.name.clone_from(&head.name);
    evaluation.model.path.clone_from(&head.model.path);
    evaluation.dataset.path.clone_from(&head.dataset.path);
    // What a page shows of the head alone would only fill the job's record.
    evaluation.confusion.clear();
    Ok(Ok(Some(evaluation)))
}

enum Asked {
    /// None where there is none, for example because the model is not there: the evaluation will say so.
    Key(Option<Key>),
    Ended(StepEnd),
}

/// Asks a process that reads the files, but runs no model, what the evaluation is a function of.
async fn ask_for_key(job: &mut Job<'_>, call: &StepCall<'_>, options: &[String]) -> anyhow::Result<Asked> {
    let mut arguments = vec!["eval".to_owned()];
    arguments.extend_from_slice(options);
    arguments.push("--key".to_owned());
    Ok(match tool::run(job, call, arguments).await? {
        tool::Answer::Given(answer) => Asked::Key(serde_json::from_slice(&answer).ok()),
        tool::Answer::Ended(end) => Asked::Ended(end),
    })
}

/// The result of an earlier evaluation of the same: this runner's, or another's. Where the server cannot be asked, the
/// evaluation is made again.
async fn known(job: &Job<'_>, results: &Results, key: &Key) -> Option<Known> {
    if let Some(known) = results.find(key, true) {
        return Some(known);
    }
    let found = job.host.known_evaluation(&key.key).await;
    let evaluation = found.inspect_err(|e| tracing::warn!("known results cannot be asked for: {e:#}")).ok()??;
    key.is_of(&evaluation).then_some(Known { evaluation, outcomes: None })
}

/// Keeps a result for this runner and for the others.
async fn keep(job: &Job<'_>, results: &Results, key: &Key, evaluation: &Evaluation, outcomes: &Path) {
    if let Err(e) = results.keep(key, evaluation, Some(outcomes)) {
        tracing::warn!("the result is not kept: {e}");
    }
    if key.is_of(evaluation)
        && let Err(e) = job.host.keep_evaluation(&key.key, evaluation).await
    {
        tracing::warn!("the result is not kept for other runners: {e:#}");
    }
}

/// Takes the result of an earlier evaluation of the same. Outcomes that another runner uploaded are where they belong.
async fn reuse(job: &mut Job<'_>, inputs: &Inputs, known: Known) -> anyhow::Result<Evaluation> {
    let Known { mut evaluation, outcomes } = known;
    evaluation.cached = true;
    for (file, input) in [(&mut evaluation.model, "model"), (&mut evaluation.dataset, "dataset")] {
        file.path = given(inputs, input).unwrap_or_default().to_owned();
    }
    if let (Some(blob), Some(path)) = (&evaluation.outcomes, &outcomes) {
        job.host.upload_blob(&blob.digest, path).await?;
    }
    Ok(evaluation)
}

/// The numbers, to the log and to later steps.
async fn told(job: &mut Job<'_>, evaluation: &Evaluation) -> StepEnd {
    let cached = if evaluation.cached { " (known from an earlier evaluation)" } else { "" };
    let mut lines = format!("{}: {} examples on {}{cached}", evaluation.name, evaluation.n, evaluation.provider.device);
    let mut end = StepEnd::success().output("n", evaluation.n.to_string());
    let base = evaluation.beside.as_ref().map(|beside| &beside.evaluation.metrics);
    for (metric, value) in &evaluation.metrics {
        let beside = base.and_then(|base| base.get(metric)).map_or(String::new(), |base| format!(" (base: {base})"));
        lines.push_str(&format!("\n  {metric} = {value}{beside}"));
        end = end.output(metric, value.to_string());
    }
    job.log.say(&lines).await;
    if let Some(outcomes) = &evaluation.outcomes {
        end = end.output("outcomes", outcomes.digest.as_str());
    }
    end.output("metrics", serde_json::to_string(&evaluation.metrics).unwrap_or_default())
}
