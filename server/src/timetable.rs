//! When the schedules of workflows are due. A push to the default branch says which schedules there are; what is due
//! starts on the branch's newest commit. A time that was missed, since the server was away, is made up for once.

use jiff::Timestamp;
use workflows::{
    cron::Cron,
    event::{Event, EventKind},
    syntax::Workflow,
};

use crate::{
    app::App,
    deliveries::PlanError,
    dispatch,
    store::{
        Change, Stored,
        engine::Direction,
        keys,
        records::{Repo, Scheduled, Timetable},
    },
};

/// Repositories with schedules that one look takes.
const MOST_REPOS: usize = 100_000;

/// Adds to a change what a push to the default branch says of schedules. `known` is what was known before.
pub fn learn<'w>(
    change: &mut Change,
    known: Option<&Stored<Timetable>>,
    event: &Event,
    workflows: impl Iterator<Item = &'w Workflow>,
    now: Timestamp,
) {
    let key = keys::timetable(&event.repo);
    let entries = entries(known.map_or(&[], |known| &known.record.entries), workflows, now);
    match known {
        None if entries.is_empty() => {}
        Some(known) if known.record.entries == entries => {}
        Some(known) if entries.is_empty() => {
            change.at(known).delete(&key);
        }
        known => {
            change.same(&key, known).put(key, &Timetable { repo: event.repo.clone(), entries });
        }
    }
}

/// Whether an event says which schedules there are.
pub fn teaches(event: &Event) -> bool {
    matches!(&event.kind, EventKind::Push { git_ref, .. }
        if git_ref.strip_prefix("refs/heads/") == Some(event.default_branch.as_str()))
}

/// What was due and did not start yet stays due.
fn entries<'w>(before: &[Scheduled], workflows: impl Iterator<Item = &'w Workflow>, now: Timestamp) -> Vec<Scheduled> {
    let mut entries: Vec<Scheduled> = Vec::new();
    for cron in workflows.flat_map(|workflow| &workflow.on.schedule).map(|entry| &entry.value) {
        if entries.iter().any(|known| known.cron == *cron) {
            continue;
        }
        let known = before.iter().find(|known| known.cron == *cron).cloned();
        let next = || cron.parse::<Cron>().ok()?.next_after(now);
        entries.extend(known.or_else(|| Some(Scheduled { cron: cron.clone(), next: next()? })));
    }
    entries
}

/// Starts everything that is due.
pub async fn look(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    for timetable in app.store.scan::<Timetable>(&keys::timetables(), Direction::Forward, MOST_REPOS).await? {
        if timetable.record.entries.iter().any(|entry| entry.next <= now) {
            start(app, &timetable, now).await?;
        }
    }
    Ok(())
}

async fn start(app: &App, timetable: &Stored<Timetable>, now: Timestamp) -> anyhow::Result<()> {
    let Timetable { repo, entries } = &timetable.record;
    let Some(known) = app.store.get::<Repo>(&keys::repo(repo)).await? else { return Ok(()) };
    let mut later = Vec::new();
    for entry in entries {
        if entry.next > now {
            later.push(entry.clone());
            continue;
        }
        match dispatch::scheduled(app, &known.record, &entry.cron, entry.next).await {
            Ok(_) => {
                let next = entry.cron.parse::<Cron>().ok().and_then(|cron| cron.next_after(now));
                later.extend(next.map(|next| Scheduled { cron: entry.cron.clone(), next }));
            }
            Err(PlanError::Forge(error)) => {
                // The next look tries again.
                tracing::warn!(%repo, cron = entry.cron, %error, "a schedule could not start");
                later.push(entry.clone());
            }
            Err(PlanError::Ours(error)) => return Err(error),
        }
    }
    let mut change = Change::default();
    change.at(timetable).put(keys::timetable(repo), &Timetable { repo: repo.clone(), entries: later });
    // Where a push taught us something else meanwhile, what started is recorded and does not start again.
    app.store.commit(change).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_that_stays_keeps_its_time() {
        let text = "on: { schedule: [{ cron: '0 4 * * *' }, { cron: '0 4 * * *' }, { cron: '30 5 * * *' }] }\njobs: {a: {runs-on: x}}";
        let workflow = workflows::syntax::parse("w.yml", text).0.unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let due = Scheduled { cron: "0 4 * * *".to_owned(), next: at("2026-11-27T04:00:00Z") };
        let gone = Scheduled { cron: "0 1 * * *".to_owned(), next: at("2026-11-28T01:00:00Z") };
        let found = entries(&[due.clone(), gone], [&workflow].into_iter(), at("2026-11-27T04:00:02Z"));
        let new = Scheduled { cron: "30 5 * * *".to_owned(), next: at("2026-11-27T05:30:00Z") };
        assert_eq!(found, [due, new]);
    }
}
