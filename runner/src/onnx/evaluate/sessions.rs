//! The model's answers to chunk after chunk, from one session or from several side by side.

use std::{
    sync::mpsc::{Receiver, Sender, SyncSender},
    time::{Duration, Instant},
};

use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, SessionOutputs};

use super::rows::{Batches, Read};
use crate::{
    dataset::Values,
    onnx::{
        answers::{Answers, are_of_one_size},
        error::EvalError,
        inputs::{Converted, Inputs},
        session::{Model, Provider, first_line},
    },
};

/// One session, and what is asked of it.
pub(super) struct Session {
    /// Before the model, which gave it, it must go.
    memory: Memory,
    pub(super) model: Model,
    pub(super) spent: Spent,
    batches: Batches,
    /// Names of the outputs.
    wanted: Vec<String>,
}

/// Memory of the outputs. Where every full batch gives as much, that of the first one serves all others, which saves
/// 0.2 µs a run: what counts where a run takes a few.
enum Memory {
    /// A run makes its own.
    Fresh,
    /// The next full batch's is kept.
    ToKeep,
    Kept(RunOptions<HasSelectedOutputs>),
}

impl Memory {
    fn keep(outputs: &mut SessionOutputs<'_>, wanted: &[String]) -> ort::Result<Self> {
        let mut selected = OutputSelector::no_default();
        for name in wanted {
            selected = selected.with(name);
            if let Some(value) = outputs.remove(name) {
                selected = selected.preallocate(name, value);
            }
        }
        Ok(Self::Kept(RunOptions::new()?.with_outputs(selected)))
    }
}

/// Where a session's time went; what it waited for rows and for the judge is in none of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    /// Inside ONNX Runtime.
    pub(super) run: Duration,
    /// From rows to answers, ONNX Runtime included.
    pub(super) answering: Duration,
    /// Reading from the profile, once, where the nodes ran.
    proving: Duration,
}

/// A chunk of rows, and for each side of them what the model said.
pub(super) struct Answered {
    pub(super) read: Read,
    pub(super) answers: Vec<Answers>,
}

impl Session {
    pub(super) fn new(model: Model, provider: Provider, batches: Batches, wanted: Vec<String>) -> Self {
        // A GPU's outputs are brought to the processor by ONNX Runtime, into memory of its choice.
        let kept = !provider.is_gpu() && are_of_one_size(model.outputs(), &wanted);
        let memory = if kept { Memory::ToKeep } else { Memory::Fresh };
        Self { memory, model, spent: Spent::default(), batches, wanted }
    }

    /// Answers chunk after chunk, until the end, an error, or nobody who waits for more. What the model was given goes
    /// back to `spare`.
    pub(super) fn answer(
        mut self,
        sides: &[Inputs],
        chunks: Receiver<Result<Read, EvalError>>,
        to: &SyncSender<Result<Answered, EvalError>>,
        spare: &Sender<Values>,
    ) -> Self {
        for read in chunks {
            let before = Instant::now();
            let answered = read.and_then(|mut read| {
                let of_side = |(converted, side)| self.answers(side, converted, &read);
                let answers = read.sides.iter().zip(sides).map(of_side).collect::<Result<_, _>>()?;
                for values in read.sides.drain(..).flat_map(Converted::into_values) {
                    // Nobody reads any more once the last chunk was read.
                    let _ = spare.send(values);
                }
                Ok(Answered { read, answers })
            });
            self.spent.answering += before.elapsed();
            let failed = answered.is_err();
            if to.send(answered).is_err() || failed {
                break;
            }
        }
        self.spent.answering = self.spent.answering.saturating_sub(self.spent.proving);
        self
    }

    /// Runs the model on one side of a chunk, batch by batch.
    fn answers(&mut self, side: &Inputs, converted: &Converted, read: &Read) -> Result<Answers, EvalError> {
        let mut answers = Answers::new(&self.wanted, read.rows);
        let mut views = Vec::new();
        for start in (0..read.rows).step_by(self.batches.rows) {
            let count = self.batches.rows.min(read.rows - start);
            let width = if self.batches.padded { self.batches.rows } else { count };
            let failed = |e: ort::Error| {
                let first = read.first + start as u64;
                EvalError::Run { first, last: first + count as u64 - 1, message: first_line(e.message()) }
            };
            side.view(converted, start..start + width, &mut views).map_err(failed)?;
            let before = Instant::now();
            let mut outputs = match &self.memory {
                Memory::Kept(options) if width == self.batches.rows => self.model.run_into(&views, options),
                Memory::Fresh | Memory::ToKeep | Memory::Kept(_) => self.model.run(&views),
            }
            .map_err(failed)?;
            self.spent.run += before.elapsed();
            answers.add(&outputs, count, width)?;
            if matches!(self.memory, Memory::ToKeep) && width == self.batches.rows {
                let kept = Memory::keep(&mut outputs, &self.wanted).map_err(failed)?;
                drop(outputs);
                self.memory = kept;
            } else {
                drop(outputs);
            }
            if self.model.is_profiled() {
                let before = Instant::now();
                self.model.end_profile().map_err(failed)?;
                self.spent.proving += before.elapsed();
            }
        }
        Ok(answers)
    }
}
