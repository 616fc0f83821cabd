use std::{collections::BTreeMap, ops::Bound};

use anyhow::Context;
use jiff::SignedDuration;
use rand::RngExt;
use workflows::{
    protocol::{Claim, ClaimRequest, JobSpec, Lease},
    run::{JobEvent, JobState, job_context},
};

use crate::{
    app::App,
    gate,
    leases::hopeless,
    runs, schedule, settings,
    store::{
        Change, Stored,
        engine::Direction,
        keys,
        records::{self, Job, Queued, Repo, Run, Runner},
    },
};

/// Queue entries read at once.
const PAGE: usize = 64;

/// Gives the runner the oldest job that fits it; none where there is none.
pub async fn claim(app: &App, request: &ClaimRequest) -> anyhow::Result<Option<Claim>> {
    let queue = keys::queue();
    let mut from = Bound::Included(queue.as_bytes().to_vec());
    loop {
        let range = (from, Bound::Excluded(queue.after_prefix()));
        let page = app.store.scan_range::<Queued>(range, Direction::Forward, PAGE).await?;
        for queued in page.iter().filter(|queued| schedule::fits(&queued.record, request)) {
            match take(app, request, queued).await {
                Ok(Some(claim)) => return Ok(Some(claim)),
                Ok(None) => {}
                // One job that cannot be handed out must not keep runners from the others.
                Err(error) => {
                    let job = queued.record.job.external_id();
                    tracing::error!(job, error = format!("{error:#}"), "a job cannot be handed out");
                }
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => from = Bound::Excluded(last.key.clone()),
            Some(_) | None => return Ok(None),
        }
    }
}

/// Takes one job; none where somebody else was faster.
async fn take(app: &App, request: &ClaimRequest, queued: &Stored<Queued>) -> anyhow::Result<Option<Claim>> {
    let id = &queued.record.job;
    let job_key = keys::job(id);
    let job = app.store.get::<Job>(&job_key).await?;
    let Some(job) = job.filter(|job| matches!(job.record.life.state, JobState::Queued { .. })) else {
        let mut change = Change::default();
        change.at(queued).delete_stored(queued);
        app.store.commit(change).await?;
        return Ok(None);
    };
    let run = app.store.get::<Run>(&keys::run(&id.repo, id.run)).await?.context("the job's run is missing")?.record;
    let spec = match spec(app, &run, &job.record).await {
        Ok(spec) => spec,
        Err(error) => return hopeless::unless_temporary(app, queued, &job, error).await.map(|()| None),
    };

    let now = app.store.now().await?;
    let claimed = JobEvent::Claimed { runner: request.runner.name.clone() };
    let life = job.record.life.clone().apply(claimed, app.clock.now())?;
    let ttl = app.config.lease_ttl_s;
    let lease = records::Lease {
        id: hex::encode(rand::rng().random::<[u8; 16]>()),
        job: id.clone(),
        token: life.token,
        runner: request.runner.name.clone(),
        gpus: schedule::gpus(&queued.record, request),
        expires_at: now + SignedDuration::from_secs(ttl.into()),
        ttl_s: ttl,
    };
    let runner = Some(Box::new(request.runner.clone()));
    let record = Job { life, runner, gpus: lease.gpus.clone(), steps: vec![], ..job.record.clone() };
    let mut change = Change::default();
    change.at(queued).delete_stored(queued).at(&job).put(job_key, &record).put(keys::lease(&lease.id), &lease);
    let seen = Runner { facts: request.runner.clone(), seen_at: now };
    change.put(keys::runner(&request.runner.name), &seen);
    if !app.store.commit(change).await? {
        return Ok(None);
    }
    tracing::info!(job = id.external_id(), runner = lease.runner, "job claimed");
    runs::show(app, &run);
    let records::Lease { id, token, expires_at, ttl_s, gpus, .. } = lease;
    Ok(Some(Claim { lease: Lease { id, token, expires_at, ttl_s, gpus }, job: spec }))
}

/// Everything that the runner needs to know of the job.
async fn spec(app: &App, run: &Run, job: &Job) -> anyhow::Result<JobSpec> {
    let workflows = runs::workflows(app, run).await?;
    let known = runs::contexts(app, run, &workflows.own).await?;
    let draft = runs::load(app, run.clone()).await?;
    // A stranger's code is given nothing that it could tell.
    let secrets = match run.event.kind.is_trusted() {
        true => settings::secrets(app, &run.repo).await?,
        false => BTreeMap::new(),
    };
    let (written, contexts, secrets, layers, file) = draft
        .with_snapshot(&workflows, &known, |snapshot| {
            let found = job_context(snapshot, &job.planned, &secrets)?;
            let layers = JobSpec::workflow_layers(found.workflow, found.job);
            Some((found.job.clone(), found.contexts, found.secrets, layers, found.workflow.file.clone()))
        })
        .context("the job is not in its workflow")?;
    let (workflow_env, workflow_defaults) = layers;
    let repo = app.store.get::<Repo>(&keys::repo(&run.repo)).await?.context("the job's repository is missing")?;
    let checkout = app.forges.checkout(&repo.record, &run.event.kind).await?;
    let baseline = gate::of_job(app, run, &written, &checkout).await?;
    Ok(JobSpec {
        repo: run.repo.clone(),
        run_number: run.number,
        attempt: run.attempt,
        key: job.planned.key.clone(),
        name: job.planned.name.clone(),
        checkout,
        job: written,
        workflow_env,
        workflow_defaults,
        contexts,
        secrets,
        timeout_minutes: job.planned.timeout_minutes,
        workflow_file: file,
        trusted: run.event.kind.is_trusted(),
        baseline,
    })
}
