//! The check run `assay/gate` of a head commit: exactly one, and it always concludes.
//!
//! It waits until every run of the commit has ended, and those of the base too; then it compares what
//! they measured by the base's policy, or says why there was nothing to compare.

mod baseline;
mod evidence;
mod history;
mod policy;
mod repeat;
mod self_check;
mod wording;

use std::time::Duration;

use jiff::SignedDuration;
use workflows::{
    gate::{Policy, Side, Verdict, judge},
    ids::{Forge, RepoName, Sha},
    report::{CheckOutput, NothingJudged, Setting},
    run::Conclusion,
};

pub(crate) use self::policy::of_files;
pub use self::{baseline::of_job, self_check::false_alarms};
use self::{
    baseline::{Baseline, decisive, settled_runs},
    evidence::Evidence,
    policy::PolicyFound,
    wording::{About, Decided, Found},
};
use crate::{
    app::App,
    deliveries::backoff,
    forge::ForgeError,
    reconcile::Nudge,
    store::{
        Change, Stored,
        engine::Direction,
        keys,
        records::{
            Acceptance, Binding, FileOutcome, Gate, GateReport, HeadCommit, PolicySource, Repetition, Repo, Run,
            SelfChecked, Wait,
        },
    },
};

/// Its name on the forge: what people require in their branch protection.
pub const CHECK_NAME: &str = "assay/gate";

/// What finds it again on the forge.
pub fn external_id(commit: &HeadCommit) -> String {
    match commit.gate_round {
        0 => format!("gate/{}", commit.sha),
        round => format!("gate/{}/{round}", commit.sha),
    }
}

/// Head commits of one repository that may wait for one base.
const MOST_WAITING: usize = 1000;

/// Does for a head commit what can be done now. Harmless to repeat.
pub async fn reconcile(app: &App, repo: &RepoName, sha: &Sha) -> anyhow::Result<()> {
    loop {
        let key = keys::commit(repo, sha);
        let Some(commit) = app.store.get::<HeadCommit>(&key).await? else { return Ok(()) };
        let since = match &commit.record.gate {
            Gate::Pending { since } => *since,
            Gate::Concluded(_) => return crate::checks::reconcile(app, &commit).await,
        };
        if commit.record.wait.is_some_and(|wait| wait.until > app.clock.now()) {
            return crate::checks::reconcile(app, &commit).await;
        }
        let judged = match judge_commit(app, &commit.record).await {
            Ok(Some(judged)) => judged,
            Ok(None) => return crate::checks::reconcile(app, &commit).await,
            Err(Failure::Forge(ForgeError::Transient { reason, after })) => {
                tracing::warn!(%repo, %sha, reason, "the gate waits for the forge");
                return postpone(app, &commit, after).await;
            }
            // A gate that cannot be judged must not stay open for ever.
            Err(Failure::Forge(ForgeError::Gone(reason) | ForgeError::Unusable(reason))) => wording::unusable(&reason),
            Err(Failure::Ours(error)) => return Err(error),
        };
        if let Some(repetition) = &judged.repetition
            && self::repeat::start(app, &commit, repetition.clone()).await?
        {
            continue;
        }
        let self_check = judged.self_check.clone();
        let report = judged.into_report(since, app.clock.now());
        tracing::info!(%repo, %sha, conclusion = %report.conclusion, title = report.title, "gate concluded");
        let record = HeadCommit { gate: Gate::Concluded(Box::new(report)), wait: None, ..commit.record.clone() };
        let mut change = Change::default();
        change.at(&commit).put(key, &record);
        if let Some(checked) = &self_check {
            tracing::info!(%repo, %sha, false_alarm = checked.check.is_false_alarm(), "the gate checked itself");
            change.put(keys::self_checked(repo, sha), checked);
        }
        let nobody_to_tell = crate::checks::are_only_ours(app, repo).await?;
        if nobody_to_tell {
            change.delete(&keys::open_commit(repo, sha));
        }
        if app.store.commit(change).await? {
            wake_waiting(app, repo, sha).await?;
            if nobody_to_tell {
                return Ok(());
            }
        }
    }
}

