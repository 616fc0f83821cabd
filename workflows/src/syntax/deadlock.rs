//! Concurrency groups that wait for themselves, as far as their names are written out: a job that asks for the place
//! that its workflow, or a call around it, has already.

use super::{Concurrency, Job, Workflow, diagnostic::Sink};
use crate::ids::JobId;

/// The name of a group as groups are compared; none where it is known only when it is evaluated.
fn name(concurrency: Option<&Concurrency>) -> Option<String> {
    let written = &concurrency?.group.value;
    (!crate::expr::has_expression(written) && !written.is_empty()).then(|| written.to_lowercase())
}

/// What holds a place while a job runs: the group's name, and what it is called in remarks.
#[derive(Debug, Clone)]
pub(super) struct Held {
    name: String,
    by: String,
}

impl Held {
    pub(super) fn by(&self) -> &str {
        &self.by
    }
}

pub(super) fn by_workflow(workflow: &Workflow) -> Option<Held> {
    Some(Held { name: name(workflow.concurrency.as_ref())?, by: format!("the workflow {}", workflow.file) })
}

pub(super) fn by_job(id: &JobId, job: &Job) -> Option<Held> {
    Some(Held { name: name(job.concurrency.as_ref())?, by: format!("the job `{id}` that calls it") })
}

/// Remarks on the jobs of a workflow that ask for a place that is `held` around them.
pub(super) fn check_jobs(workflow: &Workflow, held: &[Held], sink: &mut Sink<'_>) {
    for concurrency in workflow.jobs.values().filter_map(|job| job.concurrency.as_ref()) {
        let Some(holder) = holder(Some(concurrency), held) else { continue };
        let group = &concurrency.group;
        let message = format!("this job never starts: {} has the place in the group `{}`", holder.by, group.value);
        sink.warn(group.at, group.value.chars().count().clamp(1, 200) as u32, "concurrency-deadlock", message);
    }
}

/// Who around a workflow has the place that it asks for when it is called.
pub(super) fn holder<'h>(concurrency: Option<&Concurrency>, held: &'h [Held]) -> Option<&'h Held> {
    let name = name(concurrency)?;
    held.iter().find(|held| held.name == name)
}
