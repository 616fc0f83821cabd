//! The order of each query's documents: by the model's score, or by the cosine of a pair's embeddings. Rows of one
//! query have one value of the group column; the target is the relevance.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    Chunk, Judged, Sliced, Target, Task, TaskSetup, Told, metrics_of,
    pairs::{cosines, embedding_output},
    refuse_nan,
};
use crate::{
    metrics::{
        Mean,
        retrieval::{Metric, Ranked},
    },
    onnx::{answers::number_output, error::EvalError},
};

/// Usual metrics of ranked lists.
pub(super) const USUAL: [&str; 4] = ["ndcg@10", "recall@1", "recall@10", "mrr"];
const KNOWN: [&str; 5] = ["ndcg", "ndcg@K", "recall@K", "hit@K", "mrr"];

pub(super) struct Ranking {
    target: Target,
    output: String,
    pair: bool,
    metrics: Vec<(String, Metric)>,
    asked: Option<Vec<String>>,
    queries: IndexMap<String, Query>,
    gathered: Sliced<Vec<Mean>>,
}

/// A query's documents. It is of the slices of its first row.
struct Query {
    gains: Vec<f64>,
    scores: Vec<f64>,
    slices: Vec<Vec<u32>>,
}

/// What was asked for, if anything, and the metrics wanted by name.
type Wanted = (Option<Vec<String>>, Vec<(String, Metric)>);

/// The metrics wanted, by name.
pub(super) fn ranked_metrics(setup: &TaskSetup) -> Result<Wanted, EvalError> {
    let asked = setup.check_metrics(&KNOWN, |name| Metric::parse(name).is_some())?;
    let names = asked.clone().unwrap_or_else(|| USUAL.map(str::to_owned).to_vec());
    let metrics = names.into_iter().filter_map(|name| Metric::parse(&name).map(|metric| (name, metric))).collect();
    Ok((asked, metrics))
}

impl Ranking {
    pub(super) fn new(setup: &TaskSetup) -> Result<Self, EvalError> {
        let (asked, metrics) = ranked_metrics(setup)?;
        let output = match setup.pair {
            true => embedding_output(setup.outputs)?,
            false => number_output(setup.outputs, &["score", "logit", "prob", "variable"])?,
        };
        let gathered = Sliced::new(vec![Mean::default(); metrics.len()]);
        let queries = IndexMap::new();
        Ok(Self { target: setup.target(), output, pair: setup.pair, metrics, asked, queries, gathered })
    }
}

impl Task for Ranking {
    fn outputs(&self) -> Vec<String> {
        vec![self.output.clone()]
    }

    fn judge(&mut self, mut chunk: Chunk<'_>, _told: &mut Told) -> Result<(), EvalError> {
        let gains = self.target.numbers(chunk.first, chunk.targets.remove(0))?;
        if let Some(row) = gains.iter().position(|gain| *gain < 0.0) {
            return Err(self
                .target
                .error(chunk.first + row as u64, format!("a relevance of {} is below 0", gains[row])));
        }
        let scores = if self.pair {
            cosines(&mut chunk.answers, &self.output, chunk.first)?
        } else {
            let answer = chunk.answers[0].take(&self.output)?;
            if answer.width != 1 {
                let message =
                    format!("the output `{}` has {} numbers a row; ranking takes one", self.output, answer.width);
                return Err(EvalError::Usage(message));
            }
            answer.numbers()?
        };
        refuse_nan(&scores, 1, chunk.first)?;
        let groups = chunk.groups.ok_or_else(|| {
            EvalError::Usage("ranking needs the column that tells queries apart: name it with `group`".to_owned())
        })?;
        for (row, ((gain, score), query)) in gains.into_iter().zip(scores).zip(groups).enumerate() {
            if !self.queries.contains_key(query) {
                let slices = chunk.slices.iter().map(|of_column| vec![of_column[row]]).collect();
                self.queries.insert(query.clone(), Query { gains: Vec::new(), scores: Vec::new(), slices });
            }
            let query = &mut self.queries[query];
            query.gains.push(gain);
            query.scores.push(score);
        }
        Ok(())
    }

    fn finish(&mut self, told: &mut Told) -> Result<(), EvalError> {
        for (name, query) in &self.queries {
            let ranked = Ranked::new(&query.gains, &query.scores);
            let values: Vec<Option<f64>> = self.metrics.iter().map(|(_, metric)| metric.of(&ranked)).collect();
            self.gathered.add(&query.slices, 0, |means| add(means, &values));
            told.say(|| judged(Some(name.clone()), &self.metrics, &values));
        }
        Ok(())
    }

    fn metrics(&self, slice: Option<usize>) -> Result<BTreeMap<String, f64>, EvalError> {
        ranked_means(self.asked.as_deref(), &self.metrics, slice, self.gathered.get(slice))
    }

    fn count(&self, slice: usize) -> u64 {
        self.gathered.count(slice)
    }
}

pub(super) fn add(means: &mut [Mean], values: &[Option<f64>]) {
    for (mean, value) in means.iter_mut().zip(values) {
        if let Some(value) = value {
            mean.add(*value, 1.0);
        }
    }
}

/// One query's judgement: by its own id, or the next row's.
pub(super) fn judged(id: Option<String>, metrics: &[(String, Metric)], values: &[Option<f64>]) -> Judged {
    let values = metrics.iter().zip(values).filter_map(|((name, _), value)| Some((name.clone(), (*value)?)));
    Judged { id, target: Value::Null, prediction: Value::Null, score: None, values: values.collect() }
}

pub(super) fn ranked_means(
    asked: Option<&[String]>,
    metrics: &[(String, Metric)],
    slice: Option<usize>,
    means: &[Mean],
) -> Result<BTreeMap<String, f64>, EvalError> {
    let names: Vec<&str> = metrics.iter().map(|(name, _)| name.as_str()).collect();
    metrics_of(asked, &names, slice, |name| {
        Ok(names.iter().position(|known| *known == name).and_then(|index| means[index].get()))
    })
}
