mod strategy;
mod written;

use indexmap::IndexMap;
use serde_json::{Value, json};

use self::strategy::Evaluated;
use super::{Expansion, JobConcurrency, NeedResult, PlannedCall, PlannedJob, needs_context};
use crate::{
    expr::{self, Datum, Environment, Prepared, Status},
    ids::{JobId, JobKey},
    matrix,
    run::Conclusion,
    syntax::{Diagnostic, Job, JobBody, RunsOn, Workflow},
};

/// GitHub's time limit of a job, in minutes.
pub const DEFAULT_TIMEOUT_MINUTES: f64 = 360.0;

/// Expands a job. `contexts` hold `github`, `vars`, `inputs`; `needs` holds *every* job that this one
/// needs directly or through others (`failure()` looks at all ancestors), by id.
pub fn expand(
    workflow: &Workflow,
    job: &JobId,
    contexts: &IndexMap<String, Value>,
    needs: &IndexMap<JobId, NeedResult>,
    cancelled: bool,
) -> Expansion {
    expand_in(workflow, job, &mut environment(contexts), needs, cancelled)
}

/// What [`expand_in`] asks for: these contexts, and empty ones for those that every job has.
pub(super) fn environment<'e>(contexts: &IndexMap<String, Value>) -> Environment<'e> {
    let mut environment = Environment { contexts: contexts.clone(), ..Environment::default() };
    for name in ["github", "vars", "inputs", "assay"] {
        environment.contexts.entry(name.to_owned()).or_insert_with(|| json!({}));
    }
    environment
}

/// [`expand`], in an environment that the next job may use again.
pub(super) fn expand_in(
    workflow: &Workflow,
    job: &JobId,
    environment: &mut Environment<'_>,
    needs: &IndexMap<JobId, NeedResult>,
    cancelled: bool,
) -> Expansion {
    let Some((id, job)) = workflow.jobs.get_key_value(job) else {
        return Expansion::Skipped { name: job.as_str().to_owned() };
    };
    // Of the job before it.
    for name in ["strategy", "matrix", "needs"] {
        environment.contexts.shift_remove(name);
    }
    let expander = Expander { workflow, id, job };
    match expander.expand(environment, needs, cancelled) {
        Ok(expansion) => expansion,
        Err(diagnostic) => Expansion::Invalid(diagnostic),
    }
}

struct Expander<'w> {
    workflow: &'w Workflow,
    id: &'w JobId,
    job: &'w Job,
}

