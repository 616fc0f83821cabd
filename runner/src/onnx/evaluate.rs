//! One model on one data set: the loop from rows to metrics.

use std::{
    collections::{BTreeMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
    path::PathBuf,
    time::{Duration, Instant},
};

use workflows::evaluation::{Evaluation, OUTCOMES_SCHEMA, Outcome, OutcomesHeader, ProviderFacts, Timing};

use super::{
    error::EvalError,
    facts::{device_name, file_facts},
    inputs::Inputs,
    inspect::ModelFile,
    outcomes::OutcomesWriter,
    runtime::Runtime,
    session::{Model, Provider, SessionOptions, first_line},
    tasks::{Task, TaskKind, TaskSetup, task},
};
use crate::dataset::{Dataset, Values, list};

/// What to evaluate, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalSettings {
    /// The evaluation's name, unique within a run.
    pub name: String,
    pub model: PathBuf,
    pub dataset: PathBuf,
    pub task: TaskKind,
    /// None: the task's usual ones. `model_bytes` goes with every task and is always told.
    pub metrics: Option<Vec<String>>,
    pub provider: Provider,
    /// Index of the GPU, for `cuda`.
    pub device: u32,
    /// Examples at once. A model with a batch size of its own gets that.
    pub batch: usize,
    /// Intra-op threads.
    pub threads: u32,
    /// Column of the right answers.
    pub target: String,
    /// Column of the examples' names; none: `id` where there is one, else the row's number from 0.
    pub id: Option<String>,
    /// Column of groups whose examples are not independent.
    pub group: Option<String>,
    /// Columns by whose values metrics are told apart.
    pub slices: Vec<String>,
    /// Model input → columns.
    pub inputs: BTreeMap<String, Vec<String>>,
    /// Class labels in the order of the model's scores.
    pub classes: Vec<String>,
    /// Where outcomes go: `.jsonl` or `.jsonl.zst`.
    pub outcomes: Option<PathBuf>,
}

/// Examples at once, where nobody says otherwise: the fastest size of the small models measured.
pub const DEFAULT_BATCH: usize = 32;

impl EvalSettings {
    /// The defaults around what must be said. One thread: numbers are then the same on every machine.
    pub fn new(model: impl Into<PathBuf>, dataset: impl Into<PathBuf>, task: TaskKind) -> Self {
        Self {
            name: "eval".to_owned(),
            model: model.into(),
            dataset: dataset.into(),
            task,
            metrics: None,
            provider: Provider::Cpu,
            device: 0,
            batch: DEFAULT_BATCH,
            threads: 1,
            target: "target".to_owned(),
            id: None,
            group: None,
            slices: Vec::new(),
            inputs: BTreeMap::new(),
            classes: Vec::new(),
            outcomes: None,
        }
    }
}

/// Rows are read and converted in chunks of about this many bytes, so that small batches cost no more reading.
const CHUNK_BYTES: usize = 4 << 20;
/// The longest chunk, for narrow rows.
const CHUNK_ROWS: usize = 4096;

