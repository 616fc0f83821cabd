//! One model on one data set: the loop from rows to metrics.

mod judged;
mod rows;
mod sessions;

use std::{
    cell::LazyCell,
    collections::VecDeque,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use judged::Outcomes;
use rows::{Batches, Rows};
use sessions::{Answered, Sessions};
use workflows::{
    evaluation::{Evaluation, FileFacts, OUTCOMES_SCHEMA, OutcomesHeader, ProviderFacts, Timing},
    ids::Digest,
};

pub use super::settings::{DEFAULT_BATCH, EvalSettings};
use super::{
    columns::{Columns, Slices},
    error::EvalError,
    facts::device_name,
    inputs::{Given, Inputs},
    inspect::ModelFile,
    runtime::Runtime,
    session::{Model, SessionOptions},
    tasks::{Chunk, Task, TaskKind, TaskSetup, Told, task},
};
use crate::dataset::{DataError, Dataset};

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
    let models = Model::open_several(runtime, &file, &options, settings.sessions)?;
    let model = &models[0];
    let load = loading.elapsed();

    let sides = sides(settings, model, &dataset, &columns)?;
    let images = Images::look(&dataset, &sides)?;
    let batches = Batches::of(settings, model)?;
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

    let sessions = Sessions { models, batches, wanted: task.outputs(), run: Duration::ZERO };
    let mut slices = Slices::new(settings);
    let mut outcomes = Outcomes::new(settings);
    let mut told = Told { wanted: settings.outcomes.is_some(), judged: VecDeque::new() };
    let mut done = 0;
    let rows = Rows::start(settings, &dataset, &columns, &sides, batches)?;
    let (sessions, dataset_facts) = thread::scope(|scope| {
        // Rows are read, answered and judged side by side, and the file is digested: nothing but the model's own time
        // should count.
        let (read, chunks) = mpsc::sync_channel(1);
        scope.spawn(move || rows.send(&read));
        let (answered, answers) = mpsc::sync_channel(1);
        let answering = scope.spawn(|| sessions.answer(&sides, chunks, &{ answered }));
        let digesting = scope.spawn(|| dataset_facts(&dataset, &images));
        let facts = LazyCell::new(|| digesting.join().expect("digesting does not panic"));
        let header = |task: &dyn Task| {
            Ok(OutcomesHeader {
                schema: OUTCOMES_SCHEMA,
                task: settings.task.to_string(),
                model: model_facts.digest.clone(),
                dataset: facts.as_ref().map_err(Clone::clone)?.digest.clone(),
                classes: task.classes(),
            })
        };
        for answered in answers {
            let Answered { mut read, answers } = answered?;
            let numbers = slices.numbers(&read.labels)?;
            let chunk = Chunk {
                first: read.first,
                rows: read.rows,
                targets: std::mem::take(&mut read.targets),
                groups: read.labels.groups.as_deref(),
                slices: &numbers,
                answers,
            };
            task.judge(chunk, &mut told)?;
            outcomes.write(&mut told, || header(&*task), Some((&read, &slices)))?;
            done += read.rows as u64;
        }
        dataset.check_unchanged()?;
        images.check_unchanged(&dataset, &sides)?;
        if done == 0 {
            return Err(dataset.error(None, None, "it has no rows".to_owned()).into());
        }
        task.finish(&mut told)?;
        outcomes.write(&mut told, || header(&*task), None)?;
        let sessions = answering.join().expect("a session does not panic");
        Ok::<_, EvalError>((sessions, facts.as_ref().map_err(Clone::clone)?.clone()))
    })?;

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
        n: done,
        metrics,
        per_class: task.per_class(),
        confusion: task.confusion(),
        slices,
        model: model_facts,
        dataset: dataset_facts,
        provider: ProviderFacts {
            requested: settings.provider.to_string(),
            nodes: sessions.models[0].nodes().clone(),
            device: device_name(settings.provider, settings.device),
            version: runtime.version().to_owned(),
            threads: settings.threads,
        },
        timing: Timing {
            load_ms: milliseconds(load),
            run_ms: milliseconds(sessions.run),
            total_ms: milliseconds(started.elapsed()),
        },
        cached: false,
        outcomes: outcomes.finish()?,
        benchmark: None,
        beside: None,
        self_check: None,
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

fn dataset_facts(dataset: &Dataset, images: &Images) -> Result<FileFacts, DataError> {
    let (mut digest, mut bytes) = dataset.digest()?;
    if let Some((of_images, size)) = &images.0 {
        use sha2::{Digest as _, Sha256};
        digest = Digest::from_sha256(Sha256::digest(format!("{digest}\0{of_images}")).into());
        bytes += size;
    }
    Ok(FileFacts { path: dataset.path().display().to_string(), digest, bytes })
}

#[cfg(test)]
mod tests;