impl Expander<'_> {
    fn expand(
        &self,
        environment: &mut Environment<'_>,
        needs: &IndexMap<JobId, NeedResult>,
        cancelled: bool,
    ) -> Result<Expansion, Box<Diagnostic>> {
        environment.status = status(needs, cancelled);
        environment.contexts.insert("needs".to_owned(), needs_context(self.job, needs));
        let condition = self.job.condition.as_ref();
        let runs = expr::condition(condition.map(|text| text.value.as_str()), environment)
            .map_err(|error| self.failed(condition.map_or(self.job.at, |text| text.at), &error.message))?;
        if !runs {
            return Ok(Expansion::Skipped { name: cut(self.name_without_matrix()) });
        }
        let outlives_cancel = self.outlives_cancel(environment);
        let Evaluated { mut rows, fail_fast, max_parallel } = self.strategy(environment)?;
        let total = rows.as_ref().map_or(1, |rows| rows.rows.len());
        let no_row = matrix::Row::new();
        let parallel = max_parallel.map_or_else(|| Value::from(total), |most| Datum::Number(most).into_json());
        let strategy = IndexMap::from([
            ("fail-fast".to_owned(), Value::Bool(fail_fast)),
            ("job-index".to_owned(), Value::from(0)),
            ("job-total".to_owned(), Value::from(total)),
            ("max-parallel".to_owned(), parallel),
        ]);
        // Parsed with the first row, whose contexts it may name, for all of them.
        let mut name = None;
        let (mut jobs, mut calls) = (Vec::new(), Vec::new());
        for number in 0..total {
            let index = rows.is_some().then_some(number);
            let mut strategy = strategy.clone();
            strategy["job-index"] = Value::from(number);
            show(environment, "matrix", rows.as_ref().map_or(&no_row, |rows| &rows.rows[number]));
            show(environment, "strategy", &strategy);
            if let (None, Some(written)) = (&name, &self.job.name) {
                let prepared = Prepared::new(&written.value, environment);
                name = Some(prepared.map_err(|error| self.failed(written.at, &error.message))?);
            }
            let label = || rows.as_ref().map_or_else(String::new, |rows| rows.label(number));
            let name = self.name(name.as_ref(), label, environment)?;
            let row = rows.as_mut().map(|rows| std::mem::take(&mut rows.rows[number])).unwrap_or_default();
            match &self.job.body {
                JobBody::Steps(_) => {
                    jobs.push(PlannedJob { outlives_cancel, ..self.planned(index, row, strategy, name, environment)? })
                }
                JobBody::Call { uses, with, .. } => {
                    let given = with
                        .iter()
                        .map(|(name, value)| Ok((name.clone(), self.evaluated(&value.value, value.at, environment)?)));
                    calls.push(PlannedCall {
                        key: JobKey::new(self.id, index),
                        uses: uses.value.clone(),
                        name,
                        with: given.collect::<Result<_, Box<Diagnostic>>>()?,
                        concurrency: self.concurrency(environment)?,
                        matrix: row,
                        strategy,
                    });
                }
            }
        }
        Ok(match &self.job.body {
            JobBody::Steps(_) => Expansion::Jobs(jobs),
            JobBody::Call { .. } => Expansion::Calls(calls),
        })
    }

    /// Whether its condition would hold if the run were cancelled now.
    fn outlives_cancel(&self, environment: &mut Environment<'_>) -> bool {
        // Without a call there is `success() &&` before it.
        let Some(condition) = self.job.condition.as_ref().filter(|text| text.value.contains('(')) else { return false };
        let status = std::mem::replace(&mut environment.status, Status::Cancelled);
        let holds = expr::condition(Some(&condition.value), environment);
        environment.status = status;
        holds.unwrap_or(false)
    }

    fn planned(
        &self,
        index: Option<usize>,
        row: matrix::Row,
        strategy: IndexMap<String, Value>,
        name: String,
        environment: &Environment<'_>,
    ) -> Result<PlannedJob, Box<Diagnostic>> {
        let (runs_on, gpus) = self.runs_on(&self.job.runs_on, environment)?;
        let timeout_minutes = match &self.job.timeout_minutes {
            None => DEFAULT_TIMEOUT_MINUTES,
            Some(template) => {
                let minutes = self.number(template, environment)?;
                if !(minutes > 0.0 && minutes.is_finite()) {
                    return Err(self.failed(template.at, "`timeout-minutes` is a number above 0"));
                }
                minutes
            }
        };
        Ok(PlannedJob {
            key: JobKey::new(self.id, index),
            id: self.id.clone(),
            name,
            needs: self.job.needs.iter().map(|need| need.value.clone()).collect(),
            matrix: row,
            strategy,
            runs_on,
            gpus,
            gpu_memory_bytes: self.job.runs_on.gpu_memory_bytes,
            gpu_name: self.job.runs_on.gpu_name.clone(),
            timeout_minutes,
            concurrency: self.concurrency(environment)?,
            continue_on_error: self.boolean(self.job.continue_on_error.as_ref(), false, environment)?,
            outlives_cancel: false,
        })
    }

    fn concurrency(&self, environment: &Environment<'_>) -> Result<Option<JobConcurrency>, Box<Diagnostic>> {
        let Some(written) = &self.job.concurrency else { return Ok(None) };
        let group = self.text(&written.group, environment)?;
        let cancel_in_progress = self.boolean(written.cancel_in_progress.as_ref(), false, environment)?;
        let named = JobConcurrency::named(group, cancel_in_progress, written.queue);
        named.map_err(|message| self.failed(written.group.at, &message))
    }

    /// `name:` where it is an expression that gives one; else the name or the id, with the row's values behind it.
    fn name(
        &self,
        prepared: Option<&Prepared<'_>>,
        label: impl FnOnce() -> String,
        environment: &Environment<'_>,
    ) -> Result<String, Box<Diagnostic>> {
        if let Some((written, prepared)) = self.job.name.as_ref().zip(prepared)
            && expr::has_expression(&written.value)
        {
            let name = prepared.interpolate(environment).map_err(|error| self.failed(written.at, &error.message))?;
            if !name.is_empty() {
                return Ok(name);
            }
        }
        let (name, label) = (self.name_without_matrix(), label());
        Ok(cut(if label.is_empty() { name } else { format!("{name} ({label})") }))
    }

    /// A skipped job's matrix is not evaluated, so its name cannot use it.
    fn name_without_matrix(&self) -> String {
        match &self.job.name {
            Some(name) if !expr::has_expression(&name.value) && !name.value.is_empty() => name.value.clone(),
            Some(_) | None => self.id.as_str().to_owned(),
        }
    }

    fn runs_on(&self, wanted: &RunsOn, environment: &Environment<'_>) -> Result<(Vec<String>, u32), Box<Diagnostic>> {
        let mut labels = Vec::new();
        for template in &wanted.labels {
            match self.value(template, environment)? {
                Value::Array(items) => {
                    labels.extend(items.iter().map(|item| Datum::borrowed(item).to_text().into_owned()));
                }
                // `runs-on: ${{ fromJSON('{"group": …, "labels": […]}') }}`
                Value::Object(entries) => match entries.get("labels") {
                    Some(Value::Array(items)) => {
                        labels.extend(items.iter().map(|item| Datum::borrowed(item).to_text().into_owned()));
                    }
                    Some(other) => labels.push(Datum::borrowed(other).to_text().into_owned()),
                    None => {}
                },
                other => labels.push(Datum::borrowed(&other).to_text().into_owned()),
            }
        }
        labels.iter_mut().for_each(|label| *label = label.trim().to_lowercase());
        if let (true, Some(empty)) = (labels.iter().any(String::is_empty), wanted.labels.first()) {
            return Err(self.failed(empty.at, "`runs-on` gives an empty label"));
        }
        labels.dedup();
        // `runs-on: gpu` asks for one.
        let gpus = if wanted.gpus == 0 && labels.iter().any(|label| label == "gpu") { 1 } else { wanted.gpus };
        Ok((labels, gpus))
    }
}

