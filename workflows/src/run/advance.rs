use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    CallEvent, CallLife, CallState, Conclusion, JobLife, JobState, Place as GroupPlace, call_lives,
    scope::{Scope, Scopes, Standing},
};
use crate::{
    ids::JobKey,
    plan::{
        Expansion, JobConcurrency, PlannedCall, PlannedJob, call_inputs, expand, needs_context, workflow_concurrency,
    },
    syntax::{Called, Diagnostic, Job, JobBody, Place, Severity, Workflow},
};

#[cfg(test)]
mod tests;

/// What has become of one `jobs.<id>`, of the run's workflow or of one that it calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "group", rename_all = "snake_case")]
pub enum Group {
    /// For its needs.
    Waiting,
    Skipped {
        name: String,
        at: Timestamp,
    },
    /// An expression in it failed.
    Invalid {
        diagnostic: Box<Diagnostic>,
        at: Timestamp,
    },
    /// The call that it is part of has ended before it began.
    Cancelled {
        at: Timestamp,
    },
    Expanded {
        rows: u32,
    },
    /// It calls a workflow, once for each row: the groups within it stand behind it.
    Called {
        rows: u32,
        /// It was made after a cancellation (`if: always()`), so that this is not for it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        after_cancel: bool,
        /// Of the rows that take part in concurrency groups.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lives: Vec<CallLife>,
    },
}

/// How many groups a run may have with those of the workflows that it calls: its record is of bounded size.
pub const MAX_GROUPS: usize = 256;

/// How long the names of the concurrency groups of a run's calls may be together, in bytes, for the same reason.
pub const MAX_NAMES: usize = 16 * 1024;

/// One job as [`advance`] needs to see it.
#[derive(Debug, Clone, Copy)]
pub struct JobView<'a> {
    pub planned: &'a PlannedJob,
    pub life: &'a JobLife,
    pub outputs: &'a IndexMap<String, String>,
}

/// A run at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    pub workflow: &'a Workflow,
    /// Those that it calls, directly or through others.
    pub called: &'a Called,
    /// `github`, `vars`, `inputs`.
    pub contexts: &'a IndexMap<String, Value>,
    /// One for each job of the workflow, then those of the workflows that it calls, by key without a row.
    pub groups: &'a IndexMap<JobKey, Group>,
    pub jobs: &'a [JobView<'a>],
    /// Why the run was cancelled; none where it was not.
    pub cancel: Option<&'a str>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    Skip {
        job: JobKey,
        name: String,
    },
    Invalid {
        job: JobKey,
        diagnostic: Box<Diagnostic>,
    },
    Expand {
        job: JobKey,
        rows: Vec<PlannedJob>,
        /// They are made after a cancellation, which then is not for them.
        after_cancel: bool,
    },
    /// The job calls a workflow and becomes this; `inside` are the groups that this makes, which wait.
    Call {
        job: JobKey,
        called: Group,
        inside: Vec<JobKey>,
    },
    /// To be carried out by [`tell_call`](super::tell_call).
    TellCall {
        call: JobKey,
        event: CallEvent,
    },
    /// It wants a place in its concurrency group.
    AskPlace(JobKey),
    Offer(JobKey),
    Cancel {
        key: JobKey,
        reason: String,
    },
    Conclude(Conclusion),
}

/// What is to be done next; empty while all that can be done is to wait. Asked again after each of
/// its decisions was carried out, it reaches a conclusion once every job has ended.
pub fn advance(snapshot: &Snapshot<'_>) -> Vec<Decision> {
    let scopes = Scopes::new(snapshot);
    let mut decisions = Vec::new();
    for (job, group) in snapshot.groups {
        match group {
            Group::Waiting => decisions.extend(scopes.expand(job)),
            Group::Expanded { .. } => scopes.tend(job, &mut decisions),
            Group::Called { lives, .. } => scopes.tend_calls(job, lives, &mut decisions),
            Group::Skipped { .. } | Group::Invalid { .. } | Group::Cancelled { .. } => {}
        }
    }
    if decisions.is_empty()
        && let Some(conclusion) = scopes.conclusion()
    {
        decisions.push(Decision::Conclude(conclusion));
    }
    decisions
}

/// What a runner must be told of a job beside the job itself.
#[derive(Debug, Clone, PartialEq)]
pub struct JobContext<'a> {
    /// The workflow that the job stands in: the run's own, or one that it calls.
    pub workflow: &'a Workflow,
    pub job: &'a Job,
    /// Those known before it starts: `github`, `vars`, `inputs`, `needs`, `matrix`, `strategy`.
    pub contexts: IndexMap<String, Value>,
    pub secrets: BTreeMap<String, String>,
}

