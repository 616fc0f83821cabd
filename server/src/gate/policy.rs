use workflows::{gate::Policy, ids::Sha};

use super::{Failure, wording::Found};
use crate::{
    app::App,
    digest::digest,
    forge::WorkflowFile,
    store::records::{Planning, PolicySource, Repo},
};

pub(super) enum PolicyFound {
    Policy(Found),
    None { gate_on_head: bool },
}

/// The policy that judges a commit: that of what it wants to change, so that no change can weaken the
/// gate that judges it.
pub(super) async fn find(app: &App, repo: &Repo, planning: &Planning, head: &Sha) -> Result<PolicyFound, Failure> {
    let own = at(app, repo, head).await?;
    let judging = match &planning.policy {
        PolicySource::Head => own.clone(),
        PolicySource::Base { sha } => at(app, repo, sha).await?,
    };
    Ok(match judging {
        None => PolicyFound::None { gate_on_head: own.is_some() },
        Some((policy, file)) => {
            let changed = own.is_none_or(|(own, _)| without_lines(own) != without_lines(policy.clone()));
            PolicyFound::Policy(Found { policy, file, changed })
        }
    })
}

/// A rule that only moved within its file is the same rule.
fn without_lines(mut policy: Policy) -> Policy {
    policy.rules.iter_mut().for_each(|rule| rule.line = 0);
    policy
}

async fn at(app: &App, repo: &Repo, sha: &Sha) -> Result<Option<(Policy, String)>, Failure> {
    Ok(of_files(app, &app.forges.workflow_files(repo, sha).await?))
}

/// The rules of all workflow files of a commit; file and defaults are those of the first with a gate.
pub(crate) fn of_files(app: &App, files: &[WorkflowFile]) -> Option<(Policy, String)> {
    let mut found: Option<(Policy, String)> = None;
    for file in files {
        let parsed = app.workflows.parse(&file.path, &digest(file.text.as_bytes()), &file.text);
        let Some(policy) = parsed.valid().and_then(|workflow| workflow.gate.clone()) else { continue };
        match &mut found {
            None => found = Some((policy, file.path.clone())),
            Some((found, _)) => found.rules.extend(policy.rules),
        }
    }
    found
}