/// What the status functions of a job's condition answer: a skipped ancestor is no success and no
/// failure, so that the job is skipped too unless it says `always()` or `!failure()`.
fn status(needs: &IndexMap<JobId, NeedResult>, cancelled: bool) -> Status {
    if cancelled {
        return Status::Cancelled;
    }
    let mut status = Status::Success;
    for need in needs.values() {
        match need.result {
            Conclusion::Success | Conclusion::Neutral => {}
            Conclusion::Failure | Conclusion::TimedOut | Conclusion::ActionRequired => return Status::Failure,
            Conclusion::Skipped | Conclusion::Cancelled => status = Status::Skipped,
        }
    }
    status
}

/// A job's name as long as GitHub makes one of itself: 100 units of UTF-16.
fn cut(name: String) -> String {
    if name.len() <= 100 || name.encode_utf16().count() <= 100 {
        return name;
    }
    let mut left: usize = 97;
    let fits = |c: &char| left.checked_sub(c.len_utf16()).map(|rest| left = rest).is_some();
    name.chars().take_while(fits).collect::<String>() + "..."
}

/// Makes a context of a row's. Rows of a matrix have the same names, as a rule: then the one before it is written over,
/// and nothing is hashed anew.
fn show(environment: &mut Environment<'_>, name: &str, values: &IndexMap<String, Value>) {
    match environment.contexts.get_mut(name) {
        Some(Value::Object(shown)) if shown.keys().eq(values.keys()) => {
            shown.values_mut().zip(values.values()).for_each(|(shown, value)| shown.clone_from(value));
        }
        Some(_) | None => {
            let object = values.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            environment.contexts.insert(name.to_owned(), Value::Object(object));
        }
    }
}
