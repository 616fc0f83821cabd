//! Check runs on the forge, brought to the state that we hold: one per job, and `assay/gate`.

mod wanted;

use jiff::SignedDuration;
use workflows::ids::{Forge, RepoName};

use crate::{
    app::App,
    deliveries::backoff,
    digest::digest,
    forge::{CheckRun, ForgeError},
    store::{
        Change, Stored, keys,
        records::{Gate, HeadCommit, PostedCheck, Repo},
    },
};

/// Whether the repository's forge has no check runs: then the pages and the API show what we hold, and
/// a concluded commit is done with.
pub async fn are_only_ours(app: &App, repo: &RepoName) -> anyhow::Result<bool> {
    let repo = app.store.get::<Repo>(&keys::repo(repo)).await?;
    Ok(repo.is_some_and(|repo| match repo.record.forge {
        Forge::Local => true,
        Forge::Github => false,
    }))
}

/// Shows a commit's state on its forge.
pub async fn reconcile(app: &App, commit: &Stored<HeadCommit>) -> anyhow::Result<()> {
    let HeadCommit { repo, sha, gate, .. } = &commit.record;
    let Some(stored) = app.store.get::<Repo>(&keys::repo(repo)).await? else { return Ok(()) };
    let shown = match stored.record.forge {
        Forge::Local => true,
        Forge::Github => show_all(app, &stored.record, &commit.record).await?,
    };
    match gate {
        Gate::Concluded(_) if shown => {
            let mut change = Change::default();
            change.at(commit).delete(&keys::open_commit(repo, sha));
            app.store.commit(change).await?;
            Ok(())
        }
        // The sweep comes back to it.
        Gate::Concluded(_) | Gate::Pending { .. } => Ok(()),
    }
}

/// True once the forge shows everything.
async fn show_all(app: &App, repo: &Repo, commit: &HeadCommit) -> anyhow::Result<bool> {
    let mut all = true;
    for check in wanted::checks(app, commit).await? {
        all &= show(app, repo, &check).await?;
    }
    Ok(all)
}

/// Posts one check run, if the forge was not told the same before. Posting first and writing it down
/// after means that a crash between the two posts once more, which finds what is there by its external id.
async fn show(app: &App, repo: &Repo, check: &CheckRun) -> anyhow::Result<bool> {
    let content = digest(&serde_json::to_vec(check)?).to_string();
    let key = keys::check(&check.repo, &check.external_id);
    let posted = app.store.get::<PostedCheck>(&key).await?;
    let known = posted.as_ref().map(|posted| posted.record.clone()).unwrap_or_default();
    let now = app.clock.now();
    if known.content == content {
        return Ok(true);
    }
    if known.not_before.is_some_and(|time| time > now) {
        return Ok(false);
    }
    let told = match app.forges.put_check_run(repo, check, known.id).await {
        Ok(id) => PostedCheck { id: Some(id), content, failures: 0, not_before: None },
        Err(ForgeError::Transient { reason, after }) => {
            let failures = known.failures + 1;
            let wait = after.unwrap_or_else(|| backoff(failures));
            tracing::warn!(check = check.external_id, reason, failures, "a check run could not be posted yet");
            let not_before = Some(now + SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO));
            PostedCheck { failures, not_before, ..known }
        }
        // Repeating does not help: said once, and not tried again until there is something new to say.
        Err(ForgeError::Gone(reason) | ForgeError::Unusable(reason)) => {
            tracing::error!(check = check.external_id, reason, "a check run cannot be posted");
            PostedCheck { content, failures: known.failures + 1, not_before: None, id: known.id }
        }
    };
    let done = told.not_before.is_none();
    let mut change = Change::default();
    change.same(&key, posted.as_ref()).put(key, &told);
    Ok(app.store.commit(change).await? && done)
}
