use web::{ComparePage, Compared};
use workflows::ids::{RepoName, Sha};

use super::run::{evaluations_of, run_of_commit};
use crate::{
    app::App,
    error::ApiError,
    history,
    store::{
        keys,
        records::{Gate, HeadCommit},
    },
};

/// `/{owner}/{repo}/compare/{base}...{head}`
pub async fn compare(app: &App, repo: &RepoName, base: &Sha, head: &Sha) -> Result<ComparePage, ApiError> {
    let repo = history::repo(app, repo).await?.name;
    let commit = app.store.get::<HeadCommit>(&keys::commit(&repo, head)).await?;
    let judged = commit.and_then(|commit| match commit.record.gate {
        Gate::Concluded(report) if report.base.as_ref() == Some(base) => report.verdict,
        Gate::Concluded(_) | Gate::Pending { .. } => None,
    });
    Ok(ComparePage {
        now: app.clock.now(),
        base: compared(app, &repo, base).await?,
        head: compared(app, &repo, head).await?,
        verdict: judged,
        repo,
    })
}

async fn compared(app: &App, repo: &RepoName, sha: &Sha) -> Result<Compared, ApiError> {
    let run = run_of_commit(app, repo, sha).await?;
    let number = run.ok_or_else(|| ApiError::NotFound(format!("nothing ran for {sha} in {repo}")))?;
    Ok(Compared {
        sha: sha.clone(),
        title: history::run(app, repo, number).await?.title,
        run: Some(number),
        evaluations: evaluations_of(app, repo, sha).await?,
    })
}
