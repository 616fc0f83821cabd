use actix_web::{HttpResponse, web};
use serde::Serialize;
use workflows::{gate::Verdict, ids::Sha, run::Conclusion};

use super::repo_name;
use crate::{
    app::SharedApp,
    error::ApiError,
    store::{
        keys,
        records::{Gate, HeadCommit},
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
                url,
            }
        }
    }
}