/// Until the time that the forge named, or for longer each time; the sweep comes back to it.
async fn postpone(app: &App, commit: &Stored<HeadCommit>, after: Option<Duration>) -> anyhow::Result<()> {
    let failures = commit.record.wait.map_or(0, |wait| wait.failures) + 1;
    let pause = SignedDuration::try_from(after.unwrap_or_else(|| backoff(failures)))?;
    let wait = Some(Wait { failures, until: app.clock.now() + pause });
    let HeadCommit { repo, sha, .. } = &commit.record;
    let mut change = Change::default();
    change.at(commit).put(keys::commit(repo, sha), &HeadCommit { wait, ..commit.record.clone() });
    // A conflict means that there is news, and that somebody looks again.
    app.store.commit(change).await?;
    Ok(())
}

/// Others may have waited for this commit as their base.
async fn wake_waiting(app: &App, repo: &RepoName, sha: &Sha) -> anyhow::Result<()> {
    for key in app.store.scan_keys(&keys::open_commits_of(repo), Direction::Forward, MOST_WAITING).await? {
        if let Some(other) = keys::texts(&key).get(1).and_then(|text| text.parse::<Sha>().ok())
            && other != *sha
        {
            app.nudges.nudge(Nudge::Commit { repo: repo.clone(), sha: other });
        }
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Forge(#[from] ForgeError),
    #[error(transparent)]
    Ours(#[from] anyhow::Error),
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Failure::Ours(error.into())
    }
}

/// What the gate says.
struct Judged {
    conclusion: Conclusion,
    output: CheckOutput,
    verdict: Option<Verdict>,
    base: Option<Sha>,
    acceptance: Option<Acceptance>,
    binding: Option<Binding>,
    /// A benchmark is to be repeated first.
    repetition: Option<Repetition>,
    /// What the gate said of the base against itself.
    self_check: Option<SelfChecked>,
}

impl Judged {
    /// Without a verdict.
    fn unjudged(conclusion: Conclusion, output: CheckOutput) -> Self {
        Self {
            conclusion,
            output,
            verdict: None,
            base: None,
            acceptance: None,
            binding: None,
            repetition: None,
            self_check: None,
        }
    }

    fn into_report(self, since: jiff::Timestamp, at: jiff::Timestamp) -> GateReport {
        let Self { conclusion, output, verdict, base, acceptance, binding, repetition: _, self_check: _ } = self;
        let CheckOutput { title, summary, text, annotations } = output;
        let text = (!text.is_empty()).then_some(text);
        GateReport { since, at, conclusion, title, summary, text, annotations, verdict, base, acceptance, binding }
    }
}

/// The gate's answer; none while something has not ended yet.
async fn judge_commit(app: &App, commit: &HeadCommit) -> Result<Option<Judged>, Failure> {
    let Some(runs) = settled_runs(app, commit, |_| true).await? else { return Ok(None) };
    let Some(planning) = decisive(&commit.plannings) else { return Ok(None) };
    let files: Vec<&FileOutcome> = commit.plannings.iter().flat_map(|planning| &planning.files).collect();
    let about = About { app, commit, base: planning.base.as_ref(), ancestor: None, setting: Setting::Page };
    if let Some(invalid) = wording::invalid_files(&files) {
        return Ok(Some(about.nothing(&invalid)));
    }
    if runs.is_empty() {
        return Ok(Some(about.nothing(&wording::nothing_ran(&files))));
    }
    let stored = app.store.get::<Repo>(&keys::repo(&commit.repo)).await?;
    let Some(repo) = stored.map(|repo| repo.record) else { return Ok(None) };

    let setting = match repo.forge {
        Forge::Local => Setting::Page,
        Forge::Github => Setting::PageAndButton,
    };
    let about = About { setting, ..about };

    let mut head = evidence::load(app, &runs).await?;
    let failed: Vec<&Run> = runs.iter().filter(|run| run.conclusion().is_some_and(|own| !own.passes())).collect();
    if head.sides.is_empty()
        && let Some(why) = why_nothing_evaluated(&failed, &head)
    {
        return Ok(Some(about.nothing(&why)));
    }
    let found = match policy::find(app, &repo, planning, &commit.sha).await? {
        PolicyFound::Policy(found) => found,
        PolicyFound::None { gate_on_head } => {
            // A local repository has no other check that could be required.
            let failed = why_nothing_evaluated(&failed, &head);
            return Ok(Some(about.nothing(&failed.unwrap_or(NothingJudged::NoGate { gate_on_head }))));
        }
    };
    if head.sides.is_empty() {
        return Ok(Some(about.nothing(&NothingJudged::NothingEvaluated)));
    }
    let Some(baseline) = baseline::find(app, &repo, commit, planning, &head).await? else { return Ok(None) };
    let Baseline { mut sides, ancestor, ran } = baseline;
    for own in head.ran.iter_mut().filter(|own| own.base_outcomes.is_none()) {
        let of_base = ran.iter().find(|base| base.evaluation == own.evaluation && base.job == own.job);
        own.base_outcomes = of_base.and_then(|base| base.head_outcomes.clone());
    }
    history::add(app, commit, planning, &found.policy, sides.as_deref_mut().unwrap_or_default()).await?;
    let base = planning.base.as_ref().filter(|_| sides.is_some());
    let verdict = judge_on_its_own_thread(&found, &head, sides).await?;
    let mut acceptances = match &planning.policy {
        PolicySource::Head => crate::acceptance::merged(app, &commit.repo).await?,
        PolicySource::Base { .. } => Vec::new(),
    };
    acceptances.extend(commit.acceptances.iter().cloned());
    let binding = Binding {
        head: commit.sha.clone(),
        base: base.cloned(),
        workflows: runs.iter().map(|run| (run.workflow_file.clone(), run.workflow.clone())).collect(),
        datasets: head.datasets.clone(),
    };
    let acceptance = crate::acceptance::holding(acceptances.iter(), &verdict, &binding);
    let about = About { base, ancestor: ancestor.as_ref(), ..about };
    // The base as it was measured, also where there is nothing to compare the head with.
    let self_check = self_check::judge(app, commit, planning.base.as_ref(), &found.policy, &mut head).await?;
    let repetition = repeat::wanted(&found.policy, commit, &verdict, &head, app.clock.now());
    let judged =
        about.verdict(found, verdict, &head, &failed, Decided { acceptance, self_check: self_check.as_ref(), binding });
    Ok(Some(Judged { repetition, self_check, ..judged }))
}

/// Why there is nothing to judge where something went wrong; none where nothing did.
fn why_nothing_evaluated(failed: &[&Run], head: &Evidence) -> Option<NothingJudged> {
    let run = failed.first()?;
    if let Some(cancel) = failed.iter().find_map(|run| run.cancel.as_ref()) {
        return Some(NothingJudged::Cancelled(cancel.reason.clone()));
    }
    let (job, conclusion, summary) = head
        .failed_job
        .clone()
        .unwrap_or_else(|| (run.workflow_name.clone(), run.conclusion().unwrap_or(Conclusion::Failure), None));
    Some(NothingJudged::JobFailed { job, conclusion, summary })
}

/// Resampling a large evaluation takes a second of one core.
async fn judge_on_its_own_thread(found: &Found, head: &Evidence, base: Option<Vec<Side>>) -> Result<Verdict, Failure> {
    let (policy, head): (Policy, _) = (found.policy.clone(), head.sides.clone());
    let judged = tokio::task::spawn_blocking(move || judge(&policy, &head, base.as_deref())).await;
    judged.map_err(|error| Failure::Ours(anyhow::anyhow!("judging failed: {error}")))
}