/// The contexts of a job that was planned, and those of `secrets`, the run's, that it may see; none where
/// its workflow has no such job.
pub fn job_context<'a>(
    snapshot: &Snapshot<'a>,
    planned: &PlannedJob,
    secrets: &BTreeMap<String, String>,
) -> Option<JobContext<'a>> {
    let scopes = Scopes::new(snapshot);
    let scope = scopes.of(&planned.key)?;
    let job = scopes.job(&planned.key)?;
    let object = |entries: &IndexMap<String, Value>| Value::Object(entries.clone().into_iter().collect());
    let needs = scopes.need_results(&planned.key.group()).unwrap_or_default();
    let mut contexts = scope.contexts.clone();
    contexts.insert("needs".to_owned(), needs_context(job, &needs));
    contexts.insert("matrix".to_owned(), object(&planned.matrix));
    contexts.insert("strategy".to_owned(), object(&planned.strategy));
    Some(JobContext { workflow: scope.workflow, job, contexts, secrets: scope.secrets(secrets) })
}

impl<'a> Scopes<'a> {
    fn expand(&self, group: &JobKey) -> Option<Decision> {
        let scope = self.of(group)?;
        let after_cancel = match scope.standing {
            Standing::Open => self.snapshot().cancel.is_some(),
            Standing::Stopped(_) => true,
            Standing::Held { .. } | Standing::Dropped(_) => return None,
        };
        let needs = self.need_results(group)?;
        let job = group.clone();
        Some(match expand(scope.workflow, &group.id()?, &scope.contexts, &needs, after_cancel) {
            Expansion::Skipped { name } => Decision::Skip { job, name: scope.name(&name) },
            Expansion::Jobs(rows) => {
                let full =
                    |row: PlannedJob| PlannedJob { key: scope.key(&row.key), name: scope.name(&row.name), ..row };
                Decision::Expand { job, rows: rows.into_iter().map(full).collect(), after_cancel }
            }
            Expansion::Calls(calls) => match self.call(scope, &calls) {
                Ok((inside, lives)) => {
                    let called = Group::Called { rows: calls.len() as u32, after_cancel, lives };
                    Decision::Call { job, called, inside }
                }
                Err(message) => {
                    let diagnostic = Box::new(self.call_failed(scope, group, message));
                    Decision::Invalid { job, diagnostic }
                }
            },
            Expansion::Invalid(diagnostic) => Decision::Invalid { job, diagnostic },
        })
    }

    /// The groups that calls make, and the lives of those that have a place to ask for; the error is a sentence for
    /// people.
    fn call(&self, scope: &Scope<'a>, calls: &[PlannedCall]) -> Result<(Vec<JobKey>, Vec<CallLife>), String> {
        let (mut inside, mut lives) = (Vec::new(), Vec::new());
        for call in calls {
            let workflow = self.snapshot().called.get(&call.uses);
            let workflow = workflow.ok_or_else(|| format!("there is no workflow `{}` to call", call.uses))?;
            let takes = workflow.on.workflow_call.as_ref();
            let takes = takes.ok_or_else(|| format!("`{}` has no `workflow_call` under `on`", call.uses))?;
            let mut contexts = scope.contexts.clone();
            contexts.insert("inputs".to_owned(), call_inputs(takes, &call.with, &scope.contexts)?);
            let key = scope.key(&call.key);
            let groups = [call.concurrency.clone(), workflow_concurrency(workflow, &contexts)?];
            let groups: Vec<JobConcurrency> = groups.into_iter().flatten().collect();
            if !groups.is_empty() {
                lives.push(CallLife::new(key.clone(), groups));
            }
            inside.extend(workflow.jobs.keys().map(|id| key.within(&JobKey::new(id, None))));
        }
        // A row's number follows.
        if inside.iter().any(|key| key.as_str().len() + 6 > JobKey::MAX_BYTES) {
            return Err("the ids of the jobs on the way to this one are too long together".to_owned());
        }
        if self.snapshot().groups.len() + inside.len() > MAX_GROUPS {
            return Err(format!("with those of called workflows a run may have {MAX_GROUPS} jobs"));
        }
        let names = call_lives(self.snapshot().groups).chain(&lives).flat_map(|life| &life.groups);
        if names.map(|concurrency| concurrency.group.len()).sum::<usize>() > MAX_NAMES {
            let most = MAX_NAMES / 1024;
            return Err(format!("the concurrency groups of a run's calls may have names of {most} KB together"));
        }
        Ok((inside, lives))
    }

