//! How alike the two of a pair are: the cosine of their embeddings, against people's judgement.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Chunk, Judged, Sliced, Target, Task, TaskSetup, Told, metrics_of,
    pairs::{cosines, embedding_output},
    regression::Numbers,
};
use crate::onnx::error::EvalError;

/// Only the order of cosines, or their linear relation, means something.
const METRICS: [&str; 2] = ["pearson", "spearman"];

pub(super) struct Similarity {
    target: Target,
    output: String,
    asked: Option<Vec<String>>,
    gathered: Sliced<Numbers>,
}

impl Similarity {
    pub(super) fn new(setup: &TaskSetup) -> Result<Self, EvalError> {
        if !setup.pair {
            let message = "similarity compares two of each row: name the other one's columns with `pair`";
            return Err(EvalError::Usage(message.to_owned()));
        }
        Ok(Self {
            target: setup.target(),
            output: embedding_output(setup.outputs)?,
            asked: setup.check_metrics(&METRICS, |name| METRICS.contains(&name))?,
            gathered: Sliced::new(Numbers::default()),
        })
    }
}

impl Task for Similarity {
    fn outputs(&self) -> Vec<String> {
        vec![self.output.clone()]
    }

    fn judge(&mut self, mut chunk: Chunk<'_>, told: &mut Told) -> Result<(), EvalError> {
        let targets = self.target.numbers(chunk.first, chunk.targets.remove(0))?;
        let cosines = cosines(&mut chunk.answers, &self.output, chunk.first)?;
        for (row, (target, cosine)) in targets.into_iter().zip(cosines).enumerate() {
            self.gathered.add(chunk.slices, row, |numbers| numbers.add(target, cosine));
            told.say(|| Judged {
                id: None,
                target: Value::from(target),
                prediction: Value::from(cosine),
                score: None,
                values: BTreeMap::new(),
            });
        }
        Ok(())
    }

    fn metrics(&self, slice: Option<usize>) -> Result<BTreeMap<String, f64>, EvalError> {
        metrics_of(self.asked.as_deref(), &METRICS, slice, |name| Ok(self.gathered.get(slice).metric(name)))
    }

    fn count(&self, slice: usize) -> u64 {
        self.gathered.count(slice)
    }
}
