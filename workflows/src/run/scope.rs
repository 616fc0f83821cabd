//! Which workflow each job of a run belongs to: the run's own, or one that is called, however deep.

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{CallLife, CallState, Conclusion, Group, JobView, Snapshot};
use crate::{
    expr::{Environment, interpolate},
    ids::JobKey,
    plan::{Expansion, PlannedCall, call_inputs, expand},
    syntax::{CallSecrets, Job, JobBody, Workflow},
};

/// One workflow of a run, as its jobs see it.
#[derive(Debug, Clone)]
pub(super) struct Scope<'a> {
    pub(super) workflow: &'a Workflow,
    /// `github`, `vars`, `inputs`.
    pub(super) contexts: IndexMap<String, Value>,
    /// The call that leads here; none for the run's own workflow.
    pub(super) caller: Option<PlannedCall>,
    pub(super) standing: Standing,
    secrets: Vec<Passing<'a>>,
}

/// Whether the jobs of a workflow may start, as far as the calls around it decide that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    Open,
    /// `max-parallel` has no room for the call yet, or a concurrency group no place, or that is so of a call around it.
    Held {
        /// It may ask for its next place now.
        may_ask: bool,
    },
    /// Ended while it was under way: its jobs are stopped, and those start that want to after a cancellation.
    Stopped(String),
    /// Ended before it began: nothing in it starts.
    Dropped(String),
}

/// What one call hands on of the secrets that its workflow has.
#[derive(Debug, Clone)]
struct Passing<'a> {
    secrets: &'a CallSecrets,
    contexts: IndexMap<String, Value>,
}

impl Scope<'_> {
    /// The key within the run of one within this workflow.
    pub(super) fn key(&self, own: &JobKey) -> JobKey {
        self.caller.as_ref().map_or_else(|| own.clone(), |caller| caller.key.within(own))
    }

    /// The display name within the run: `caller / job`.
    pub(super) fn name(&self, own: &str) -> String {
        self.caller.as_ref().map_or_else(|| own.to_owned(), |caller| format!("{} / {own}", caller.name))
    }

    /// The secrets that this workflow has, of those of the run.
    pub(super) fn secrets(&self, of_run: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        self.secrets.iter().fold(of_run.clone(), |all, Passing { secrets, contexts }| match secrets {
            CallSecrets::Inherit => all,
            CallSecrets::Given(given) => {
                let mut environment = Environment { contexts: contexts.clone(), ..Environment::default() };
                let values: Map<String, Value> =
                    all.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
                environment.contexts.insert("secrets".to_owned(), Value::Object(values));
                let value = |text: &str| interpolate(text, &environment).unwrap_or_default();
                given.iter().map(|(name, template)| (name.clone(), value(&template.value))).collect()
            }
        })
    }
}

/// The workflows of a run at one moment, by the key of the call that leads to each.
pub(super) struct Scopes<'a> {
    snapshot: Snapshot<'a>,
    by_caller: HashMap<Option<JobKey>, Scope<'a>>,
    rows: HashMap<JobKey, Vec<&'a JobView<'a>>>,
}

impl<'a> Scopes<'a> {
    pub(super) fn new(snapshot: &Snapshot<'a>) -> Self {
        let root = Scope {
            workflow: snapshot.workflow,
            contexts: snapshot.contexts.clone(),
            caller: None,
            standing: Standing::Open,
            secrets: Vec::new(),
        };
        let mut rows: HashMap<JobKey, Vec<&JobView<'_>>> = HashMap::new();
        for view in snapshot.jobs {
            rows.entry(view.planned.key.group()).or_default().push(view);
        }
        let mut scopes = Self { snapshot: *snapshot, by_caller: HashMap::from([(None, root)]), rows };
        // A call stands before the groups within it, since they are made when it is.
        for (group, state) in snapshot.groups {
            if let Group::Called { after_cancel, lives, .. } = state {
                scopes.enter(group, *after_cancel, lives);
            }
        }
        scopes
    }