    /// Has calls ask for their places, ends those that do not begin, and frees the places of those that have ended.
    fn tend_calls(&self, job: &JobKey, lives: &[CallLife], decisions: &mut Vec<Decision>) {
        for call in self.calls(job).unwrap_or_default() {
            let Some(scope) = self.called_by(&call.key) else { continue };
            let life = lives.iter().find(|life| life.key == call.key);
            let event = match (self.call_result(&call), &scope.standing) {
                (Some(_), _) => match life.map(|life| life.state) {
                    Some(CallState::Holds { .. } | CallState::Asks { .. }) => CallEvent::Ended,
                    Some(CallState::Ended) | None => continue,
                },
                (None, Standing::Dropped(reason)) => CallEvent::Dropped(reason.clone()),
                (None, Standing::Held { may_ask: true }) => CallEvent::PlaceAsked,
                (None, Standing::Open | Standing::Held { may_ask: false } | Standing::Stopped(_)) => continue,
            };
            decisions.push(Decision::TellCall { call: call.key, event });
        }
    }

    fn call_failed(&self, scope: &Scope<'a>, group: &JobKey, message: String) -> Diagnostic {
        let at = self.job(group).map_or(Place { line: 1, column: 1 }, |job| match &job.body {
            JobBody::Call { uses, .. } => uses.at,
            JobBody::Steps(_) => job.at,
        });
        Diagnostic {
            file: scope.workflow.file.clone(),
            line: at.line,
            column: at.column,
            length: 1,
            severity: Severity::Error,
            code: "workflow-call".to_owned(),
            message,
            help: None,
        }
    }

    /// Offers rows as far as `max-parallel` and their concurrency groups let, and stops what `fail-fast` or a cancellation ends.
    fn tend(&self, job: &JobKey, decisions: &mut Vec<Decision>) {
        let failed = self.failed_row(job).map(|name| format!("fail-fast: {name} failed"));
        let stopped = match self.of(job).map(|scope| &scope.standing) {
            Some(Standing::Stopped(reason) | Standing::Dropped(reason)) => Some(reason.as_str()),
            Some(Standing::Open | Standing::Held { .. }) | None => None,
        };
        let stopped = self.snapshot().cancel.or(stopped);
        let reason = |view: &JobView<'_>| match stopped {
            Some(reason) if !view.life.after_cancel => Some(reason.to_owned()),
            Some(_) | None => failed.clone(),
        };
        let mut room = self.room(job);
        for view in self.rows(job) {
            let key = view.planned.key.clone();
            match (&view.life.state, reason(view)) {
                (JobState::Completed { .. }, _) => {}
                (JobState::Running { .. }, Some(reason)) if view.life.cancel.is_none() => {
                    decisions.push(Decision::Cancel { key, reason });
                }
                (JobState::Waiting | JobState::Queued { .. }, Some(reason)) => {
                    decisions.push(Decision::Cancel { key, reason });
                }
                // It has its room already, while it waits for its place.
                (JobState::Waiting, None) if view.life.place == GroupPlace::Given => {
                    decisions.push(Decision::Offer(key));
                }
                (JobState::Waiting, None) if view.life.asks().is_some() => {}
                (JobState::Waiting, None) if room > 0 => {
                    room -= 1;
                    decisions.push(match view.planned.concurrency {
                        Some(_) => Decision::AskPlace(key),
                        None => Decision::Offer(key),
                    });
                }
                (JobState::Waiting | JobState::Queued { .. }, None) | (JobState::Running { .. }, _) => {}
            }
        }
    }

    /// How many more rows may be under way.
    fn room(&self, job: &JobKey) -> u64 {
        let limit = self.rows(job).first().and_then(|view| view.planned.strategy.get("max-parallel"));
        let limit = limit.and_then(Value::as_f64).filter(|limit| *limit >= 1.0).map_or(u64::MAX, |limit| limit as u64);
        let active = self.rows(job).iter().filter(|view| match view.life.state {
            JobState::Queued { .. } | JobState::Running { .. } => true,
            JobState::Waiting => view.life.place != GroupPlace::None,
            JobState::Completed { .. } => false,
        });
        limit.saturating_sub(active.count() as u64)
    }

    /// A row whose failure ends its siblings.
    fn failed_row(&self, job: &JobKey) -> Option<&'a str> {
        self.rows(job).iter().find_map(|view| {
            let fails = matches!(view.life.conclusion(), Some(Conclusion::Failure | Conclusion::TimedOut));
            let fast = view.planned.strategy.get("fail-fast").and_then(Value::as_bool).unwrap_or(true);
            (fails && fast && !view.planned.continue_on_error).then_some(view.planned.name.as_str())
        })
    }
}
