//! The repository's own actions, as the event's commit has them.

use workflows::{
    ids::Sha,
    syntax::{Actions, Step, local_actions, parse_action},
};

use crate::{
    app::App,
    digest::digest,
    forge::{ForgeError, WorkflowFile},
    store::records::Repo,
};

/// Actions that are looked at before an event's jobs run; the runner looks at all that it runs.
const MOST_ACTIONS: usize = 50;

/// Those that steps of the workflows use, and those that these use. One that is not there may be made by a step, and
/// one that cannot be had is the runner's to complain of.
pub(super) async fn read(app: &App, repo: &Repo, sha: &Sha, files: &[WorkflowFile]) -> Result<Actions, ForgeError> {
    let mut open: Vec<String> = Vec::new();
    for file in files {
        let parsed = app.workflows.parse(&file.path, &digest(file.text.as_bytes()), &file.text);
        open.extend(parsed.workflow.iter().flat_map(|workflow| folders(workflow.steps())));
    }
    let mut seen: Vec<String> = Vec::new();
    let mut actions = Actions::new();
    while let Some(folder) = open.pop() {
        if seen.contains(&folder) || seen.len() >= MOST_ACTIONS {
            continue;
        }
        let found = match app.forges.action_file(repo, sha, &folder).await {
            Ok(found) => found,
            Err(ForgeError::Gone(_) | ForgeError::Unusable(_)) => None,
            Err(error @ ForgeError::Transient { .. }) => return Err(error),
        };
        if let Some(WorkflowFile { path, text }) = found {
            let (action, diagnostics) = parse_action(&path, &text);
            open.extend(action.iter().flat_map(|action| folders(&action.steps)));
            actions.insert(folder.clone(), (action, diagnostics));
        }
        seen.push(folder);
    }
    Ok(actions)
}

fn folders<'s>(steps: impl IntoIterator<Item = &'s Step>) -> Vec<String> {
    local_actions(steps).collect()
}
