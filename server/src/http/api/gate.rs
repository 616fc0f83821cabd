use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use workflows::{
    gate::{FalseAlarms, Verdict},
    ids::{RepoName, Sha},
    run::Conclusion,
};

use super::{Writer, repo_name};
use crate::{
    acceptance,
    app::SharedApp,
    error::ApiError,
    gate, history,
    store::{
        keys,
        records::{Acceptance, Binding, Gate, HeadCommit, SelfChecked, Via},
    },
};

/// What `assay/gate` says of a commit.
#[derive(Debug, Default, Serialize)]
struct Answer {
    /// `none`: nothing is known of the commit; `pending`; `concluded`.
    state: &'static str,
    conclusion: Option<Conclusion>,
    title: String,
    /// Whether the default branch may move to it.
    allowed: bool,
    /// Why not.
    reason: Option<String>,
    summary: Option<String>,
    text: Option<String>,
    base: Option<Sha>,
    verdict: Option<Verdict>,
    /// What it holds for: commits, workflow files and data sets.
    binding: Option<Binding>,
    /// The decision that let it pass in spite of its verdict.
    acceptance: Option<Acceptance>,
    url: Option<String>,
}

pub(super) async fn answer(
    app: web::Data<SharedApp>,
    path: web::Path<(String, String, Sha)>,
) -> Result<HttpResponse, ApiError> {
    let repo = repo_name(&path.0, &path.1)?;
    let commit = app.store.get::<HeadCommit>(&keys::commit(&repo, &path.2)).await?;
    let answer = match commit {
        None => unknown(&app),
        Some(commit) => known(&app, commit.record),
    };
    Ok(HttpResponse::Ok().json(answer))
}

fn unknown(app: &SharedApp) -> Answer {
    let allowed = !app.config.local.require_gate;
    let reason = (!allowed).then(|| "it was not judged yet: push it to a branch of its own first".to_owned());
    Answer { state: "none", title: "Nothing is known of this commit".to_owned(), allowed, reason, ..Answer::default() }
}

fn known(app: &SharedApp, commit: HeadCommit) -> Answer {
    let url = Some(app.commit_url(&commit));
    match commit.gate {
        Gate::Pending { .. } => Answer {
            state: "pending",
            title: "Being judged".to_owned(),
            reason: Some("assay/gate is still being judged; try again when it has concluded".to_owned()),
            url,
            ..Answer::default()
        },
        Gate::Concluded(report) => {
            let allowed = report.conclusion.passes();
            Answer {
                state: "concluded",
                conclusion: Some(report.conclusion),
                allowed,
                reason: (!allowed).then(|| report.title.clone()),
                title: report.title,
                summary: Some(report.summary),
                text: report.text,
                base: report.base,
                verdict: report.verdict,
                binding: report.binding,
                acceptance: report.acceptance,
                url,
            }
        }
    }
}

/// What is sent to accept a failed gate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    reason: String,
    /// Whose decision it is: on GitHub an account that maintains the repository.
    by: Option<String>,
    /// Metrics as the rules name them; all that stand in the way where none is named.
    #[serde(default)]
    rules: Vec<String>,
}

pub(super) async fn accept(
    _: Writer,
    app: web::Data<SharedApp>,
    path: web::Path<(String, String, Sha)>,
    wanted: web::Json<Wanted>,
) -> Result<HttpResponse, ApiError> {
    accepted(&app, &repo_name(&path.0, &path.1)?, &path.2, wanted.into_inner()).await
}

/// The same for the head of a run.
pub(super) async fn accept_run(
    _: Writer,
    app: web::Data<SharedApp>,
    path: web::Path<(String, String, u64)>,
    wanted: web::Json<Wanted>,
) -> Result<HttpResponse, ApiError> {
    let repo = repo_name(&path.0, &path.1)?;
    let run = history::run(&app, &repo, path.2).await?;
    accepted(&app, &repo, &run.head, wanted.into_inner()).await
}

async fn accepted(app: &SharedApp, repo: &RepoName, sha: &Sha, wanted: Wanted) -> Result<HttpResponse, ApiError> {
    let Wanted { reason, by, rules } = wanted;
    let by = acceptance::holder(app, repo, by.as_deref(), Via::Api).await?;
    let acceptance = acceptance::accept(app, repo, sha, &acceptance::Request { by, reason, rules }).await?;
    Ok(HttpResponse::Created().json(acceptance))
}

/// How often the gate raises a false alarm.
#[derive(Debug, Serialize)]
struct SelfChecks {
    /// Of all of them.
    false_alarms: FalseAlarms,
    /// False alarms a self-check; none where there was none.
    rate: Option<f64>,
    /// Newest first.
    self_checks: Vec<SelfChecked>,
}

pub(super) async fn self_checks(
    app: web::Data<SharedApp>,
    path: web::Path<(String, String)>,
    query: web::Query<TrailQuery>,
) -> Result<HttpResponse, ApiError> {
    let (false_alarms, mut self_checks) = gate::false_alarms(&app, &repo_name(&path.0, &path.1)?).await?;
    self_checks.truncate(query.limit.unwrap_or(100).clamp(1, 1000));
    Ok(HttpResponse::Ok().json(SelfChecks { rate: false_alarms.rate(), false_alarms, self_checks }))
}

#[derive(Debug, Serialize)]
struct Trail {
    /// Newest first.
    acceptances: Vec<Acceptance>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrailQuery {
    limit: Option<usize>,
}

pub(super) async fn audit(
    app: web::Data<SharedApp>,
    path: web::Path<(String, String)>,
    query: web::Query<TrailQuery>,
) -> Result<HttpResponse, ApiError> {
    let repo = repo_name(&path.0, &path.1)?;
    let acceptances = acceptance::audit(&app, &repo, query.limit.unwrap_or(100).clamp(1, 1000)).await?;
    Ok(HttpResponse::Ok().json(Trail { acceptances }))
}
