//! From the data set, chunk by chunk, to what the model takes.

use std::sync::mpsc::{Receiver, SyncSender};

use super::EvalSettings;
use crate::{
    dataset::{Dataset, Reader, Values},
    onnx::{
        columns::{Columns, Ids, Labels},
        error::EvalError,
        inputs::{Converted, Inputs},
        session::Model,
    },
};

/// Rows are read, converted and judged in chunks of about this many bytes, so that small batches cost no more.
const CHUNK_BYTES: usize = 1 << 20;
/// The longest chunk, for narrow rows.
const CHUNK_ROWS: usize = 4096;

/// The batch size that the model itself fixes.
fn fixed_batch(model: &Model) -> Result<Option<usize>, EvalError> {
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

/// How many rows the model is given at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batches {
    pub(super) rows: usize,
    /// Whether the model takes full batches only: the last row is repeated behind the end.
    pub(super) padded: bool,
}

impl Batches {
    pub(super) fn of(settings: &EvalSettings, model: &Model) -> Result<Self, EvalError> {
        let fixed = fixed_batch(model)?;
        Ok(Self { rows: fixed.unwrap_or(settings.batch), padded: fixed.is_some() })
    }
}

/// A multiple of the batch of about [`CHUNK_BYTES`].
fn chunk_rows(batch: usize, row_bytes: usize) -> usize {
    let rows = (CHUNK_BYTES / row_bytes.max(1)).clamp(1, CHUNK_ROWS);
    (rows / batch).max(1) * batch
}

/// A quarter of the longest chunk, in whole batches and at least one.
fn first_chunk(longest: usize, batch: usize) -> usize {
    (longest / 4).max(1).next_multiple_of(batch)
}

/// Rows on their way from the data set to the model.
pub(super) struct Rows<'a> {
    dataset: &'a Dataset,
    columns: &'a Columns,
    sides: &'a [Inputs],
    reader: Box<dyn Reader>,
    batches: Batches,
    /// Rows of the next chunk: fewer at first, so that the model starts soon, then twice as many each time. Not very
    /// few: from the first chunk a task tells probabilities from logits.
    chunk: usize,
    longest: usize,
    ids: Ids,
    done: usize,
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
        dataset: &'a Dataset,
        columns: &'a Columns,
        sides: &'a [Inputs],
        batches: Batches,
    ) -> Result<Self, EvalError> {
        let names: Vec<&str> = sides.iter().flat_map(Inputs::columns).chain(columns.names()).collect();
        let row_bytes = sides.iter().map(Inputs::row_bytes).sum();
        let longest = chunk_rows(batches.rows, row_bytes);
        Ok(Self {
            dataset,
            columns,
            sides,
            reader: dataset.reader(&names)?,
            batches,
            chunk: first_chunk(longest, batches.rows),
            longest,
            ids: Ids::default(),
            done: 0,
        })
    }

    fn read(&mut self) -> Result<Option<Read>, EvalError> {
        let Some(values) = self.reader.read(self.chunk)? else { return Ok(None) };
        self.chunk = (2 * self.chunk).min(self.longest);
        let first = self.done as u64 + 1;
        let widths: usize = self.sides.iter().map(|side| side.columns().len()).sum();
        let rows = values[widths].len();
        let rows = rows / self.dataset.column(self.columns.names()[0]).map_or(1, |target| target.width().max(1));
        let mut values = values.into_iter();
        let padded = if self.batches.padded { rows.next_multiple_of(self.batches.rows) } else { rows };
        let mut sides = Vec::with_capacity(self.sides.len());
        for side in self.sides {
            let of_side: Vec<Values> = values.by_ref().take(side.columns().len()).collect();
            sides.push(side.convert(of_side, rows, first, padded, self.dataset)?);
        }
        let (targets, labels) = self.columns.take(values, self.dataset, self.done, &mut self.ids)?;
        self.done += rows;
        Ok(Some(Read { first, rows, sides, targets, labels }))
    }

    /// Deals chunk after chunk to the sessions in turn, until the end, an error, or nobody who waits for more. The
    /// memory of what comes back serves for the next.
    pub(super) fn deal(mut self, to: &[SyncSender<Result<Read, EvalError>>], spare: &Receiver<Values>) {
        for session in to.iter().cycle() {
            spare.try_iter().for_each(|values| self.reader.recycle(values));
            let Some(read) = self.read().transpose() else { return };
            let failed = read.is_err();
            if session.send(read).is_err() || failed {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_whole_batches_and_never_empty_however_wide_a_row() {
        for batch in [1, 7, 32, 5000] {
            for row_bytes in [0, 4, 256, 600_000, 2 << 20, 64 << 20] {
                let longest = chunk_rows(batch, row_bytes);
                let first = first_chunk(longest, batch);
                assert!((batch..=longest).contains(&first), "{first} of {longest}, batch {batch}, {row_bytes} bytes");
                assert_eq!((first % batch, longest % batch), (0, 0), "batch {batch}, {row_bytes} bytes");
            }
        }
    }
}
