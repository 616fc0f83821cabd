//! The model's answers to chunk after chunk, from one session or from several side by side.

use std::{
    sync::mpsc::{Receiver, SyncSender},
    time::{Duration, Instant},
};

use super::rows::{Batches, Read};
use crate::onnx::{
    answers::Answers,
    error::EvalError,
    inputs::{Converted, Inputs},
    session::{Model, first_line},
};

/// One session, and what is asked of it.
pub(super) struct Session {
    pub(super) model: Model,
    pub(super) batches: Batches,
    /// Names of the outputs.
    pub(super) wanted: Vec<String>,
    pub(super) spent: Spent,
}

/// Where a session's time went; what it waited for rows and for the judge is in neither.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    /// Inside ONNX Runtime.
    pub(super) run: Duration,
    /// From rows to answers, ONNX Runtime included.
    pub(super) answering: Duration,
}

/// A chunk of rows, and for each side of them what the model said.
pub(super) struct Answered {
    pub(super) read: Read,
    pub(super) answers: Vec<Answers>,
}

impl Session {
    /// Answers chunk after chunk, until the end, an error, or nobody who waits for more.
    pub(super) fn answer(
        mut self,
        sides: &[Inputs],
        chunks: Receiver<Result<Read, EvalError>>,
        to: &SyncSender<Result<Answered, EvalError>>,
    ) -> Self {
        for read in chunks {
            let before = Instant::now();
            let answered = read.and_then(|read| {
                let of_side = |(converted, side)| self.answers(side, converted, &read);
                let answers = read.sides.iter().zip(sides).map(of_side).collect::<Result<_, _>>()?;
                Ok(Answered { read, answers })
            });
            self.spent.answering += before.elapsed();
            let failed = answered.is_err();
            if to.send(answered).is_err() || failed {
                break;
            }
        }
        self
    }

    /// Runs the model on one side of a chunk, batch by batch.
    fn answers(&mut self, side: &Inputs, converted: &Converted, read: &Read) -> Result<Answers, EvalError> {
        let mut answers = Answers::new(&self.wanted);
        for start in (0..read.rows).step_by(self.batches.rows) {
            let count = self.batches.rows.min(read.rows - start);
            let width = if self.batches.padded { self.batches.rows } else { count };
            let failed = |e: ort::Error| {
                let first = read.first + start as u64;
                EvalError::Run { first, last: first + count as u64 - 1, message: first_line(e.message()) }
            };
            let views = side.views(converted, start..start + width).map_err(failed)?;
            let before = Instant::now();
            let outputs = self.model.run(&views).map_err(failed)?;
            self.spent.run += before.elapsed();
            answers.add(&outputs, count, width)?;
            drop(outputs);
            self.model.end_profile().map_err(failed)?;
        }
        Ok(answers)
    }
}
