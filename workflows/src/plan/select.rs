use crate::{
    event::{Event, EventKind, short_ref},
    filter,
    syntax::{RefFilters, Workflow},
};

/// Whether an event starts a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    Runs,
    /// The event is not named under `on:`, or not with this activity type.
    NotSubscribed,
    /// A filter on branches, tags or paths says no: the sentence for people.
    Filtered(String),
}

/// Decides by `on:`. `changed` are the paths that the event changes (of a pull request: all of it);
/// none where they could not be found out, and then path filters let it run, as on GitHub.
pub fn select(workflow: &Workflow, event: &Event, changed: Option<&[String]>) -> Selection {
    let on = &workflow.on;
    match &event.kind {
        EventKind::Push { git_ref, .. } => match &on.push {
            None => Selection::NotSubscribed,
            Some(filters) => push(filters, git_ref, changed),
        },
        EventKind::PullRequest { action, base_ref, .. } => match &on.pull_request {
            Some(trigger) if takes_action(trigger.types.as_deref(), action) => {
                first_no([branch(&trigger.filters, base_ref, "base branch"), paths(&trigger.filters, changed)])
            }
            Some(_) | None => Selection::NotSubscribed,
        },
        EventKind::MergeGroup { base_ref, .. } => match &on.merge_group {
            None => Selection::NotSubscribed,
            Some(filters) => first_no([branch(filters, short_ref(base_ref), "base branch")]),
        },
        EventKind::WorkflowDispatch { .. } => {
            subscribed(on.workflow_dispatch.is_some() && event.kind.means(&workflow.file))
        }
        EventKind::RepositoryDispatch { event_type, .. } => subscribed(
            on.repository_dispatch.as_ref().is_some_and(|types| types.is_empty() || types.contains(event_type)),
        ),
        EventKind::Schedule { cron, .. } => subscribed(on.schedule.iter().any(|entry| entry.value == *cron)),
    }
}

fn subscribed(yes: bool) -> Selection {
    if yes { Selection::Runs } else { Selection::NotSubscribed }
}

fn takes_action(types: Option<&[String]>, action: &str) -> bool {
    match types {
        None => matches!(action, "opened" | "synchronize" | "reopened"),
        Some(types) => types.iter().any(|each| each == action),
    }
}

fn push(filters: &RefFilters, git_ref: &str, changed: Option<&[String]>) -> Selection {
    let has_branches = filters.branches.is_some() || filters.branches_ignore.is_some();
    let has_tags = filters.tags.is_some() || filters.tags_ignore.is_some();
    if let Some(tag) = git_ref.strip_prefix("refs/tags/") {
        // With filters on branches alone, tags start nothing; paths are not looked at for tags.
        return if has_tags {
            first_no([names(filters.tags.as_deref(), filters.tags_ignore.as_deref(), tag, "tag")])
        } else if has_branches {
            Selection::Filtered(format!("only branches start it, and `{tag}` is a tag"))
        } else {
            Selection::Runs
        };
    }
    let name = short_ref(git_ref);
    if has_tags && !has_branches {
        return Selection::Filtered(format!("only tags start it, and `{name}` is a branch"));
    }
    first_no([branch(filters, name, "branch"), paths(filters, changed)])
}

fn branch(filters: &RefFilters, name: &str, what: &str) -> Option<String> {
    names(filters.branches.as_deref(), filters.branches_ignore.as_deref(), name, what)
}

/// Why a name is not taken.
fn names(only: Option<&[String]>, ignore: Option<&[String]>, name: &str, what: &str) -> Option<String> {
    match (only, ignore) {
        (Some(only), _) if !filter::matches(only, name) => Some(format!("no pattern takes the {what} `{name}`")),
        (None, Some(ignore)) if filter::matches(ignore, name) => Some(format!("the {what} `{name}` is ignored")),
        _ => None,
    }
}

fn paths(filters: &RefFilters, changed: Option<&[String]>) -> Option<String> {
    let changed = changed?;
    match (&filters.paths, &filters.paths_ignore) {
        (Some(only), _) if !filter::any_path(only, changed) => {
            Some("no changed path is named under `paths`".to_owned())
        }
        (None, Some(ignore)) if !filter::any_other_path(ignore, changed) => {
            Some("all changed paths are under `paths-ignore`".to_owned())
        }
        _ => None,
    }
}

fn first_no<const N: usize>(reasons: [Option<String>; N]) -> Selection {
    reasons.into_iter().flatten().next().map_or(Selection::Runs, Selection::Filtered)
}
