//! The model's answers to a chunk of rows, from one session or from several side by side.

use std::{
    ops::Range,
    sync::mpsc::{Receiver, SyncSender},
    thread,
    time::{Duration, Instant},
};

use super::rows::{Batches, Read};
use crate::onnx::{
    answers::Answers,
    error::EvalError,
    inputs::{Converted, Inputs},
    session::{Model, first_line},
};

/// Sessions of one model, and what is asked of them.
pub(super) struct Sessions {
    pub(super) models: Vec<Model>,
    pub(super) batches: Batches,
    /// Names of the outputs.
    pub(super) wanted: Vec<String>,
    /// Time inside ONNX Runtime.
    pub(super) run: Duration,
}

/// A chunk of rows, and for each side of them what the model said.
pub(super) struct Answered {
    pub(super) read: Read,
    pub(super) answers: Vec<Answers>,
}

impl Sessions {
    /// Answers chunk after chunk, until the end, an error, or nobody who waits for more.
    pub(super) fn answer(
        mut self,
        sides: &[Inputs],
        chunks: Receiver<Result<Read, EvalError>>,
        to: &SyncSender<Result<Answered, EvalError>>,
    ) -> Self {
        for read in chunks {
            let answered = read.and_then(|read| {
                let of_side = |(converted, side)| self.answers(side, converted, &read);
                let answers = read.sides.iter().zip(sides).map(of_side).collect::<Result<_, _>>()?;
                Ok(Answered { read, answers })
            });
            let failed = answered.is_err();
            if to.send(answered).is_err() || failed {
                break;
            }
        }
        self
    }

    /// Runs the model on one side of a chunk: each session takes a run of batches.
    fn answers(&mut self, side: &Inputs, converted: &Converted, read: &Read) -> Result<Answers, EvalError> {
        let Self { batches, wanted, .. } = self;
        let share = read.rows.div_ceil(batches.rows).div_ceil(self.models.len()) * batches.rows;
        let asking = Asking { side, converted, first: read.first, batches: *batches, wanted };
        if let [model] = &mut self.models[..] {
            let (answers, run) = asking.ask(model, 0..read.rows)?;
            self.run += run;
            return Ok(answers);
        }
        let shares = thread::scope(|scope| {
            let asking = &asking;
            let running: Vec<_> = self
                .models
                .iter_mut()
                .enumerate()
                .map(|(session, model)| {
                    let rows = (session * share).min(read.rows)..((session + 1) * share).min(read.rows);
                    scope.spawn(move || asking.ask(model, rows))
                })
                .collect();
            running.into_iter().map(|one| one.join().expect("a session does not panic")).collect::<Result<Vec<_>, _>>()
        })?;
        // Side by side, so that what the slowest took is what passed.
        self.run += shares.iter().map(|(_, run)| *run).max().unwrap_or_default();
        let mut answers = Answers::new(&self.wanted);
        for (more, _) in shares {
            answers.append(more)?;
        }
        Ok(answers)
    }
}

/// One side of a chunk, on its way through the model.
struct Asking<'a> {
    side: &'a Inputs,
    converted: &'a Converted,
    /// Number of the chunk's first row in the data set.
    first: u64,
    batches: Batches,
    wanted: &'a [String],
}

impl Asking<'_> {
    /// Some of the rows, batch by batch, and the time inside ONNX Runtime.
    fn ask(&self, model: &mut Model, rows: Range<usize>) -> Result<(Answers, Duration), EvalError> {
        let mut answers = Answers::new(self.wanted);
        let mut run = Duration::ZERO;
        for start in rows.clone().step_by(self.batches.rows) {
            let count = self.batches.rows.min(rows.end - start);
            let width = if self.batches.padded { self.batches.rows } else { count };
            let failed = |e: ort::Error| {
                let first = self.first + start as u64;
                EvalError::Run { first, last: first + count as u64 - 1, message: first_line(e.message()) }
            };
            let views = self.side.views(self.converted, start..start + width).map_err(failed)?;
            let before = Instant::now();
            let outputs = model.run(&views).map_err(failed)?;
            run += before.elapsed();
            answers.add(&outputs, count, width)?;
            drop(outputs);
            model.end_profile().map_err(failed)?;
        }
        Ok((answers, run))
    }
}
