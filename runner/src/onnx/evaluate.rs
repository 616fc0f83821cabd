//! One model on one data set: the loop from rows to metrics.

mod data;
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

pub(super) use data::Data;
use data::Images;
use judged::Outcomes;
use rows::{Batches, Rows};
use sessions::{Answered, Session, Spent};
use workflows::evaluation::{Evaluation, OUTCOMES_SCHEMA, OutcomesHeader, ProviderFacts, Timing};

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
use crate::{dataset::Dataset, priority::Priority};

/// Evaluates a model on a data set. The outcomes file, where one is asked for, appears only complete.
pub fn evaluate(runtime: &Runtime, settings: &EvalSettings) -> Result<Evaluation, EvalError> {
    evaluate_data(runtime, settings, Data::open(settings)?)
}

/// The same, of a data set that was opened before.
pub(super) fn evaluate_data(runtime: &Runtime, settings: &EvalSettings, data: Data) -> Result<Evaluation, EvalError> {
    let started = Instant::now();
    if settings.batch == 0 || settings.threads == 0 || settings.sessions == 0 {
        return Err(EvalError::Usage("batch, threads and sessions must be at least 1".to_owned()));
    }
    if settings.task == TaskKind::TextClassification && settings.tokenizer.is_none() {
        return Err(EvalError::Usage("text-classification needs a `tokenizer`, a tokenizer.json".to_owned()));
    }
    let Data { dataset, digest } = data;
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

    let sessions: Vec<Session> =
        models.into_iter().map(|model| Session::new(model, settings.provider, batches, task.outputs())).collect();
    let mut slices = Slices::new(settings);
    let mut outcomes = Outcomes::new(settings);
    let mut told = Told { wanted: settings.outcomes.is_some(), judged: VecDeque::new() };
    let mut done = 0;
    let rows = Rows::start(&dataset, &columns, &sides, batches)?;
    let facts = LazyCell::new(|| digest.wait().map(|of_file| images.facts(&dataset, of_file)));
    let header = |task: &dyn Task| {
        Ok(OutcomesHeader {
            schema: OUTCOMES_SCHEMA,
            task: settings.task.to_string(),
            model: model_facts.digest.clone(),
            dataset: facts.as_ref().map_err(Clone::clone)?.digest.clone(),
            classes: task.classes(),
        })
    };
    let sessions = thread::scope(|scope| {
        // Rows are read, answered and judged side by side: nothing but the model's own time should count. Chunks are
        // dealt to the sessions in turn and collected in turn, so that each session goes at its own pace and rows stay
        // in order.
        let (mut chunks, mut answers, mut answering) = (Vec::new(), Vec::new(), Vec::new());
        let (spare, to_fill) = mpsc::channel();
        for session in sessions {
            let (read, to_answer) = mpsc::sync_channel(1);
            let (answered, to_judge) = mpsc::sync_channel(1);
            let (sides, spare) = (&sides, spare.clone());
            answering.push(scope.spawn(move || session.answer(sides, to_answer, &answered, &spare)));
            chunks.push(read);
            answers.push(to_judge);
        }
        scope.spawn(move || {
            Priority::beside(settings.threads).take();
            rows.deal(&chunks, &to_fill);
        });
        for turn in (0..answers.len()).cycle() {
            let Ok(answered) = answers[turn].recv() else { break };
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
        let ended = answering.into_iter().map(|session| session.join().expect("a session does not panic"));
        Ok::<Vec<Session>, EvalError>(ended.collect())
    })?;
    dataset.check_unchanged()?;
    images.check_unchanged(&dataset, &sides)?;
    if done == 0 {
        return Err(dataset.error(None, None, "it has no rows".to_owned()).into());
    }
    task.finish(&mut told)?;
    outcomes.write(&mut told, || header(&*task), None)?;

    let mut metrics = task.metrics(None)?;
    metrics.insert("model_bytes".to_owned(), model_facts.bytes as f64);
    let slices = slices.each(|slice| {
        let mut metrics = task.metrics(Some(slice))?;
        metrics.insert("n".to_owned(), task.count(slice) as f64);
        Ok(metrics)
    })?;
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    // Side by side, so that their mean is what passed.
    let of_sessions = |spent: fn(&Spent) -> Duration| {
        sessions.iter().map(|session| spent(&session.spent)).sum::<Duration>() / sessions.len() as u32
    };
    Ok(Evaluation {
        name: settings.name.clone(),
        task: settings.task.to_string(),
        n: done,
        metrics,
        per_class: task.per_class(),
        confusion: task.confusion(),
        slices,
        model: model_facts,
        dataset: facts.as_ref().map_err(Clone::clone)?.clone(),
        provider: ProviderFacts {
            requested: settings.provider.to_string(),
            nodes: sessions[0].model.nodes().clone(),
            device: device_name(settings.provider, settings.device),
            version: runtime.version().to_owned(),
            threads: settings.threads,
        },
        timing: Timing {
            load_ms: milliseconds(load),
            run_ms: milliseconds(of_sessions(|spent| spent.run)),
            answer_ms: milliseconds(of_sessions(|spent| spent.answering)),
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

#[cfg(test)]
mod tests;
