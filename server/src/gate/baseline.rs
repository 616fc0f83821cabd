//! What a head commit is compared with: its base's own results, what a step of the head measured of the base beside
//! its own, or, named as such, the results of the base's nearest ancestor that has some.

use workflows::{
    compare,
    gate::{Side, is_chosen},
    ids::{RepoName, Sha},
    protocol::{self, CheckoutSpec, KnownEvaluation},
    report::Ran,
    syntax::{self, ActionRef, BuiltinAction, StepAction},
};

use super::{
    Failure,
    evidence::{self, Evidence},
};
use crate::{
    app::App,
    history::{self, Filter},
    runs,
    store::{
        Stored,
        engine::Direction,
        keys,
        records::{Delivery, DeliveryState, FileOutcome, HeadCommit, Planning, PolicySource, Repo, Run},
    },
};

/// Runs of the base's branch among which an evaluated ancestor is looked for, and how often the forge is asked
/// whether one is an ancestor.
const MOST_RUNS: usize = 50;
const MOST_ASKED: usize = 10;

/// What the runner that takes a job must know of the commit that it will be compared with. None where there is
/// nothing before it, or the job measures nothing that we can measure of the base too.
pub async fn of_job(
    app: &App,
    run: &Run,
    job: &syntax::Job,
    checkout: &CheckoutSpec,
) -> anyhow::Result<Option<protocol::Baseline>> {
    if !measures(job) {
        return Ok(None);
    }
    let Some(commit) = app.store.get::<HeadCommit>(&keys::commit(&run.repo, &run.head)).await? else { return Ok(None) };
    let Some(planning) = decisive(&commit.record.plannings) else { return Ok(None) };
    let Some(sha) = planning.base.clone().filter(|base| *base != run.head) else { return Ok(None) };
    let known = known(app, &run.repo, &sha).await?;
    // The same repository, and the same right to read it.
    let checkout = CheckoutSpec { sha: sha.clone(), git_ref: None, ..checkout.clone() };
    let blocks = commit.record.repetitions.iter().rev().find(|repetition| repetition.run == run.number);
    let blocks = blocks.and_then(|repetition| repetition.blocks);
    // What a stranger's code says of our gate counts for nothing.
    let self_check = is_trusted(run) && is_chosen(planning.self_check, run.head.as_str());
    Ok(Some(protocol::Baseline { sha, checkout, known, blocks, self_check }))
}

/// Whether a step of the job can evaluate the base's model beside the head's. What an action of the repository
/// does is known when it runs.
fn measures(job: &syntax::Job) -> bool {
    job.steps().iter().any(|step| match &step.action {
        StepAction::Uses { uses: ActionRef::Local(_), .. } => true,
        StepAction::Uses { uses: ActionRef::Builtin(action), .. } => match action {
            BuiltinAction::Eval | BuiltinAction::Bench => true,
            BuiltinAction::Checkout
            | BuiltinAction::Inspect
            | BuiltinAction::UploadArtifact
            | BuiltinAction::DownloadArtifact
            | BuiltinAction::Cache => false,
        },
        StepAction::Uses { uses: ActionRef::Unknown(_), .. } | StepAction::Run { .. } => false,
    })
}

/// What trusted runs of a commit evaluated; nothing while one of them is under way.
async fn known(app: &App, repo: &RepoName, sha: &Sha) -> anyhow::Result<Vec<KnownEvaluation>> {
    let Some(commit) = app.store.get::<HeadCommit>(&keys::commit(repo, sha)).await? else { return Ok(vec![]) };
    let mut known = Vec::new();
    for run in settled_runs(app, &commit.record, is_trusted).await?.unwrap_or_default() {
        for job in runs::jobs(app, &run).await? {
            let evaluations = job.record.result.iter().flat_map(|result| &result.evaluations);
            known.extend(evaluations.map(|evaluation| KnownEvaluation::of(job.record.id.key.as_str(), evaluation)));
        }
    }
    Ok(known)
}

/// What a stranger's code said of itself is nobody's baseline.
pub(super) fn is_trusted(run: &Run) -> bool {
    run.event.kind.is_trusted()
}

/// What a head's evidence is compared with.
#[derive(Default)]
pub(super) struct Baseline {
    /// None where there is nothing to compare with.
    pub(super) sides: Option<Vec<Side>>,
    /// The commit whose results stand in for those that the base does not have.
    pub(super) ancestor: Option<Sha>,
    /// Where the base's own runs, and the ancestor's, evaluated.
    pub(super) ran: Vec<Ran>,
}

