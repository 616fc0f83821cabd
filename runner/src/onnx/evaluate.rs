//! One model on one data set: the loop from rows to metrics.

use std::{
    collections::VecDeque,
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use workflows::{
    evaluation::{Evaluation, FileFacts, OUTCOMES_SCHEMA, Outcome, OutcomesHeader, ProviderFacts, Timing},
    ids::Digest,
};

pub use super::settings::{DEFAULT_BATCH, EvalSettings};
use super::{
    answers::Answers,
    columns::{Columns, Ids, Labels, Slices},
    error::EvalError,
    facts::device_name,
    inputs::{Converted, Given, Inputs},
    inspect::ModelFile,
    outcomes::OutcomesWriter,
    runtime::Runtime,
    session::{Model, SessionOptions, first_line},
    tasks::{Chunk, TaskKind, TaskSetup, Told, task},
};
use crate::dataset::{Dataset, Values};

/// Rows are read, converted and judged in chunks of about this many bytes, so that small batches cost no more.
const CHUNK_BYTES: usize = 4 << 20;
/// The longest chunk, for narrow rows.
const CHUNK_ROWS: usize = 4096;

/// Evaluates a model on a data set. The outcomes file, where one is asked for, appears only complete.
pub fn evaluate(runtime: &Runtime, settings: &EvalSettings) -> Result<Evaluation, EvalError> {
    let started = Instant::now();
    if settings.batch == 0 || settings.threads == 0 || settings.sessions == 0 {
        return Err(EvalError::Usage("batch, threads and sessions must be at least 1".to_owned()));
    }
    if settings.task == TaskKind::TextClassification && settings.tokenizer.is_none() {
        return Err(EvalError::Usage("text-classification needs a `tokenizer`, a tokenizer.json".to_owned()));
    }
    let dataset = Dataset::open(&settings.dataset)?;
    let columns = Columns::find(settings, &dataset)?;
    let file = ModelFile::examine(&settings.model)?;
    let model_facts = file.facts().clone();

    let loading = Instant::now();
    let options = SessionOptions { provider: settings.provider, device: settings.device, threads: settings.threads };
    let mut models = Model::open_several(runtime, &file, &options, settings.sessions)?;
    let model = &models[0];
    let load = loading.elapsed();

    let sides = sides(settings, model, &dataset, &columns)?;
    let images = Images::look(&dataset, &sides)?;
    let dataset_facts = dataset_facts(&dataset, &images)?;
    let batch = fixed_batch(model)?;
    let metrics: Option<Vec<String>> =
        settings.metrics.as_ref().map(|names| names.iter().filter(|name| *name != "model_bytes").cloned().collect());
    let mut task = task(&TaskSetup {
        kind: settings.task,
        metrics: metrics.as_deref(),
        classes: &settings.classes,
        targets: &settings.target,
        dataset: &dataset,
        outputs: model.outputs(),
        pair: sides.len() > 1,
    })?;

    let header = OutcomesHeader {
        schema: OUTCOMES_SCHEMA,
        task: settings.task.to_string(),
        model: model_facts.digest.clone(),
        dataset: dataset_facts.digest.clone(),
        classes: Vec::new(),
    };
    let mut outcomes = Outcomes { settings, header, writer: None, waiting: VecDeque::new() };
    let mut told = Told { wanted: settings.outcomes.is_some(), judged: VecDeque::new() };
    let mut rows = Rows::start(settings, &dataset, &columns, &sides, batch)?;
    let wanted = task.outputs();
    while let Some(read) = rows.next()? {
        let answers = read
            .sides
            .iter()
            .zip(&sides)
            .map(|(converted, side)| rows.answers(&mut models, side, converted, &read, &wanted))
            .collect::<Result<Vec<Answers>, EvalError>>()?;
        let slices = rows.slices.numbers(&read.labels)?;
        let chunk = Chunk {
            first: read.first,
            rows: read.rows,
            targets: read.targets,
            groups: read.labels.groups.as_deref(),
            slices: &slices,
            answers,
        };
        task.judge(chunk, &mut told)?;
        outcomes.write(&mut told, || task.classes(), Some((&read.labels, &rows.slices)))?;
    }
    let Rows { done, run, slices, .. } = rows;
    dataset.check_unchanged()?;
    images.check_unchanged(&dataset, &sides)?;
    if done == 0 {
        return Err(dataset.error(None, None, "it has no rows".to_owned()).into());
    }
    task.finish(&mut told)?;
    outcomes.write(&mut told, || task.classes(), None)?;

    let mut metrics = task.metrics(None)?;
    metrics.insert("model_bytes".to_owned(), model_facts.bytes as f64);
    let slices = slices.each(|slice| {
        let mut metrics = task.metrics(Some(slice))?;
        metrics.insert("n".to_owned(), task.count(slice) as f64);
        Ok(metrics)
    })?;
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    Ok(Evaluation {
        name: settings.name.clone(),
        task: settings.task.to_string(),
        n: done as u64,
        metrics,
        per_class: task.per_class(),
        confusion: task.confusion(),
        slices,
        model: model_facts,
        dataset: dataset_facts,
        provider: ProviderFacts {
            requested: settings.provider.to_string(),
            nodes: models[0].nodes().clone(),
            device: device_name(settings.provider, settings.device),
            version: runtime.version().to_owned(),
            threads: settings.threads,
        },
        timing: Timing {
            load_ms: milliseconds(load),
            run_ms: milliseconds(run),
            total_ms: milliseconds(started.elapsed()),
        },
        cached: false,
        outcomes: outcomes.finish()?,
        benchmark: None,
        beside: None,
    })
}

/// How each side of a row, one or two, feeds the model.
fn sides(
    settings: &EvalSettings,
    model: &Model,
    dataset: &Dataset,
    columns: &Columns,
) -> Result<Vec<Inputs>, EvalError> {
    let mut reserved = columns.names();
    let plan = |mapping, reserved: &[&str]| {
        let tokenizer = settings.tokenizer.as_deref();
        let given = Given { mapping, tokenizer, preprocess: &settings.preprocess, reserved };
        Inputs::plan(model.inputs(), dataset, &given)
    };
    if settings.pair.is_empty() {
        return Ok(vec![plan(&settings.inputs, &reserved)?]);
    }
    if !matches!(settings.task, TaskKind::Similarity | TaskKind::Ranking) {
        return Err(EvalError::Usage(format!(
            "{} does not compare pairs; `pair` is for similarity and ranking",
            settings.task
        )));
    }
    let other = plan(&settings.pair, &reserved)?;
    reserved.extend(settings.pair.values().flatten().map(String::as_str));
    Ok(vec![plan(&settings.inputs, &reserved)?, other])
}

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

/// A multiple of the batch of about [`CHUNK_BYTES`].
fn chunk_rows(batch: usize, row_bytes: usize) -> usize {
    let rows = (CHUNK_BYTES / row_bytes.max(1)).clamp(1, CHUNK_ROWS);
    (rows / batch).max(1) * batch
}

/// Images that rows name by path: part of the data set, though not of its file.
struct Images(Option<(Digest, u64)>);

impl Images {
    fn look(dataset: &Dataset, sides: &[Inputs]) -> Result<Self, EvalError> {
        let columns: Vec<&str> = sides.iter().flat_map(Inputs::image_columns).collect();
        Ok(Self(dataset.digest_of_files(&columns)?))
    }

    fn check_unchanged(&self, dataset: &Dataset, sides: &[Inputs]) -> Result<(), EvalError> {
        if self.0.is_some() && Self::look(dataset, sides)?.0 != self.0 {
            return Err(dataset.error(None, None, "its images changed while they were read".to_owned()).into());
        }
        Ok(())
    }
}

fn dataset_facts(dataset: &Dataset, images: &Images) -> Result<FileFacts, EvalError> {
    let (mut digest, mut bytes) = dataset.digest()?;
    if let Some((of_images, size)) = &images.0 {
        use sha2::{Digest as _, Sha256};
        digest = Digest::from_sha256(Sha256::digest(format!("{digest}\0{of_images}")).into());
        bytes += size;
    }
    Ok(FileFacts { path: dataset.path().display().to_string(), digest, bytes })
}

/// Rows on their way from the data set to the model.
struct Rows<'a> {
    dataset: &'a Dataset,
    columns: &'a Columns,
    sides: &'a [Inputs],
    reader: Box<dyn crate::dataset::Reader>,
    batch: usize,
    /// Whether the model takes full batches only: the last row is repeated behind the end.
    padded: bool,
    chunk: usize,
    ids: Ids,
    slices: Slices,
    done: usize,
    /// Time inside ONNX Runtime.
    run: Duration,
}

