//! `assay/bench@v1`: `assay bench` in a process of its own, since a model is hostile input.
//!
//! Inputs are the options of `assay bench`. Without `against`, the model of the same name in the commit that the
//! job is compared with is timed in turns with the head's. Outputs: each metric under its name, and the whole
//! answer, JSON, as `result`.

use anyhow::Context;
use workflows::evaluation::Evaluation;

use super::{Inputs, base, given, tool};
use crate::job::{Job, StepCall, StepEnd, step};

const OPTIONS: [&str; 13] = [
    "model",
    "against",
    "scenario",
    "duration",
    "queries",
    "blocks",
    "least-block",
    "warmup",
    "percentile",
    "inputs",
    "rate",
    "seed",
    "memory",
];

pub(super) async fn run(job: &mut Job<'_>, call: &StepCall<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    let name = given(inputs, "name").map_or_else(|| step::evaluation_name(job, call.step), str::to_owned);
    let mut rest = inputs.clone();
    rest.shift_remove("name");
    let checked = tool::options(&rest, &[&OPTIONS[..], &tool::COMPUTE].concat()).and_then(|options| {
        tool::refuse_pointers(job, inputs, &["model", "against"])?;
        Ok(options)
    });
    let options = match checked {
        Ok(options) => options,
        Err(e) => return Ok(StepEnd::failure(e)),
    };
    let mut arguments = vec!["bench".to_owned()];
    let blocks = job.spec.baseline.as_ref().and_then(|baseline| baseline.blocks);
    // What the gate asked for after it could not tell stands instead of what the workflow says.
    arguments.extend(options.into_iter().filter(|option| blocks.is_none() || !option.starts_with("--blocks=")));
    let mut of_base = false;
    if let (Some(model), None) = (given(inputs, "model"), given(inputs, "against"))
        && let Some(base) = base::file(job, model).await?
    {
        arguments.push(format!("--against={}", base.display()));
        of_base = true;
    }
    let baseline = job.spec.baseline.as_ref();
    if let Some(blocks) = blocks {
        arguments.push(format!("--blocks={blocks}"));
    }
    arguments.push("--json".to_owned());
    let answer = match tool::run(job, call, arguments).await? {
        tool::Answer::Given(answer) => answer,
        tool::Answer::Ended(end) => return Ok(end),
    };
    let mut evaluation: Evaluation =
        serde_json::from_slice(&answer).context("`assay bench` did not answer with a benchmark")?;
    evaluation.name.clone_from(&name);
    if let Some(beside) = &mut evaluation.beside {
        beside.evaluation.name = name;
        if of_base {
            beside.sha = baseline.map(|baseline| baseline.sha.clone());
            beside.evaluation.model.path.clone_from(&evaluation.model.path);
        }
    }
    let end = told(job, &evaluation).await;
    job.evaluations.push(evaluation);
    Ok(end.output("result", String::from_utf8_lossy(&answer).trim()))
}

/// The numbers, to the log and to later steps.
async fn told(job: &mut Job<'_>, evaluation: &Evaluation) -> StepEnd {
    let base = evaluation.beside.as_ref().map(|beside| &beside.evaluation.metrics);
    let mut lines = format!("{}: {} queries on {}", evaluation.name, evaluation.n, evaluation.provider.device);
    let mut end = StepEnd::success();
    for (metric, value) in &evaluation.metrics {
        let beside = base.and_then(|base| base.get(metric)).map_or(String::new(), |base| format!(" (base: {base})"));
        lines.push_str(&format!("\n  {metric} = {value}{beside}"));
        end = end.output(metric, value.to_string());
    }
    for disturbance in evaluation.benchmark.iter().flat_map(|benchmark| &benchmark.disturbances) {
        lines.push_str(&format!("\n##[warning]Disturbed: {disturbance}"));
    }
    job.log.say(&lines).await;
    end
}
