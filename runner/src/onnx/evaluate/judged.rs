//! From judgements to the outcomes file.

use std::collections::VecDeque;

use workflows::evaluation::{BlobRef, Outcome, OutcomesHeader};

use super::{EvalSettings, rows::Read};
use crate::onnx::{
    columns::Slices,
    error::EvalError,
    outcomes::OutcomesWriter,
    tasks::{TaskKind, Told},
};

/// Judgements on their way to the outcomes file.
pub(super) struct Outcomes<'a> {
    settings: &'a EvalSettings,
    writer: Option<OutcomesWriter>,
    /// Rows whose judgement is still to come: id, group and slice.
    waiting: VecDeque<(String, Option<String>, Option<String>)>,
}

impl<'a> Outcomes<'a> {
    pub(super) fn new(settings: &'a EvalSettings) -> Self {
        Self { settings, writer: None, waiting: VecDeque::new() }
    }

    /// Writes what was judged; `rows` are those of this chunk.
    pub(super) fn write(
        &mut self,
        told: &mut Told,
        header: impl FnOnce() -> Result<OutcomesHeader, EvalError>,
        rows: Option<(&Read, &Slices)>,
    ) -> Result<(), EvalError> {
        let Some(path) = &self.settings.outcomes else { return Ok(()) };
        // Ranking judges queries, which have names of their own.
        if let Some((Read { first, rows, labels, .. }, slices)) =
            rows.filter(|_| self.settings.task != TaskKind::Ranking)
        {
            let group = |row: usize| labels.groups.as_ref().map(|groups| groups[row].clone());
            let id = |row: usize| match &labels.ids {
                Some(ids) => ids[row].clone(),
                None => (first - 1 + row as u64).to_string(),
            };
            self.waiting.extend((0..*rows).map(|row| (id(row), group(row), slices.of_row(labels, row))));
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(OutcomesWriter::create(path, &header()?)?),
        };
        for judged in told.judged.drain(..) {
            let (id, group, slice) = match judged.id {
                Some(id) => (id, None, None),
                None => self.waiting.pop_front().expect("a row for each judgement"),
            };
            writer.write(&Outcome {
                id,
                target: judged.target,
                prediction: judged.prediction,
                score: judged.score,
                values: judged.values,
                group,
                slice,
            })?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Option<BlobRef>, EvalError> {
        self.writer.map(OutcomesWriter::finish).transpose()
    }
}
