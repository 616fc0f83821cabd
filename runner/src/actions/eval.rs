//! `assay/eval@v1`: `assay eval` in a process of its own under the step's sandbox, since a model is
//! hostile input and ONNX Runtime may crash on it.
//!
//! Inputs are the options of `assay eval`, and `name`. Outputs: each metric under its name, `n`,
//! `metrics` (JSON) and `outcomes` (the digest of their blob).

use anyhow::Context;
use workflows::evaluation::{BlobRef, Evaluation};

use super::{Inputs, cache::Shelves, given, tool};
use crate::{
    archive::digest_file,
    job::{Job, StepCall, StepEnd, files, step},
    onnx::reuse::{Key, Known, Results},
};

/// The same words as the command line's.
const OPTIONS: [&str; 19] = [
    "model",
    "dataset",
    "task",
    "target",
    "metrics",
    "provider",
    "batch",
    "threads",
    "inputs",
    "pair",
    "preprocess",
    "tokenizer",
    "classes",
    "id",
    "group",
    "slices",
    "device",
    "memory",
    "no-cache",
];

pub(super) async fn run(job: &mut Job<'_>, call: &StepCall<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    let name = given(inputs, "name").map_or_else(|| step::evaluation_name(job, call.step), str::to_owned);
    let mut rest = inputs.clone();
    rest.shift_remove("name");
    let checked = tool::options(&rest, &OPTIONS).and_then(|options| {
        tool::refuse_pointers(job, inputs, &["model", "dataset", "tokenizer"])?;
        Ok(options)
    });
    let options = match checked {
        Ok(options) => options,
        Err(e) => return Ok(StepEnd::failure(e)),
    };
    let fresh = given(inputs, "no-cache").is_some_and(|value| value != "false");
    let shelves = Shelves::of(job, "evaluations");
    let results = Results::new(shelves.readable, shelves.writable);
    let mut key = None;
    if !fresh {
        key = match ask_for_key(job, call, &options).await? {
            Asked::Key(key) => key,
            Asked::Ended(end) => return Ok(end),
        };
        if let Some(key) = &key
            && let Some(known) = results.find(key, true)
        {
            return reuse(job, inputs, name, known).await;
        }
    }
    let outcomes = job.directories.temp.join(format!("{}.outcomes.jsonl.zst", call.number));
    let mut arguments = vec!["eval".to_owned()];
    arguments.extend(options.into_iter().filter(|option| option != "--no-cache"));
    // What is kept is the runner's to keep: a process that read a hostile model could forge any result.
    arguments.extend(["--no-cache", "--json", "--outcomes"].map(str::to_owned));
    arguments.push(outcomes.display().to_string());
    let answer = match tool::run(job, call, arguments).await? {
        tool::Answer::Given(answer) => answer,
        tool::Answer::Ended(end) => return Ok(end),
    };
    let mut evaluation: Evaluation =
        serde_json::from_slice(&answer).context("`assay eval` did not answer with an evaluation")?;
    evaluation.name = name;
    evaluation.cached = false;
    if outcomes.symlink_metadata().is_ok() {
        // Made by a process that read a hostile model: taken into the runner's own place first.
        let kept = job.directories.private.join(format!("{}.outcomes.jsonl.zst", call.number));
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
        if let Some(key) = key
            && let Err(e) = results.keep(&key, &evaluation, Some(&kept))
        {
            tracing::warn!("the result is not kept: {e}");
        }
        tokio::fs::remove_file(&kept).await.ok();
    }
    let end = told(job, &evaluation).await;
    job.evaluations.push(evaluation);
    Ok(end)
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

/// Takes the result of an earlier evaluation of the same.
async fn reuse(job: &mut Job<'_>, inputs: &Inputs, name: String, known: Known) -> anyhow::Result<StepEnd> {
    let Known { mut evaluation, outcomes } = known;
    evaluation.cached = true;
    evaluation.name = name;
    for (file, input) in [(&mut evaluation.model, "model"), (&mut evaluation.dataset, "dataset")] {
        file.path = given(inputs, input).unwrap_or_default().to_owned();
    }
    if let (Some(blob), Some(path)) = (&evaluation.outcomes, &outcomes) {
        job.host.upload_blob(&blob.digest, path).await?;
    }
    let end = told(job, &evaluation).await;
    job.evaluations.push(evaluation);
    Ok(end)
}

/// The numbers, to the log and to later steps.
async fn told(job: &mut Job<'_>, evaluation: &Evaluation) -> StepEnd {
    let cached = if evaluation.cached { " (known from an earlier evaluation)" } else { "" };
    let mut lines = format!("{}: {} examples on {}{cached}", evaluation.name, evaluation.n, evaluation.provider.device);
    let mut end = StepEnd::success().output("n", evaluation.n.to_string());
    for (metric, value) in &evaluation.metrics {
        lines.push_str(&format!("\n  {metric} = {value}"));
        end = end.output(metric, value.to_string());
    }
    job.log.say(&lines).await;
    if let Some(outcomes) = &evaluation.outcomes {
        end = end.output("outcomes", outcomes.digest.as_str());
    }
    end.output("metrics", serde_json::to_string(&evaluation.metrics).unwrap_or_default())
}
