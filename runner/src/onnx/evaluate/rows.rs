//! From the data set, chunk by chunk, through the model.

use std::{
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use super::EvalSettings;
use crate::{
    dataset::{Dataset, Reader, Values},
    onnx::{
        answers::Answers,
        columns::{Columns, Ids, Labels, Slices},
        error::EvalError,
        inputs::{Converted, Inputs},
        session::{Model, first_line},
    },
};

/// Rows are read, converted and judged in chunks of about this many bytes, so that small batches cost no more.
const CHUNK_BYTES: usize = 4 << 20;
/// The longest chunk, for narrow rows.
const CHUNK_ROWS: usize = 4096;

/// The batch size that the model itself fixes.
pub(super) fn fixed_batch(model: &Model) -> Result<Option<usize>, EvalError> {
    let mut fixed = model.inputs().iter().filter_map(|port| port.tensor.as_ref()?.shape.first().copied()?);
    let first = fixed.next();
    match first {
        Some(0) => Err(EvalError::Usage("the model's inputs have a batch of 0".to_owned())),
        Some(size) if fixed.any(|other| other != size) => {
            Err(EvalError::Usage("the model's inputs have different fixed batch sizes".to_owned()))
        }
        first => Ok(first),
    }
}

/// A multiple of the batch of about [`CHUNK_BYTES`].
fn chunk_rows(batch: usize, row_bytes: usize) -> usize {
    let rows = (CHUNK_BYTES / row_bytes.max(1)).clamp(1, CHUNK_ROWS);
    (rows / batch).max(1) * batch
}

/// Rows on their way from the data set to the model.
pub(super) struct Rows<'a> {
    dataset: &'a Dataset,
    columns: &'a Columns,
    sides: &'a [Inputs],
    reader: Box<dyn Reader>,
    batch: usize,
    /// Whether the model takes full batches only: the last row is repeated behind the end.
    padded: bool,
    chunk: usize,
    ids: Ids,
    pub(super) slices: Slices,
    pub(super) done: usize,
    /// Time inside ONNX Runtime.
    pub(super) run: Duration,
}

/// A chunk of rows as the model takes them.
pub(super) struct Read {
    pub(super) first: u64,
    pub(super) rows: usize,
    pub(super) sides: Vec<Converted>,
    pub(super) targets: Vec<Values>,
    pub(super) labels: Labels,
}

impl<'a> Rows<'a> {
    pub(super) fn start(
        settings: &EvalSettings,
        dataset: &'a Dataset,
        columns: &'a Columns,
        sides: &'a [Inputs],
        fixed_batch: Option<usize>,
    ) -> Result<Self, EvalError> {
        let batch = fixed_batch.unwrap_or(settings.batch);
        let names: Vec<&str> = sides.iter().flat_map(Inputs::columns).chain(columns.names()).collect();
        Ok(Self {
            dataset,
            columns,
            sides,
            reader: dataset.reader(&names)?,
            batch,
            padded: fixed_batch.is_some(),
            chunk: settings.sessions as usize * chunk_rows(batch, sides.iter().map(Inputs::row_bytes).sum()),
            ids: Ids::default(),
            slices: Slices::new(settings),
            done: 0,
            run: Duration::ZERO,
        })
    }

    pub(super) fn next(&mut self) -> Result<Option<Read>, EvalError> {
        let Some(values) = self.reader.read(self.chunk)? else { return Ok(None) };
        let first = self.done as u64 + 1;
        let widths: usize = self.sides.iter().map(|side| side.columns().len()).sum();
        let rows = values[widths].len();
        let rows = rows / self.dataset.column(self.columns.names()[0]).map_or(1, |target| target.width().max(1));
        let mut values = values.into_iter();
        let padded = if self.padded { rows.next_multiple_of(self.batch) } else { rows };
        let mut sides = Vec::with_capacity(self.sides.len());
        for side in self.sides {
            let of_side: Vec<Values> = values.by_ref().take(side.columns().len()).collect();
            sides.push(side.convert(of_side, rows, first, padded, self.dataset)?);
        }
        let (targets, labels) = self.columns.take(values, rows, self.dataset, self.done, &mut self.ids)?;
        self.done += rows;
        Ok(Some(Read { first, rows, sides, targets, labels }))
    }

    /// Runs the model on one side of a chunk: each session takes a run of batches.
    pub(super) fn answers(
        &mut self,
        models: &mut [Model],
        side: &Inputs,
        converted: &Converted,
        read: &Read,
        wanted: &[String],
    ) -> Result<Answers, EvalError> {
        let share = read.rows.div_ceil(self.batch).div_ceil(models.len()) * self.batch;
        let asking = Asking { side, converted, first: read.first, batch: self.batch, padded: self.padded, wanted };
        if let [model] = models {
            let (answers, run) = asking.ask(model, 0..read.rows)?;
            self.run += run;
            return Ok(answers);
        }
        let shares = thread::scope(|scope| {
            let asking = &asking;
            let running: Vec<_> = models
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
        let mut answers = Answers::new(wanted);
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
    batch: usize,
    padded: bool,
    wanted: &'a [String],
}

impl Asking<'_> {
    /// Some of the rows, batch by batch, and the time inside ONNX Runtime.
    fn ask(&self, model: &mut Model, rows: Range<usize>) -> Result<(Answers, Duration), EvalError> {
        let mut answers = Answers::new(self.wanted);
        let mut run = Duration::ZERO;
        for start in rows.clone().step_by(self.batch) {
            let count = self.batch.min(rows.end - start);
            let width = if self.padded { self.batch } else { count };
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
