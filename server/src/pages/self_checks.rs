use web::{SelfCheckRow, SelfChecksPage};
use workflows::ids::RepoName;

use crate::{app::App, error::ApiError, gate, history, store::records::SelfChecked};

/// Self-checks on the page.
const LISTED: usize = 100;

/// `/{owner}/{repo}/self-checks`
pub async fn self_checks(app: &App, repo: &RepoName) -> Result<SelfChecksPage, ApiError> {
    let repo = history::repo(app, repo).await?.name;
    let (false_alarms, checks) = gate::false_alarms(app, &repo).await?;
    let row = |SelfChecked { head, base, run, at, check, repo: _ }| SelfCheckRow { head, base, run, at, check };
    let checks = checks.into_iter().take(LISTED).map(row).collect();
    Ok(SelfChecksPage { now: app.clock.now(), repo, false_alarms, checks })
}
