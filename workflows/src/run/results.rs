//! How jobs have ended, all rows and all called workflows together.

use indexmap::IndexMap;

use super::{Conclusion, Group, merge_outputs, roll_up, scope::Scopes};
use crate::{
    ids::{JobId, JobKey},
    plan::{NeedResult, PlannedCall, call_outputs},
};

impl<'a> Scopes<'a> {
    /// How the jobs that one needs, directly or through others, have ended; none while one has not.
    pub(super) fn need_results(&self, group: &JobKey) -> Option<IndexMap<JobId, NeedResult>> {
        let scope = self.of(group)?;
        let jobs = &scope.workflow.jobs;
        // Needs name jobs without regard to case.
        let known = |need: &JobId| jobs.keys().find(|id| id.as_str().eq_ignore_ascii_case(need.as_str())).cloned();
        let needs = |job: &JobId| jobs.get(job).map(|job| job.needs.iter().map(|need| &need.value));
        let mut results = IndexMap::new();
        let mut open: Vec<JobId> = needs(&group.id()?)?.map(known).collect::<Option<_>>()?;
        while let Some(need) = open.pop() {
            if results.contains_key(&need) {
                continue;
            }
            let result = self.result(&scope.key(&JobKey::new(&need, None)))?;
            let further: Vec<JobId> = needs(&need)?.map(known).collect::<Option<_>>()?;
            open.extend(further);
            results.insert(need, result);
        }
        Some(results)
    }

    pub(super) fn result(&self, group: &JobKey) -> Option<NeedResult> {
        match self.snapshot().groups.get(group)? {
            Group::Waiting => None,
            Group::Skipped { .. } => Some(NeedResult { result: Conclusion::Skipped, outputs: IndexMap::new() }),
            Group::Cancelled { .. } => Some(NeedResult { result: Conclusion::Cancelled, outputs: IndexMap::new() }),
            Group::Invalid { .. } => Some(NeedResult { result: Conclusion::Failure, outputs: IndexMap::new() }),
            Group::Expanded { rows } => {
                let views = self.rows(group);
                if views.len() < *rows as usize {
                    return None;
                }
                let mut ended = Vec::with_capacity(views.len());
                for view in views {
                    ended.push((view.life.conclusion()?, view.planned.continue_on_error));
                }
                let outputs = merge_outputs(views.iter().map(|view| view.outputs));
                Some(NeedResult { result: roll_up(ended), outputs })
            }
            Group::Called { .. } => {
                let calls = self.calls(group)?;
                let results: Vec<NeedResult> =
                    calls.iter().map(|call| self.call_result(call)).collect::<Option<_>>()?;
                let result = roll_up(results.iter().map(|result| (result.result, false)));
                Some(NeedResult { result, outputs: merge_outputs(results.iter().map(|result| &result.outputs)) })
            }
        }
    }

    /// How one call ended, with what its workflow hands back; none while a job of it has not ended.
    pub(super) fn call_result(&self, call: &PlannedCall) -> Option<NeedResult> {
        let scope = self.called_by(&call.key)?;
        let mut jobs = IndexMap::with_capacity(scope.workflow.jobs.len());
        for id in scope.workflow.jobs.keys() {
            jobs.insert(id.clone(), self.result(&scope.key(&JobKey::new(id, None)))?);
        }
        let result = roll_up(jobs.values().map(|result| (result.result, false)));
        let takes = scope.workflow.on.workflow_call.as_ref()?;
        Some(NeedResult { result, outputs: call_outputs(takes, &jobs, &scope.contexts) })
    }

    /// Of the run, once every job of its own workflow has ended.
    pub(super) fn conclusion(&self) -> Option<Conclusion> {
        let mut ended = Vec::new();
        for group in self.snapshot().groups.keys().filter(|group| group.caller().is_none()) {
            ended.push((self.result(group)?.result, false));
        }
        Some(roll_up(ended))
    }
}
