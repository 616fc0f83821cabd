//! Concurrency groups, where one run is alone: the only one that can be in the way of a job is what it is part of.

use indexmap::IndexMap;
use workflows::{
    ids::JobKey,
    plan::JobConcurrency,
    run::{Group, TOP_LEVEL, call_life, deadlock, lives_around},
};

/// Why a job that asks for a place would wait for itself; none where it would not.
pub(super) fn deadlock_of_job(
    run: Option<&JobConcurrency>,
    groups: &IndexMap<JobKey, Group>,
    job: &JobKey,
    wanted: &JobConcurrency,
) -> Option<String> {
    let calls = lives_around(groups, job).map(|life| (life.key.as_str(), life.held()));
    let mut around = calls.chain(run.map(|run| (TOP_LEVEL, std::slice::from_ref(run))));
    let (holder, _) = around.find(|(_, held)| held.iter().any(|held| held.is_one_with(wanted)))?;
    Some(deadlock(&wanted.group, holder, job.as_str()))
}

/// As [`deadlock_of_job`], of a call that asks.
pub(super) fn deadlock_of_call(
    run: Option<&JobConcurrency>,
    groups: &IndexMap<JobKey, Group>,
    call: &JobKey,
) -> Option<String> {
    let life = call_life(groups, call)?;
    let (wanted, _) = life.asks()?;
    life.deadlock_with_itself().or_else(|| deadlock_of_job(run, groups, call, wanted))
}