/// Evaluates a model on a data set. The outcomes file, where one is asked for, appears only complete.
pub fn evaluate(runtime: &Runtime, settings: &EvalSettings) -> Result<Evaluation, EvalError> {
    let started = Instant::now();
    if settings.batch == 0 || settings.threads == 0 {
        return Err(EvalError::Usage("batch and threads must be at least 1".to_owned()));
    }
    let dataset = Dataset::open(&settings.dataset)?;
    let columns = Columns::find(settings, &dataset)?;
    let file = ModelFile::examine(&settings.model)?;
    let model_facts = file.facts().clone();
    let dataset_facts = file_facts(&settings.dataset).map_err(|e| dataset.error(None, None, e.to_string()))?;

    let loading = Instant::now();
    let options = SessionOptions { provider: settings.provider, device: settings.device, threads: settings.threads };
    let mut model = Model::open(runtime, &file, &options)?;
    let load = loading.elapsed();

    let inputs = Inputs::plan(model.inputs(), &dataset, &settings.inputs, &columns.reserved())?;
    let batch = fixed_batch(&model)?.unwrap_or(settings.batch);
    let metrics: Option<Vec<String>> =
        settings.metrics.as_ref().map(|names| names.iter().filter(|name| *name != "model_bytes").cloned().collect());
    let mut task = task(&TaskSetup {
        kind: settings.task,
        metrics: metrics.as_deref(),
        classes: &settings.classes,
        target: &settings.target,
        dataset: &dataset,
        outputs: model.outputs(),
    })?;

    let names: Vec<&str> = inputs.columns().into_iter().chain(columns.names()).collect();
    let mut reader = dataset.reader(&names)?;
    let header = OutcomesHeader {
        schema: OUTCOMES_SCHEMA,
        task: settings.task.to_string(),
        model: model_facts.digest.clone(),
        dataset: dataset_facts.digest.clone(),
        classes: Vec::new(),
    };
    let mut writer: Option<OutcomesWriter> = None;
    let mut ids = Ids::default();
    let mut slices = Slices::new(settings);
    let mut run = Duration::ZERO;
    let mut done = 0usize;
    let chunk = chunk_rows(batch, inputs.row_bytes());
    while let Some(mut values) = reader.read(chunk)? {
        let mut extra = values.split_off(inputs.columns().len());
        let rows = extra[0].len();
        let first = done as u64 + 1;
        let converted = inputs.convert(values, rows, first, rows.next_multiple_of(batch), &dataset)?;
        let labels = columns.take(&mut extra, &dataset, done, &mut ids)?;
        let mut targets = extra.remove(0);
        for start in (0..rows).step_by(batch) {
            let count = batch.min(rows - start);
            // Only a model with a fixed batch gets the repeated rows behind the last one.
            let width = if fixed_batch(&model)?.is_some() { batch } else { count };
            let number = first + start as u64;
            let failed = |e: ort::Error| EvalError::Run {
                first: number,
                last: number + count as u64 - 1,
                message: first_line(e.message()),
            };
            let views = inputs.views(&converted, start..start + width).map_err(failed)?;
            let before = Instant::now();
            let outputs = model.run(&views).map_err(failed)?;
            run += before.elapsed();
            task.judge(&outputs, count, targets.take_front(count), number)?;
        }
        if let Some(path) = &settings.outcomes {
            if writer.is_none() {
                let header = OutcomesHeader { classes: task.classes(), ..header.clone() };
                writer = Some(OutcomesWriter::create(path, &header)?);
            }
            if let Some(writer) = &mut writer {
                write_outcomes(writer, &*task, done, &labels, settings)?;
            }
        }
        slices.add(&labels, done);
        done += rows;
    }
    dataset.check_unchanged()?;
    if done == 0 {
        return Err(dataset.error(None, None, "it has no rows".to_owned()).into());
    }

    let mut metrics = task.metrics(None)?;
    metrics.insert("model_bytes".to_owned(), model_facts.bytes as f64);
    let slices = slices.metrics(&*task)?;
    let outcomes = writer.map(OutcomesWriter::finish).transpose()?;
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    Ok(Evaluation {
        name: settings.name.clone(),
        task: settings.task.to_string(),
        n: done as u64,
        metrics,
        per_class: task.per_class(),
        slices,
        model: model_facts,
        dataset: dataset_facts,
        provider: ProviderFacts {
            requested: settings.provider.to_string(),
            nodes: model.nodes().clone(),
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
        benchmark: None,
        beside: None,
        outcomes,
    })
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

/// Columns with a meaning of their own.
struct Columns {
    target: String,
    id: Option<String>,
    group: Option<String>,
    slices: Vec<String>,
}

/// What the special columns say of a chunk of rows.
struct Labels {
    ids: Vec<String>,
    groups: Option<Vec<String>>,
    /// One per slice column.
    slices: Vec<Vec<String>>,
}

impl Columns {
    fn find(settings: &EvalSettings, dataset: &Dataset) -> Result<Self, EvalError> {
        let id = settings.id.clone().or_else(|| dataset.column("id").map(|column| column.name.clone()));
        let columns = Self {
            target: settings.target.clone(),
            id,
            group: settings.group.clone(),
            slices: settings.slices.clone(),
        };
        for name in columns.names() {
            let Some(column) = dataset.column(name) else {
                let known: Vec<&str> = dataset.columns().iter().map(|column| column.name.as_str()).collect();
                let message = format!("there is no column `{name}`; it has {}", list(&known));
                return Err(dataset.error(None, None, message).into());
            };
            if column.width() != 1 {
                let message = format!("it holds {} values a row; one is needed", column.width());
                return Err(dataset.error(None, Some(name), message).into());
            }
        }
        Ok(columns)
    }

    /// In the order in which [`Columns::take`] expects them.
    fn names(&self) -> Vec<&str> {
        let optional = [self.id.as_deref(), self.group.as_deref()].into_iter().flatten();
        std::iter::once(self.target.as_str()).chain(optional).chain(self.slices.iter().map(String::as_str)).collect()
    }

    fn reserved(&self) -> Vec<&str> {
        self.names()
    }

    /// Takes everything but the target out of a chunk.
    fn take(
        &self,
        values: &mut Vec<Values>,
        dataset: &Dataset,
        done: usize,
        seen: &mut Ids,
    ) -> Result<Labels, EvalError> {
        let rows = values[0].len();
        let mut rest = values.drain(1..).map(Values::texts);
        let mut next = || rest.next().expect("a column for each name");
        let ids = match &self.id {
            Some(column) => {
                let ids = next();
                seen.check(&ids).map_err(|(index, message)| {
                    dataset.error(Some((done + index) as u64 + 1), Some(column), message)
                })?;
                ids
            }
            None => (done..done + rows).map(|row| row.to_string()).collect(),
        };
        let groups = self.group.as_ref().map(|_| next());
        let slices = self.slices.iter().map(|_| next()).collect();
        Ok(Labels { ids, groups, slices })
    }
}

/// Ids seen so far, as 128-bit hashes: a million of them take 32 MB, and two different ids meet in
/// fewer than one of 10^26 data sets of that size.
#[derive(Default)]
struct Ids {
    hashers: (RandomState, RandomState),
    seen: HashSet<(u64, u64)>,
}

impl Ids {
    fn check(&mut self, ids: &[String]) -> Result<(), (usize, String)> {
        for (index, id) in ids.iter().enumerate() {
            if id.is_empty() {
                return Err((index, "the id is missing".to_owned()));
            }
            if !self.seen.insert((self.hashers.0.hash_one(id), self.hashers.1.hash_one(id))) {
                return Err((index, format!("the id `{id}` was there before")));
            }
        }
        Ok(())
    }
}

fn write_outcomes(
    writer: &mut OutcomesWriter,
    task: &dyn Task,
    done: usize,
    labels: &Labels,
    settings: &EvalSettings,
) -> Result<(), EvalError> {
    for (row, id) in labels.ids.iter().enumerate() {
        let judged = task.example(done + row);
        let slice: Vec<String> = settings
            .slices
            .iter()
            .zip(&labels.slices)
            .map(|(name, values)| format!("{name}={}", values[row]))
            .collect();
        writer.write(&Outcome {
            id: id.clone(),
            target: judged.target,
            prediction: judged.prediction,
            score: judged.score,
            values: judged.values,
            group: labels.groups.as_ref().map(|groups| groups[row].clone()),
            slice: (!slice.is_empty()).then(|| slice.join(",")),
        })?;
    }
    Ok(())
}

/// Which examples belong to which slice: `column=value`.
struct Slices {
    columns: Vec<String>,
    members: BTreeMap<String, Vec<usize>>,
}

/// More values than this and a column is no slice.
const MOST_SLICES: usize = 1000;

impl Slices {
    fn new(settings: &EvalSettings) -> Self {
        Self { columns: settings.slices.clone(), members: BTreeMap::new() }
    }

    fn add(&mut self, labels: &Labels, done: usize) {
        for (column, values) in self.columns.iter().zip(&labels.slices) {
            for (row, value) in values.iter().enumerate() {
                self.members.entry(format!("{column}={value}")).or_default().push(done + row);
            }
        }
    }

    fn metrics(&self, task: &dyn Task) -> Result<BTreeMap<String, BTreeMap<String, f64>>, EvalError> {
        if self.members.len() > MOST_SLICES {
            return Err(EvalError::Usage(format!(
                "slices: {} have {} different values; at most {MOST_SLICES} are told apart",
                self.columns.join(", "),
                self.members.len()
            )));
        }
        let mut metrics = BTreeMap::new();
        for (name, members) in &self.members {
            let mut values = task.metrics(Some(members))?;
            values.insert("n".to_owned(), members.len() as f64);
            metrics.insert(name.clone(), values);
        }
        Ok(metrics)
    }
}

#[cfg(test)]
mod tests;
