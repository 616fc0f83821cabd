//! `assay/bench@v1`: `assay bench` in a process of its own, since a model is hostile input.
//!
//! Inputs are the options of `assay bench`. Without `against`, the model of the same name in the commit that the
//! job is compared with is timed in turns with the head's. Outputs: each metric under its name, and the whole
//! answer, JSON, as `result`.

use anyhow::Context;
use workflows::{evaluation::Evaluation, run::Conclusion, syntax::BuiltinAction};

use super::{Inputs, base, given, models, tool};
use crate::job::{Job, StepCall, StepEnd, step};

pub(super) async fn run(job: &mut Job<'_>, call: &StepCall<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    let name = given(inputs, "name").map_or_else(|| step::evaluation_name(job, call.step), str::to_owned);
    let mut rest = inputs.clone();
    rest.shift_remove("name");
    let checked = tool::options(&rest, BuiltinAction::Bench.inputs()).and_then(|options| {
        tool::refuse_pointers(job, inputs, &["model", "against"])?;
        Ok(options)
    });
    let options = match checked {
        Ok(options) => options,
        Err(e) => return Ok(StepEnd::failure(e)),
    };
    let blocks = job.spec.baseline.as_ref().and_then(|baseline| baseline.blocks);
    // What the gate asked for after it could not tell stands instead of what the workflow says.
    let mut options: Vec<String> =
        options.into_iter().filter(|option| blocks.is_none() || !option.starts_with("--blocks=")).collect();
    let base = match (given(inputs, "model"), given(inputs, "against")) {
        (Some(model), None) => base::file(job, model, Some(&name)).await?.map(|file| file.display().to_string()),
        (Some(_) | None, _) => None,
    };
    let own = arguments(&options, base.as_deref(), blocks);
    let answer = match tool::run(job, call, own).await? {
        tool::Answer::Given(answer) => answer,
        tool::Answer::Ended(end) => return Ok(end),
    };
    let mut evaluation = read(&answer)?;
    evaluation.name.clone_from(&name);
    if let Some(model) = given(inputs, "model") {
        models::keep(job, model, &evaluation.model.digest).await;
    }
    if let Some(beside) = &mut evaluation.beside {
        beside.evaluation.name.clone_from(&name);
        if base.is_some() {
            beside.sha = job.spec.baseline.as_ref().map(|baseline| baseline.sha.clone());
            beside.evaluation.model.path.clone_from(&evaluation.model.path);
        }
    }
    if let Some(base) = base {
        options.retain(|option| !option.starts_with("--model="));
        options.push(format!("--model={base}"));
        match twice(job, call, arguments(&options, Some(&base), blocks), &evaluation).await? {
            Ok(twice) => evaluation.self_check = twice.map(Box::new),
            Err(end) => return Ok(end),
        }
    }
    let end = told(job, &evaluation).await;
    job.evaluations.push(evaluation);
    Ok(end.output("result", String::from_utf8_lossy(&answer).trim()))
}

fn arguments(options: &[String], against: Option<&str>, blocks: Option<u32>) -> Vec<String> {
    let mut arguments = vec!["bench".to_owned()];
    arguments.extend_from_slice(options);
    arguments.extend(against.map(|model| format!("--against={model}")));
    arguments.extend(blocks.map(|blocks| format!("--blocks={blocks}")));
    arguments.push("--json".to_owned());
    arguments
}

fn read(answer: &[u8]) -> anyhow::Result<Evaluation> {
    serde_json::from_slice(answer).context("`assay bench` did not answer with a benchmark")
}

/// The base's model in turns with itself, where this run is one of those that check the gate. None where that
/// cannot be measured; an end where the step was stopped.
async fn twice(
    job: &mut Job<'_>,
    call: &StepCall<'_>,
    arguments: Vec<String>,
    head: &Evaluation,
) -> anyhow::Result<Result<Option<Evaluation>, StepEnd>> {
    let Some(baseline) = job.spec.baseline.as_ref().filter(|baseline| baseline.self_check) else { return Ok(Ok(None)) };
    let sha = baseline.sha.clone();
    job.log.say(&format!("Timing the model of the base, {}, against itself, to check the gate", sha.short())).await;
    let mut first = match tool::run(job, call, arguments).await? {
        tool::Answer::Given(answer) => read(&answer)?,
        tool::Answer::Ended(end) if end.conclusion == Conclusion::Failure => {
            let why = end.message.unwrap_or_default();
            job.log.say(&format!("##[warning]The gate is not checked: the base's model cannot be timed: {why}")).await;
            return Ok(Ok(None));
        }
        tool::Answer::Ended(end) => return Ok(Err(end)),
    };
    if let Some(second) = &mut first.beside {
        second.sha = Some(sha);
        called_as(&mut second.evaluation, head);
    }
    called_as(&mut first, head);
    Ok(Ok(Some(first)))
}

/// Under the head's names, and without measurements that only fixed bounds are judged by.
fn called_as(base: &mut Evaluation, head: &Evaluation) {
    base.name.clone_from(&head.name);
    base.model.path.clone_from(&head.model.path);
    base.benchmark.iter_mut().for_each(|benchmark| benchmark.samples.clear());
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