    pub(super) fn snapshot(&self) -> Snapshot<'a> {
        self.snapshot
    }

    /// The jobs of one group.
    pub(super) fn rows(&self, group: &JobKey) -> &[&'a JobView<'a>] {
        self.rows.get(group).map_or(&[], Vec::as_slice)
    }

    /// The workflow that a job is part of; none where a call before it is not made.
    pub(super) fn of(&self, key: &JobKey) -> Option<&Scope<'a>> {
        self.by_caller.get(&key.caller())
    }

    pub(super) fn called_by(&self, call: &JobKey) -> Option<&Scope<'a>> {
        self.by_caller.get(&Some(call.clone()))
    }

    /// A job as its workflow has it.
    pub(super) fn job(&self, key: &JobKey) -> Option<&'a Job> {
        self.of(key)?.workflow.jobs.get(&key.id()?)
    }

    /// The calls that a job becomes; none where it is none, or waits.
    pub(super) fn calls(&self, group: &JobKey) -> Option<Vec<PlannedCall>> {
        let scope = self.of(group)?;
        let needs = self.need_results(group)?;
        let cancelled = matches!(self.snapshot.groups.get(group), Some(Group::Called { after_cancel: true, .. }));
        match expand(scope.workflow, &group.id()?, &scope.contexts, &needs, cancelled) {
            Expansion::Calls(calls) => Some(
                calls
                    .into_iter()
                    .map(|call| PlannedCall { key: scope.key(&call.key), name: scope.name(&call.name), ..call })
                    .collect(),
            ),
            Expansion::Jobs(_) | Expansion::Skipped { .. } | Expansion::Invalid(_) => None,
        }
    }

    fn enter(&mut self, group: &JobKey, after_cancel: bool, lives: &[CallLife]) {
        let (Some(outer), Some(calls)) = (self.of(group).cloned(), self.calls(group)) else { return };
        let Some(JobBody::Call { secrets, .. }) = self.job(group).map(|job| &job.body) else { return };
        let needs = self.job(group).zip(self.need_results(group));
        for call in &calls {
            let Some(workflow) = self.snapshot.called.get(&call.uses) else { return };
            let Some(takes) = &workflow.on.workflow_call else { return };
            let Ok(inputs) = call_inputs(takes, &call.with, &outer.contexts) else { return };
            let mut contexts = outer.contexts.clone();
            contexts.insert("inputs".to_owned(), inputs);
            let mut given = outer.contexts.clone();
            given.insert("matrix".to_owned(), Value::Object(call.matrix.clone().into_iter().collect()));
            given.insert("strategy".to_owned(), Value::Object(call.strategy.clone().into_iter().collect()));
            if let Some((job, results)) = &needs {
                given.insert("needs".to_owned(), crate::plan::needs_context(job, results));
            }
            let mut passings = outer.secrets.clone();
            passings.push(Passing { secrets, contexts: given });
            let scope = Scope {
                workflow,
                contexts,
                caller: Some(call.clone()),
                standing: outer.standing.clone(),
                secrets: passings,
            };
            self.by_caller.insert(Some(call.key.clone()), scope);
        }
        self.restrain(&calls, &outer.standing, after_cancel, lives);
    }

    /// Applies cancellations, `fail-fast`, `max-parallel` and concurrency groups to the rows of a call.
    fn restrain(&mut self, calls: &[PlannedCall], outer: &Standing, after_cancel: bool, lives: &[CallLife]) {
        let strategy = |name: &str| calls.first().and_then(|call| call.strategy.get(name)).cloned();
        let fast = strategy("fail-fast").and_then(|fast| fast.as_bool()).unwrap_or(true);
        let most = strategy("max-parallel").and_then(|most| most.as_f64()).map_or(u64::MAX, |most| most as u64);
        let failed =
            calls.iter().find(|call| self.call_result(call).is_some_and(|result| result.result == Conclusion::Failure));
        let failed = failed.filter(|_| fast && calls.len() > 1).map(|call| format!("fail-fast: {} failed", call.name));
        // What was called after a cancellation is not what that was meant for.
        let around = match (self.snapshot.cancel, outer) {
            _ if after_cancel => None,
            (Some(reason), _) => Some(reason.to_owned()),
            (None, Standing::Stopped(reason) | Standing::Dropped(reason)) => Some(reason.clone()),
            (None, Standing::Open | Standing::Held { .. }) => None,
        };
        let life = |call: &PlannedCall| lives.iter().find(|life| life.key == call.key);
        let begun = |call: &PlannedCall| {
            let within = |group: &JobKey| group.caller().as_ref() == Some(&call.key);
            self.snapshot.groups.iter().any(|(group, state)| within(group) && *state != Group::Waiting)
        };
        // One that has asked for a place has its room while it waits for that.
        let admitted = |call: &PlannedCall| {
            begun(call) || life(call).is_some_and(|life| life.state != CallState::Holds { places: 0 })
        };
        let open = calls.iter().filter(|call| admitted(call) && self.call_result(call).is_none()).count() as u64;
        let mut room = most.saturating_sub(open);
        let mut standings = Vec::with_capacity(calls.len());
        for call in calls {
            let is_admitted = admitted(call) || room > 0;
            if !admitted(call) {
                room = room.saturating_sub(1);
            }
            let own = life(call).and_then(|life| life.cancel.clone());
            standings.push(match (own.or(around.clone()).or(failed.clone()), outer) {
                (Some(reason), _) if begun(call) => Standing::Stopped(reason),
                (Some(reason), _) => Standing::Dropped(reason),
                (None, Standing::Held { .. }) => Standing::Held { may_ask: false },
                (None, _) if !is_admitted => Standing::Held { may_ask: false },
                (None, _) => match life(call).filter(|life| !life.may_begin()) {
                    Some(life) => Standing::Held { may_ask: life.asks().is_none() },
                    None => outer.clone(),
                },
            });
        }
        for (call, standing) in calls.iter().zip(standings) {
            if let Some(scope) = self.by_caller.get_mut(&Some(call.key.clone())) {
                scope.standing = standing;
            }
        }
    }
}
