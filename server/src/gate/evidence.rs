//! What runs have measured, as the gate compares it.

use std::collections::BTreeMap;

use anyhow::Context;
use workflows::{
    compare,
    evaluation::{BlobRef, Evaluation, Outcomes},
    gate::Side,
    ids::{Digest, Sha},
    report::Ran,
    run::Conclusion,
};

use super::{Failure, baseline::is_trusted, wording};
use crate::{app::App, runs, store::records::Run};

/// The evaluations of a commit's runs.
#[derive(Default)]
pub(super) struct Evidence {
    pub(super) sides: Vec<Side>,
    /// What these runs measured of a base, beside their own; of which commit, where the step did not name a file.
    pub(super) beside: Vec<(Option<Sha>, Side)>,
    pub(super) benchmarks: Vec<Benchmarked>,
    /// What trusted runs measured twice of the base, and the newest of them.
    pub(super) twice: Vec<(Side, Side)>,
    pub(super) twice_in: Option<u64>,
    /// One for each side.
    pub(super) ran: Vec<Ran>,
    /// Job and evaluation → data set.
    pub(super) datasets: BTreeMap<String, Digest>,
    /// A job that ended before it could evaluate.
    pub(super) failed_job: Option<(String, Conclusion, Option<String>)>,
}

/// A benchmark that took turns with the base.
pub(super) struct Benchmarked {
    pub(super) run: u64,
    pub(super) evaluation: String,
    pub(super) disturbances: Vec<String>,
}

pub(super) async fn load(app: &App, runs: &[Run]) -> Result<Evidence, Failure> {
    let mut evidence = Evidence::default();
    for run in runs {
        for job in runs::jobs(app, run).await? {
            let name = job.record.planned.name;
            let Some(result) = job.record.result else { continue };
            if !result.conclusion.passes() && evidence.failed_job.is_none() {
                evidence.failed_job = Some((name.clone(), result.conclusion, result.summary));
            }
            for evaluation in result.evaluations {
                let key = job.record.id.key.as_str();
                // Pairs are made by name and job: the first of both stands for them.
                if evidence.sides.iter().any(|side| side.name == evaluation.name && side.job == key) {
                    continue;
                }
                if let Some(first) = evaluation.self_check.as_deref().filter(|_| is_trusted(run)) {
                    let second = match &first.beside {
                        Some(second) => outcomes(app, &second.evaluation).await?,
                        None => None,
                    };
                    let first = outcomes(app, first).await?;
                    evidence.twice.extend(compare::twice(key, &evaluation, [first.as_ref(), second.as_ref()]));
                    evidence.twice_in = Some(run.number);
                }
                let outcomes = outcomes(app, &evaluation).await?;
                if let Some(beside) = &evaluation.beside {
                    let outcomes = self::outcomes(app, &beside.evaluation).await?;
                    let side = compare::side_beside(key, &evaluation, outcomes.as_ref());
                    evidence.beside.extend(side.map(|side| (beside.sha.clone(), side)));
                }
                if let (Some(benchmark), true) = (&evaluation.benchmark, evaluation.beside.is_some()) {
                    evidence.benchmarks.push(Benchmarked {
                        run: run.number,
                        evaluation: evaluation.name.clone(),
                        disturbances: benchmark.disturbances.clone(),
                    });
                }
                evidence.sides.push(compare::side(key, &evaluation, outcomes.as_ref()));
                let url = |side| app.outcomes_url(&run.repo, run.number, &job.record.id.key, &evaluation.name, side);
                let beside = evaluation.beside.as_ref().and_then(|beside| beside.evaluation.outcomes.as_ref());
                evidence.ran.push(Ran {
                    head_outcomes: evaluation.outcomes.as_ref().map(|_| url("head")),
                    base_outcomes: beside.map(|_| url("base")),
                    ..wording::ran(&name, &evaluation, result.isolation)
                });
                evidence.datasets.insert(format!("{key}/{}", evaluation.name), evaluation.dataset.digest.clone());
            }
        }
    }
    Ok(evidence)
}

/// None where none were kept, or the blob is gone (retention) or unreadable: then the bounds on numbers still judge.
async fn outcomes(app: &App, evaluation: &Evaluation) -> Result<Option<Outcomes>, Failure> {
    let Some(BlobRef { digest, .. }) = &evaluation.outcomes else { return Ok(None) };
    let Some(bytes) = app.blobs.get(digest).await.context("reading outcomes failed")? else { return Ok(None) };
    let parsed = tokio::task::spawn_blocking(move || read(&bytes)).await.context("reading outcomes failed")?;
    match parsed {
        Ok(outcomes) => Ok(Some(outcomes)),
        Err(reason) => {
            tracing::warn!(%digest, reason, "outcomes cannot be read");
            Ok(None)
        }
    }
}

/// Largest outcomes file that is read: a hostile runner might compress much into little.
const MOST_BYTES: u64 = 512 * 1024 * 1024;

fn read(bytes: &[u8]) -> Result<Outcomes, String> {
    use std::io::Read;
    const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let mut text = String::new();
    let read = match bytes.starts_with(&ZSTD_MAGIC) {
        true => zstd::stream::read::Decoder::new(bytes)
            .and_then(|decoder| decoder.take(MOST_BYTES).read_to_string(&mut text)),
        false => (&mut &*bytes).take(MOST_BYTES).read_to_string(&mut text),
    };
    read.map_err(|error| error.to_string())?;
    Outcomes::parse(&text).map_err(|error| error.to_string())
}
