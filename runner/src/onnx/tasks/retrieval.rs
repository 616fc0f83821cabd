//! Which other examples are of an example's class, by the cosine of their embeddings: each example is a query, all
//! others are the documents, and those of its class are relevant.

use std::collections::BTreeMap;

use super::{
    Chunk, Sliced, Target, Task, TaskSetup, Told,
    labels::{Classes, labels},
    pairs::{embedding_output, embeddings},
    ranking::{add, judged, ranked_means, ranked_metrics},
};
use crate::{
    metrics::{
        Mean,
        retrieval::{Metric, Ranked},
    },
    onnx::error::EvalError,
};

/// All are compared with all: more examples would take hours.
const MOST_EXAMPLES: usize = 50_000;

pub(super) struct Retrieval {
    target: Target,
    output: String,
    metrics: Vec<(String, Metric)>,
    asked: Option<Vec<String>>,
    classes: Classes,
    targets: Vec<u32>,
    /// Rows of length 1, so that a product is a cosine.
    embeddings: Vec<f32>,
    width: usize,
    /// For each example, its slices.
    slices: Vec<Vec<Vec<u32>>>,
    gathered: Sliced<Vec<Mean>>,
}

impl Retrieval {
    pub(super) fn new(setup: &TaskSetup) -> Result<Self, EvalError> {
        let (asked, metrics) = ranked_metrics(setup)?;
        Ok(Self {
            target: setup.target(),
            output: embedding_output(setup.outputs)?,
            gathered: Sliced::new(vec![Mean::default(); metrics.len()]),
            metrics,
            asked,
            classes: Classes::default(),
            targets: Vec::new(),
            embeddings: Vec::new(),
            width: 0,
            slices: Vec::new(),
        })
    }

    /// The cosine of an example with every other one, and whether that is of its class.
    fn documents(&self, query: usize) -> (Vec<f64>, Vec<f64>) {
        let own = &self.embeddings[query * self.width..(query + 1) * self.width];
        let others = self.embeddings.chunks(self.width).zip(&self.targets).enumerate();
        others
            .filter(|(other, _)| *other != query)
            .map(|(_, (embedding, target))| {
                let cosine: f32 = own.iter().zip(embedding).map(|(x, y)| x * y).sum();
                (f64::from(u8::from(*target == self.targets[query])), f64::from(cosine))
            })
            .unzip()
    }
}

impl Task for Retrieval {
    fn outputs(&self) -> Vec<String> {
        vec![self.output.clone()]
    }

    fn judge(&mut self, mut chunk: Chunk<'_>, _told: &mut Told) -> Result<(), EvalError> {
        let targets = labels(chunk.targets.remove(0)).map_err(|misfit| self.target.misfit(chunk.first, misfit))?;
        let (embeddings, width) = embeddings(&mut chunk.answers[0], &self.output, chunk.first)?;
        self.width = width;
        self.targets.extend(targets.into_iter().map(|target| self.classes.insert(target)));
        for row in embeddings.chunks(width) {
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            let factor = if norm == 0.0 { 0.0 } else { 1.0 / norm };
            self.embeddings.extend(row.iter().map(|x| (x * factor) as f32));
        }
        for row in 0..chunk.rows {
            self.slices.push(chunk.slices.iter().map(|of_column| vec![of_column[row]]).collect());
        }
        if self.targets.len() > MOST_EXAMPLES {
            return Err(EvalError::Usage(format!("retrieval compares all with all: at most {MOST_EXAMPLES} examples")));
        }
        Ok(())
    }

    fn finish(&mut self, told: &mut Told) -> Result<(), EvalError> {
        for query in 0..self.targets.len() {
            let (gains, scores) = self.documents(query);
            // A query to which nothing is relevant says nothing about the model.
            let relevant = gains.iter().any(|gain| *gain > 0.0);
            let ranked = Ranked::new(&gains, &scores);
            let value = |(_, metric): &(String, Metric)| if relevant { metric.of(&ranked) } else { None };
            let values: Vec<Option<f64>> = self.metrics.iter().map(value).collect();
            self.gathered.add(&self.slices[query], 0, |means| add(means, &values));
            told.say(|| {
                let mut judged = judged(None, &self.metrics, &values);
                judged.target = self.classes.label(self.targets[query]).json();
                judged
            });
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