/// A chunk of rows as the model takes them.
struct Read {
    first: u64,
    rows: usize,
    sides: Vec<Converted>,
    targets: Vec<Values>,
    labels: Labels,
}

impl<'a> Rows<'a> {
    fn start(
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

    fn next(&mut self) -> Result<Option<Read>, EvalError> {
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
    fn answers(
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

/// Judgements on their way to the outcomes file.
struct Outcomes<'a> {
    settings: &'a EvalSettings,
    header: OutcomesHeader,
    writer: Option<OutcomesWriter>,
    /// Rows whose judgement is still to come: id, group and slice.
    waiting: VecDeque<(String, Option<String>, Option<String>)>,
}

impl Outcomes<'_> {
    /// Writes what was judged; `rows` are those of this chunk.
    fn write(
        &mut self,
        told: &mut Told,
        classes: impl FnOnce() -> Vec<String>,
        rows: Option<(&Labels, &Slices)>,
    ) -> Result<(), EvalError> {
        let Some(path) = &self.settings.outcomes else { return Ok(()) };
        // Ranking judges queries, which have names of their own.
        if let Some((labels, slices)) = rows.filter(|_| self.settings.task != TaskKind::Ranking) {
            let group = |row: usize| labels.groups.as_ref().map(|groups| groups[row].clone());
            let rows = labels.ids.iter().enumerate();
            self.waiting.extend(rows.map(|(row, id)| (id.clone(), group(row), slices.of_row(labels, row))));
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none
                .insert(OutcomesWriter::create(path, &OutcomesHeader { classes: classes(), ..self.header.clone() })?),
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

    fn finish(self) -> Result<Option<workflows::evaluation::BlobRef>, EvalError> {
        self.writer.map(OutcomesWriter::finish).transpose()
    }
}

#[cfg(test)]
mod tests;
