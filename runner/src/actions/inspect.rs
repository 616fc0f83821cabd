//! `assay/inspect@v1` and `assay/bench@v1`: `assay inspect` and `assay bench` in a process of their
//! own. Their answer, JSON, is the output `result`; its plain numbers are outputs of their own.

use serde_json::Value;

use super::{Inputs, given, tool};
use crate::job::{Job, StepCall, StepEnd};

const BENCH: [&str; 14] = [
    "model",
    "against",
    "scenario",
    "provider",
    "batch",
    "threads",
    "duration",
    "queries",
    "warmup",
    "percentile",
    "inputs",
    "device",
    "rate",
    "seed",
];

pub(super) async fn bench(job: &mut Job<'_>, call: &StepCall<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    let checked = tool::options(inputs, &BENCH).and_then(|options| {
        tool::refuse_pointers(job, inputs, &["model", "against"])?;
        Ok(options)
    });
    match checked {
        Ok(options) => {
            let arguments = ["bench".to_owned()].into_iter().chain(options).chain(["--json".to_owned()]);
            answer(job, call, arguments.collect()).await
        }
        Err(e) => Ok(StepEnd::failure(e)),
    }
}

pub(super) async fn inspect(job: &mut Job<'_>, call: &StepCall<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    let Some(model) = given(inputs, "model") else { return Ok(StepEnd::failure("`with.model` is missing")) };
    if let Err(e) = tool::refuse_pointers(job, inputs, &["model", "against"]) {
        return Ok(StepEnd::failure(e));
    }
    let mut arguments = vec!["inspect".to_owned(), "--json".to_owned(), "--".to_owned(), model.to_owned()];
    arguments.extend(given(inputs, "against").map(str::to_owned));
    answer(job, call, arguments).await
}

async fn answer(job: &mut Job<'_>, call: &StepCall<'_>, arguments: Vec<String>) -> anyhow::Result<StepEnd> {
    let bytes = match tool::run(job, call, arguments).await? {
        tool::Answer::Given(bytes) => bytes,
        tool::Answer::Ended(end) => return Ok(end),
    };
    let text = String::from_utf8_lossy(&bytes);
    let Ok(value) = serde_json::from_str::<Value>(&text) else {
        return Ok(StepEnd::failure("assay did not answer with JSON"));
    };
    job.log.say(&serde_json::to_string_pretty(&value)?).await;
    let mut end = StepEnd::success();
    for (name, value) in value.as_object().into_iter().flatten().filter(|(_, value)| value.is_number()) {
        end = end.output(name, value.to_string());
    }
    Ok(end.output("result", text.trim()))
}
