//! One run, brought as far as it can go.

use std::sync::Arc;

use anyhow::Context;
use indexmap::IndexMap;
use serde_json::{Map, Value};
use workflows::{
    ids::{Digest, Forge, RepoName},
    plan,
    syntax::{Called, Workflow},
};

use crate::{
    app::App,
    concurrency,
    draft::{Draft, DraftJob, KEYS_PER_JOB},
    intake,
    reconcile::Nudge,
    settings,
    store::{
        Change, Stored,
        engine::Direction,
        keys,
        records::{Job, Run, RunState, Text},
    },
    workflow_cache::Parsed,
};

/// Most jobs of one run: 256 rows of each of the largest sensible number of jobs.
const MOST_JOBS: usize = 16 * 1024;

/// Does for a run what can be done now. Harmless to repeat.
pub async fn reconcile(app: &App, repo: &RepoName, number: u64) -> anyhow::Result<()> {
    loop {
        let Some(stored) = app.store.get::<Run>(&keys::run(repo, number)).await? else { return Ok(()) };
        match stored.record.state {
            RunState::Completed { .. } => return Ok(()),
            RunState::Pending { since } => {
                if !concurrency::enter(app, &stored, since).await? {
                    return Ok(());
                }
                continue;
            }
            RunState::InProgress { .. } => {}
        }
        let workflows = workflows(app, &stored.record).await?;
        let mut draft = load(app, stored.record.clone()).await?;
        let contexts = contexts(app, &draft.run, &workflows.own).await?;
        draft.advance(&workflows, &contexts, app.clock.now());
        if draft.changed_jobs() == 0 && !draft.run_changed {
            match draft.asks_for_places() && places_asked(app, &stored).await? {
                true => continue,
                false => return Ok(()),
            }
        }
        if write(app, &stored, &draft).await? {
            concurrency::leave_calls(app, &draft.run, &draft.ended_calls).await?;
            if draft.run.conclusion().is_some() {
                return concluded(app, &draft.run).await;
            }
            show(app, &draft.run);
        }
    }
}

/// Asks for a place for every call and every job that waits for one; true where something changed by it.
async fn places_asked(app: &App, run: &Stored<Run>) -> anyhow::Result<bool> {
    let mut changed = concurrency::enter_calls(app, run).await?;
    for job in jobs(app, &run.record).await? {
        changed |= concurrency::enter_job(app, &job).await?;
    }
    Ok(changed)
}

/// Writes a draft, in as many commits as it takes; false where there is more to do or something
/// changed under us.
async fn write(app: &App, read: &Stored<Run>, draft: &Draft) -> anyhow::Result<bool> {
    let mut change = Change::default();
    change.at(read);
    let most = (change.room() - KEYS_PER_JOB) / KEYS_PER_JOB;
    let all = draft.write(&mut change, most);
    Ok(app.store.commit(change).await? && all)
}

async fn concluded(app: &App, run: &Run) -> anyhow::Result<()> {
    tracing::info!(repo = %run.repo, run = run.number, conclusion = ?run.conclusion(), "run concluded");
    concurrency::leave(app, run).await?;
    app.nudges.nudge(Nudge::Commit { repo: run.repo.clone(), sha: run.head.clone() });
    Ok(())
}

/// Has the forge told how the run stands. The local forge is told nothing.
pub fn show(app: &App, run: &Run) {
    match run.event.forge {
        Forge::Local => {}
        Forge::Github => app.nudges.nudge(Nudge::Commit { repo: run.repo.clone(), sha: run.head.clone() }),
    }
}

/// The run with the jobs of its present attempt.
pub async fn load(app: &App, run: Run) -> anyhow::Result<Draft> {
    let jobs = jobs(app, &run).await?;
    Ok(Draft::new(run, jobs.into_iter().map(DraftJob::read).collect()))
}

/// Jobs of the run's present attempt.
pub async fn jobs(app: &App, run: &Run) -> anyhow::Result<Vec<Stored<Job>>> {
    let prefix = keys::jobs(&run.repo, run.number, run.attempt);
    Ok(app.store.scan(&prefix, Direction::Forward, MOST_JOBS).await?)
}

/// A run's workflow and those that it calls.
pub struct Workflows {
    pub own: Arc<Workflow>,
    pub called: Called,
}

/// The run's workflows, as they were when the run was planned.
pub async fn workflows(app: &App, run: &Run) -> anyhow::Result<Workflows> {
    let own = workflow(app, run).await?;
    let mut called = Called::with_capacity(run.called.len());
    for (path, digest) in &run.called {
        let parsed = parsed(app, file_of(path), digest).await?;
        let workflow = parsed.workflow.with_context(|| format!("{path} cannot be read any more"))?;
        called.insert(path.clone(), workflow);
    }
    Ok(Workflows { own, called })
}

/// The file in the repository that a local `uses` names.
pub fn file_of(uses: &str) -> &str {
    uses.trim_start_matches("./")
}

/// The run's own workflow, as it was when the run was planned.
pub async fn workflow(app: &App, run: &Run) -> anyhow::Result<Arc<Workflow>> {
    let parsed = parsed(app, &run.workflow_file, &run.workflow).await?;
    parsed.workflow.with_context(|| format!("{} of run {} cannot be read any more", run.workflow_file, run.number))
}

async fn parsed(app: &App, file: &str, digest: &Digest) -> anyhow::Result<Parsed> {
    if let Some(parsed) = app.workflows.get(file, digest) {
        return Ok(parsed);
    }
    let text = app.store.get::<Text>(&keys::text(digest)).await?.context("a workflow's text is missing")?;
    Ok(app.workflows.parse(file, digest, &text.record.text))
}

/// The contexts that are known before any job starts.
pub async fn contexts(app: &App, run: &Run, workflow: &Workflow) -> anyhow::Result<IndexMap<String, Value>> {
    let payload = intake::payload(app, &run.event, &run.body).await?;
    Ok(contexts_with(app, run, workflow, payload, settings::vars(app, &run.repo).await?))
}

/// As [`contexts`], with the payload and the repository's variables at hand.
pub fn contexts_with(
    app: &App,
    run: &Run,
    workflow: &Workflow,
    payload: Value,
    vars: Map<String, Value>,
) -> IndexMap<String, Value> {
    let event = workflows::event::Event { payload, ..run.event.clone() };
    let github = plan::github_context(&event, workflow, run.number, run.attempt);
    let assay = serde_json::json!({
        "server_url": app.public_url,
        "run_url": app.run_url(&run.repo, run.number),
    });
    IndexMap::from([
        ("github".to_owned(), github),
        ("vars".to_owned(), Value::Object(vars)),
        ("inputs".to_owned(), plan::dispatch_inputs(workflow, &event)),
        ("assay".to_owned(), assay),
    ])
}
