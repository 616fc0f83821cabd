//! `assay/bench@v1`: `assay bench` in a process of its own. Its answer, JSON, is the output `result`; its
//! plain numbers are outputs of their own.

use serde_json::Value;

use super::{Inputs, tool};
use crate::job::{Job, StepCall, StepEnd};

const OPTIONS: [&str; 14] = [
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

pub(super) async fn run(job: &mut Job<'_>, call: &StepCall<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    let checked = tool::options(inputs, &OPTIONS).and_then(|options| {
        tool::refuse_pointers(job, inputs, &["model", "against"])?;
        Ok(options)
    });
    let options = match checked {
        Ok(options) => options,
        Err(e) => return Ok(StepEnd::failure(e)),
    };
    let arguments = ["bench".to_owned()].into_iter().chain(options).chain(["--json".to_owned()]);
    let bytes = match tool::run(job, call, arguments.collect()).await? {
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