/// Finds it; none while the base's runs are under way.
pub(super) async fn find(
    app: &App,
    repo: &Repo,
    commit: &HeadCommit,
    planning: &Planning,
    head: &Evidence,
) -> Result<Option<Baseline>, Failure> {
    let Some(base) = &planning.base else { return Ok(Some(Baseline::default())) };
    let (own, mut ran) = match base_evidence(app, &commit.repo, base, planning).await? {
        Base::StillRunning => return Ok(None),
        Base::NeverRan => (None, Vec::new()),
        Base::Ran(evidence) => (Some(evidence.sides), evidence.ran),
    };
    // A run of another event of this commit may have measured another base.
    let of_base = head.beside.iter().filter(|(sha, _)| sha.as_ref().is_none_or(|sha| sha == base));
    let sides = compare::with_beside(own, of_base.map(|(_, side)| side.clone()).collect());
    let found = sides.as_deref().unwrap_or_default();
    let has = |side: &Side| found.iter().any(|base| base.name == side.name);
    let missing: Vec<&Side> = head.sides.iter().filter(|side| !has(side)).collect();
    if missing.is_empty() {
        return Ok(Some(Baseline { sides, ancestor: None, ran }));
    }
    let Some((sha, older)) = nearest_evaluated(app, repo, commit, planning, base).await? else {
        return Ok(Some(Baseline { sides, ancestor: None, ran }));
    };
    ran.extend(older.ran);
    let stand_ins = older.sides.into_iter().filter(|older| missing.iter().any(|side| side.name == older.name));
    let (all, before) = (found.iter().cloned().chain(stand_ins).collect::<Vec<_>>(), found.len());
    let ancestor = (all.len() > before).then_some(sha);
    Ok(Some(Baseline { sides: if all.is_empty() { sides } else { Some(all) }, ancestor, ran }))
}

/// The newest commit of the base's branch that is an ancestor of the base and was evaluated by trusted runs.
async fn nearest_evaluated(
    app: &App,
    repo: &Repo,
    commit: &HeadCommit,
    planning: &Planning,
    base: &Sha,
) -> Result<Option<(Sha, Evidence)>, Failure> {
    let Some(branch) = &planning.branch else { return Ok(None) };
    let filter = Filter { branch: Some(branch.clone()), conclusion: None };
    let newest = history::runs(app, &repo.name, &filter, None, MOST_RUNS).await?;
    let mut candidates: Vec<Sha> = Vec::new();
    for run in newest.runs.into_iter().filter(is_trusted) {
        if run.head != *base && run.head != commit.sha && !candidates.contains(&run.head) {
            candidates.push(run.head);
        }
    }
    for sha in candidates.into_iter().take(MOST_ASKED) {
        if app.forges.merge_base(repo, &sha, base).await?.as_ref() != Some(&sha) {
            continue;
        }
        if let Base::Ran(evidence) = base_evidence(app, &repo.name, &sha, planning).await?
            && !evidence.sides.is_empty()
        {
            return Ok(Some((sha, *evidence)));
        }
    }
    Ok(None)
}

/// The event that decides what the commit is compared with: a wish to merge it, else its push.
pub(super) fn decisive(plannings: &[Planning]) -> Option<&Planning> {
    let judged_by_base = |planning: &&Planning| matches!(planning.policy, PolicySource::Base { .. });
    plannings.iter().rev().find(judged_by_base).or(plannings.last())
}

/// The runs of a commit that count, newest of each workflow file; none while one of them, or an event, is open.
pub(super) async fn settled_runs(
    app: &App,
    commit: &HeadCommit,
    counts: impl Fn(&Run) -> bool,
) -> Result<Option<Vec<Run>>, Failure> {
    let mut runs: indexmap::IndexMap<String, Run> = indexmap::IndexMap::new();
    for planning in &commit.plannings {
        if !planning.complete {
            return Ok(None);
        }
        for file in &planning.files {
            let FileOutcome::Run { number, .. } = file else { continue };
            let Some(run) = app.store.get::<Run>(&keys::run(&commit.repo, *number)).await? else { continue };
            if !counts(&run.record) {
                continue;
            }
            if run.record.conclusion().is_none() {
                return Ok(None);
            }
            runs.insert(run.record.workflow_file.clone(), run.record);
        }
    }
    Ok(Some(runs.into_values().collect()))
}

enum Base {
    StillRunning,
    NeverRan,
    Ran(Box<Evidence>),
}

async fn base_evidence(app: &App, repo: &RepoName, base: &Sha, planning: &Planning) -> Result<Base, Failure> {
    let Some(commit) = app.store.get::<HeadCommit>(&keys::commit(repo, base)).await? else {
        return Ok(if is_base_announced(app, planning).await? { Base::StillRunning } else { Base::NeverRan });
    };
    match settled_runs(app, &commit.record, is_trusted).await? {
        None => Ok(Base::StillRunning),
        Some(runs) if runs.is_empty() => Ok(Base::NeverRan),
        Some(runs) => Ok(Base::Ran(Box::new(evidence::load(app, &runs).await?))),
    }
}

/// Whether an earlier delivery, which may be the base's, was not planned yet. One that failed before
/// may fail for long: nobody waits for it.
async fn is_base_announced(app: &App, planning: &Planning) -> Result<bool, Failure> {
    const MOST_LOOKED_AT: usize = 100;
    for key in app.store.scan_keys(&keys::open_deliveries(), Direction::Forward, MOST_LOOKED_AT).await? {
        let [forge, guid] = &keys::texts(&key)[..] else { continue };
        let forge = if forge == "github" { workflows::ids::Forge::Github } else { workflows::ids::Forge::Local };
        let delivery: Option<Stored<Delivery>> = app.store.get(&keys::delivery(forge, guid)).await?;
        let fresh = |delivery: &Delivery| {
            matches!(delivery.state, DeliveryState::Open { failures: 0, .. }) && delivery.received_at <= planning.at
        };
        if delivery.is_some_and(|delivery| fresh(&delivery.record)) {
            return Ok(true);
        }
    }
    Ok(false)
}
