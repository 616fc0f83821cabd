//! `assay/inspect@v1`: `assay inspect` in a process of its own, since a model is hostile input.
//!
//! Inputs: `model`, `memory`, `against` (without it, the file of the same name in the commit that the job is compared with). A changed signature is an annotation; `model_bytes`, `model_parameters` and
//! `model_nodes` are outputs, and metrics that a gate can judge. The whole answer, JSON, is the output `result`.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use workflows::{
    evaluation::{Evaluation, FileFacts, ProviderFacts, Timing},
    ids::Digest,
    protocol::{Annotation, AnnotationLevel},
    syntax::BuiltinAction,
};

use super::{Inputs, base, given, tool};
use crate::job::{Job, StepCall, StepEnd, step};

/// As much of `assay inspect --json` as is used here.
#[derive(Deserialize)]
struct Inspection {
    model: FileFacts,
    parameters: u64,
    nodes: u64,
    #[serde(default)]
    against: Option<Against>,
}

#[derive(Deserialize)]
struct Against {
    model: FileFacts,
    signature: Vec<String>,
}

pub(super) async fn run(job: &mut Job<'_>, call: &StepCall<'_>, inputs: &Inputs) -> anyhow::Result<StepEnd> {
    if given(inputs, "model").is_none() {
        return Ok(StepEnd::failure("`with.model` is missing"));
    }
    let mut options = inputs.clone();
    let model = options.shift_remove("model").unwrap_or_default();
    let checked = tool::options(&options, BuiltinAction::Inspect.inputs()).and_then(|options| {
        tool::refuse_pointers(job, inputs, &["model", "against"])?;
        Ok(options)
    });
    let mut arguments = match checked {
        Ok(options) => options,
        Err(e) => return Ok(StepEnd::failure(e)),
    };
    if given(inputs, "against").is_none()
        && let Some(base) = base::file(job, model.trim(), None).await?
    {
        arguments.push(format!("--against={}", base.display()));
    }
    arguments.splice(0..0, ["inspect".to_owned(), "--json".to_owned()]);
    arguments.extend(["--".to_owned(), model.trim().to_owned()]);
    let answer = match tool::run(job, call, arguments).await? {
        tool::Answer::Given(answer) => answer,
        tool::Answer::Ended(end) => return Ok(end),
    };
    let inspection: Inspection =
        serde_json::from_slice(&answer).context("`assay inspect` did not answer with an inspection")?;
    let evaluation = evaluation(step::evaluation_name(job, call.step), &inspection);
    let mut end = StepEnd::success();
    let mut lines = inspection.model.path.clone();
    for (metric, value) in &evaluation.metrics {
        lines.push_str(&format!("\n  {metric} = {value}"));
        end = end.output(metric, value.to_string());
    }
    job.log.say(&lines).await;
    for change in inspection.against.iter().flat_map(|against| &against.signature) {
        let against = inspection.against.as_ref().map_or("", |against| against.model.path.as_str());
        let annotation = Annotation {
            path: inspection.model.path.clone(),
            line: 1,
            column: None,
            level: AnnotationLevel::Warning,
            title: Some("The model's signature has changed".to_owned()),
            message: format!("Against {against}, {change}"),
        };
        job.log.annotate(annotation).await;
    }
    job.evaluations.push(evaluation);
    Ok(end.output("result", String::from_utf8_lossy(&answer).trim()))
}

/// Facts about a file, which depend on no data set and no device.
fn evaluation(name: String, inspection: &Inspection) -> Evaluation {
    let metrics = [
        ("model_bytes", inspection.model.bytes),
        ("model_parameters", inspection.parameters),
        ("model_nodes", inspection.nodes),
    ];
    Evaluation {
        name,
        task: "inspect".to_owned(),
        n: 1,
        metrics: metrics.into_iter().map(|(name, value)| (name.to_owned(), value as f64)).collect(),
        per_class: BTreeMap::new(),
        confusion: BTreeMap::new(),
        slices: BTreeMap::new(),
        model: inspection.model.clone(),
        dataset: FileFacts {
            path: String::new(),
            digest: Digest::from_sha256(Sha256::digest(b"no data set").into()),
            bytes: 0,
        },
        provider: ProviderFacts {
            requested: "none".to_owned(),
            nodes: BTreeMap::new(),
            device: "any".to_owned(),
            version: String::new(),
            threads: 0,
        },
        timing: Timing::default(),
        cached: false,
        outcomes: None,
        benchmark: None,
        beside: None,
        self_check: None,
    }
}
