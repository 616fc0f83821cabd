//! Which workflow each job of a run belongs to: the run's own, or one that is called, however deep.

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{Conclusion, Group, JobView, Snapshot};
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
    /// Why a failed sibling of a call around it ends it; none where it does not.
    pub(super) stopped: Option<String>,
    /// `max-parallel` of a call around it has no room yet.
    pub(super) held: bool,
    secrets: Vec<Passing<'a>>,
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
            stopped: None,
            held: false,
            secrets: Vec::new(),
        };
        let mut rows: HashMap<JobKey, Vec<&JobView<'_>>> = HashMap::new();
        for view in snapshot.jobs {
            rows.entry(view.planned.key.group()).or_default().push(view);
        }
        let mut scopes = Self { snapshot: *snapshot, by_caller: HashMap::from([(None, root)]), rows };
        // A call stands before the groups within it, since they are made when it is.
        for (group, state) in snapshot.groups {
            if let Group::Called { .. } = state {
                scopes.enter(group);
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
        match expand(scope.workflow, &group.id()?, &scope.contexts, &needs, false) {
            Expansion::Calls(calls) => Some(
                calls
                    .into_iter()
                    .map(|call| PlannedCall { key: scope.key(&call.key), name: scope.name(&call.name), ..call })
                    .collect(),
            ),
            Expansion::Jobs(_) | Expansion::Skipped { .. } | Expansion::Invalid(_) => None,
        }
    }

    fn enter(&mut self, group: &JobKey) {
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
                stopped: outer.stopped.clone(),
                held: outer.held,
                secrets: passings,
            };
            self.by_caller.insert(Some(call.key.clone()), scope);
        }
        self.restrain(&calls);
    }

    /// Applies `fail-fast` and `max-parallel` to the rows of a call.
    fn restrain(&mut self, calls: &[PlannedCall]) {
        let strategy = |name: &str| calls.first().and_then(|call| call.strategy.get(name)).cloned();
        let fast = strategy("fail-fast").and_then(|fast| fast.as_bool()).unwrap_or(true);
        let most = strategy("max-parallel").and_then(|most| most.as_f64()).map_or(u64::MAX, |most| most as u64);
        let failed =
            calls.iter().find(|call| self.call_result(call).is_some_and(|result| result.result == Conclusion::Failure));
        let failed = failed.filter(|_| fast && calls.len() > 1).map(|call| format!("fail-fast: {} failed", call.name));
        let begun = |call: &PlannedCall| {
            let within = |group: &JobKey| group.caller().as_ref() == Some(&call.key);
            self.snapshot.groups.iter().any(|(group, state)| within(group) && *state != Group::Waiting)
        };
        let open = calls.iter().filter(|call| begun(call) && self.call_result(call).is_none()).count() as u64;
        let mut room = most.saturating_sub(open);
        let mut held = Vec::new();
        for call in calls.iter().filter(|call| !begun(call)) {
            match room.checked_sub(1) {
                Some(less) => room = less,
                None => held.push(call.key.clone()),
            }
        }
        for call in calls {
            let Some(scope) = self.by_caller.get_mut(&Some(call.key.clone())) else { continue };
            if scope.stopped.is_none() {
                scope.stopped = failed.clone();
            }
            // What is to end need not wait for room to do so.
            scope.held = (scope.held || held.contains(&call.key)) && scope.stopped.is_none();
        }
    }
}
