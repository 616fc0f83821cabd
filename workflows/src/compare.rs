//! From what jobs measured to what the gate compares: [`Evaluation`] and [`Outcomes`] → [`Side`].

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    evaluation::{Evaluation, Outcome, Outcomes},
    gate::{Example, Side},
};

/// One evaluation as the gate sees it. Without outcomes only exact numbers and bounds can be judged.
///
/// Comparable are evaluations of the same data set on the same kind of device under the same provider. Blocks of
/// a benchmark are compared only where the base's ran beside them: see [`side_beside`].
pub fn side(job: &str, evaluation: &Evaluation, outcomes: Option<&Outcomes>) -> Side {
    let mut metrics = evaluation.metrics.clone();
    metrics.entry("model_bytes".to_owned()).or_insert(evaluation.model.bytes as f64);
    let benchmark = evaluation.benchmark.clone().unwrap_or_default();
    Side {
        name: evaluation.name.clone(),
        job: job.to_owned(),
        like: evaluation.like(),
        model: evaluation.model.digest.to_string(),
        metrics,
        slices: evaluation.slices.clone(),
        examples: outcomes.map(|outcomes| outcomes.examples.iter().map(example).collect()).unwrap_or_default(),
        blocks: if evaluation.beside.is_some() { benchmark.blocks } else { BTreeMap::new() },
        samples: benchmark.samples,
        ..Side::default()
    }
}

/// The base as a step of the head measured it beside its own; none where it did not. `outcomes` are the base's.
pub fn side_beside(job: &str, evaluation: &Evaluation, outcomes: Option<&Outcomes>) -> Option<Side> {
    let base = &evaluation.beside.as_ref()?.evaluation;
    let blocks = base.benchmark.as_ref().map(|benchmark| benchmark.blocks.clone()).unwrap_or_default();
    Some(Side { blocks, ..side(job, base, outcomes) })
}

/// What was measured twice of the base, as if the first time were a change; none where nothing was. `outcomes` are
/// those of both times.
pub fn twice(job: &str, evaluation: &Evaluation, outcomes: [Option<&Outcomes>; 2]) -> Option<(Side, Side)> {
    let first = evaluation.self_check.as_ref()?;
    Some((side(job, first, outcomes[0]), side_beside(job, first, outcomes[1])?))
}

/// The base's sides as they are compared: what a step of the head measured of the base beside its own stands
/// in for what the base's own runs measured under that name, for it was measured under the same conditions.
pub fn with_beside(base: Option<Vec<Side>>, beside: Vec<Side>) -> Option<Vec<Side>> {
    if beside.is_empty() {
        return base;
    }
    let stands_in = |side: &Side| beside.iter().any(|other| other.name == side.name && other.job == side.job);
    let own: Vec<Side> = base.unwrap_or_default().into_iter().filter(|side| !stands_in(side)).collect();
    Some(beside.into_iter().chain(own).collect())
}

/// A side from an outcomes file alone, as `assay compare` has it: metrics that are means over examples
/// are computed from the examples, of all of them and of each slice.
pub fn side_of_outcomes(name: &str, outcomes: &Outcomes) -> Side {
    let like = [("the task", outcomes.header.task.clone()), ("the data set", outcomes.header.dataset.to_string())];
    let examples: Vec<Example> = outcomes.examples.iter().map(example).collect();
    let mut by_slice: BTreeMap<&str, Vec<&Example>> = BTreeMap::new();
    for example in &examples {
        if let Some(slice) = &example.slice {
            by_slice.entry(slice).or_default().push(example);
        }
    }
    let slices = by_slice.into_iter().map(|(slice, examples)| (slice.to_owned(), means(&examples))).collect();
    let mut metrics = means(&examples.iter().collect::<Vec<_>>());
    metrics.extend(crate::gate::recomputed_metrics(&examples));
    Side {
        name: name.to_owned(),
        like: like.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        model: outcomes.header.model.to_string(),
        metrics,
        slices,
        examples,
        ..Side::default()
    }
}

/// Means of the values that every example has.
fn means(examples: &[&Example]) -> BTreeMap<String, f64> {
    let Some(first) = examples.first() else { return BTreeMap::new() };
    let mean = |name: &String| {
        let values: Option<Vec<f64>> = examples.iter().map(|example| example.values.get(name).copied()).collect();
        values.map(|values| (name.clone(), values.iter().sum::<f64>() / values.len() as f64))
    };
    first.values.keys().filter_map(mean).collect()
}

fn example(outcome: &Outcome) -> Example {
    Example {
        id: outcome.id.clone(),
        target: text(&outcome.target),
        prediction: text(&outcome.prediction),
        score: outcome.score,
        values: outcome.values.clone(),
        group: outcome.group.clone(),
        slice: outcome.slice.clone(),
    }
}

/// A label as people write it: `cat`, not `"cat"`.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOMES: &str = r#"
        {"schema":1,"task":"classification","model":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","dataset":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}
        {"id":"1","target":"cat","prediction":"cat","values":{"accuracy":1},"slice":"day"}
        {"id":"2","target":3,"prediction":4,"values":{"accuracy":0},"slice":"night"}
        {"id":"3","target":"dog","prediction":"dog","values":{"accuracy":1},"slice":"night"}"#;

    #[test]
    fn what_was_measured_beside_the_head_stands_in_for_the_bases_own() {
        let side = |name: &str, job: &str, value: f64| Side {
            name: name.to_owned(),
            job: job.to_owned(),
            metrics: BTreeMap::from([("latency_p50".to_owned(), value)]),
            ..Side::default()
        };
        let own = vec![side("bench", "a", 1.0), side("eval", "a", 2.0), side("bench", "b", 3.0)];
        assert_eq!(with_beside(None, Vec::new()), None);
        assert_eq!(with_beside(Some(own.clone()), Vec::new()), Some(own.clone()));
        let both = with_beside(Some(own), vec![side("bench", "a", 9.0)]).unwrap();
        let values: Vec<f64> = both.iter().map(|side| side.metrics["latency_p50"]).collect();
        assert_eq!(values, [9.0, 2.0, 3.0]);
        assert_eq!(with_beside(None, vec![side("bench", "a", 9.0)]).unwrap().len(), 1);
    }

    #[test]
    fn an_outcomes_file_is_a_side() {
        let side = side_of_outcomes("eval", &Outcomes::parse(OUTCOMES).unwrap());
        assert_eq!(side.metrics["accuracy"], 2.0 / 3.0);
        assert_eq!(side.slices["night"]["accuracy"], 0.5);
        assert_eq!((side.examples[0].target.as_str(), side.examples[1].prediction.as_str()), ("cat", "4"));
        assert!(side.metrics.contains_key("f1_macro"));
    }
}
