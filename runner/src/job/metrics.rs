//! `$ASSAY_METRICS`: what a step measured itself, in any language. JSON Lines, each
//! `{"metric", "value", "n"}`, or an outcome of one example ([`Outcome`]), optionally with an [`OutcomesHeader`]
//! that has the digests of model and data set. `docs/evaluation.md` tells users.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::Write,
};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use workflows::{
    evaluation::{BlobRef, Evaluation, FileFacts, OUTCOMES_SCHEMA, Outcome, OutcomesHeader, ProviderFacts, Timing},
    ids::Digest,
};

use super::{Job, Scope, StepCall, step};
use crate::archive::digest_file;

#[derive(Deserialize)]
struct MetricLine {
    metric: String,
    value: f64,
    #[serde(default)]
    n: Option<u64>,
}

#[derive(Default)]
struct Measured {
    metrics: BTreeMap<String, f64>,
    n: u64,
    header: Option<OutcomesHeader>,
    outcomes: Vec<Outcome>,
}

fn parse(text: &str) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let mut ids = HashSet::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let mut read = || -> anyhow::Result<()> {
            let value: Value = serde_json::from_str(line)?;
            if value.get("metric").is_some() {
                let line: MetricLine = serde_json::from_value(value)?;
                if measured.metrics.contains_key(&line.metric) {
                    bail!("the metric `{}` was there before", line.metric);
                }
                measured.n = measured.n.max(line.n.unwrap_or(0));
                measured.metrics.insert(line.metric, line.value);
            } else if value.get("schema").is_some() {
                let header: OutcomesHeader = serde_json::from_value(value)?;
                if header.schema != OUTCOMES_SCHEMA {
                    bail!("schema {} is not the one this version reads ({OUTCOMES_SCHEMA})", header.schema);
                }
                if measured.header.replace(header).is_some() {
                    bail!("there is a header already");
                }
            } else if value.get("id").is_some() {
                let outcome: Outcome = serde_json::from_value(value)?;
                // Base and head are paired by it.
                if !ids.insert(outcome.id.clone()) {
                    bail!("the id `{}` was there before", outcome.id);
                }
                measured.outcomes.push(outcome);
            } else {
                bail!("it has neither `metric` nor `id`");
            }
            Ok(())
        };
        read().with_context(|| format!("line {}", number + 1))?;
    }
    // A metric that is a mean over examples need not be said twice.
    let mut sums: BTreeMap<&str, (f64, u64)> = BTreeMap::new();
    for (name, value) in measured.outcomes.iter().flat_map(|outcome| &outcome.values) {
        let (sum, count) = sums.entry(name).or_default();
        *sum += value;
        *count += 1;
    }
    for (name, (sum, count)) in sums {
        measured.metrics.entry(name.to_owned()).or_insert(sum / count as f64);
    }
    measured.n = measured.n.max(measured.outcomes.len() as u64);
    Ok(measured)
}

/// Turns what a step wrote into an evaluation of the job's.
pub(super) async fn collect(job: &mut Job<'_>, _scope: &Scope, call: &StepCall<'_>, text: &str) -> anyhow::Result<()> {
    let measured = parse(text)?;
    let digest = |bytes: &[u8]| Digest::from_sha256(Sha256::digest(bytes).into());
    // Like is compared with like by the data set's digest: without a header, the examples' ids stand for it.
    let ids: String = measured.outcomes.iter().map(|outcome| format!("{}\n", outcome.id)).collect();
    let header = measured.header.unwrap_or_else(|| OutcomesHeader {
        schema: OUTCOMES_SCHEMA,
        task: "custom".to_owned(),
        model: digest(job.spec.checkout.sha.as_str().as_bytes()),
        dataset: digest(ids.as_bytes()),
        classes: Vec::new(),
    });
    let outcomes = if measured.outcomes.is_empty() {
        None
    } else {
        let path = job.directories.private.join(format!("{}.outcomes.jsonl.zst", call.number));
        let mut file = zstd::Encoder::new(File::create(&path)?, 3)?;
        writeln!(file, "{}", serde_json::to_string(&header)?)?;
        for outcome in &measured.outcomes {
            writeln!(file, "{}", serde_json::to_string(outcome)?)?;
        }
        file.finish()?.flush()?;
        let (digest, bytes) = digest_file(&path)?;
        job.host.upload_blob(&digest, &path).await?;
        Some(BlobRef { digest, bytes })
    };
    let file = |digest: Digest| FileFacts { path: "$ASSAY_METRICS".to_owned(), digest, bytes: 0 };
    job.evaluations.push(Evaluation {
        name: step::evaluation_name(job, call.step),
        task: header.task.clone(),
        n: measured.n,
        metrics: measured.metrics,
        per_class: BTreeMap::new(),
        confusion: BTreeMap::new(),
        slices: BTreeMap::new(),
        model: file(header.model.clone()),
        dataset: file(header.dataset.clone()),
        provider: ProviderFacts {
            requested: "custom".to_owned(),
            nodes: BTreeMap::new(),
            device: crate::facts::cpu_name(),
            version: String::new(),
            threads: 0,
        },
        timing: Timing::default(),
        cached: false,
        benchmark: None,
        beside: None,
        self_check: None,
        outcomes,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_and_outcomes_mix() {
        let text = concat!(
            r#"{"metric":"bleu","value":31.5,"n":10}"#,
            "\n",
            r#"{"id":"a","target":1,"prediction":1,"values":{"accuracy":1}}"#,
            "\n",
            r#"{"id":"b","target":1,"prediction":0,"values":{"accuracy":0}}"#,
        );
        let measured = parse(text).unwrap();
        assert_eq!(measured.metrics, BTreeMap::from([("bleu".to_owned(), 31.5), ("accuracy".to_owned(), 0.5)]));
        assert_eq!((measured.n, measured.outcomes.len()), (10, 2));
    }

    #[test]
    fn a_wrong_line_is_named() {
        let message = |text: &str| format!("{:#}", parse(text).err().unwrap());
        assert!(message("{\"metric\":\"a\",\"value\":1}\n{}").starts_with("line 2: it has neither"));
        assert!(message("not json").starts_with("line 1: "));
        let outcome = r#"{"id":"a","target":1,"prediction":1}"#;
        assert_eq!(message(&format!("{outcome}\n{outcome}")), "line 2: the id `a` was there before");
        let metric = r#"{"metric":"a","value":1}"#;
        assert_eq!(message(&format!("{metric}\n{metric}")), "line 2: the metric `a` was there before");
        assert!(message("{\"metric\":\"a\",\"value\":\"x\"}").starts_with("line 1: "));
    }
}
