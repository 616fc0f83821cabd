/// An event of GitHub's: what may stand under its name.
pub(super) struct EventKeys {
    pub(super) name: &'static str,
    /// Activity types; none where it has no `types`, empty where any word will do.
    pub(super) types: Option<&'static [&'static str]>,
    /// Keys beside `types`.
    pub(super) keys: &'static [&'static str],
}

const fn event(
    name: &'static str,
    types: Option<&'static [&'static str]>,
    keys: &'static [&'static str],
) -> EventKeys {
    EventKeys { name, types, keys }
}

/// Of review comments and the like.
const EDITS: &[&str] = &["created", "edited", "deleted"];

const PULL_REQUEST: &[&str] = &[
    "assigned", "unassigned", "labeled", "unlabeled", "opened", "edited", "closed", "reopened", "synchronize", "converted_to_draft", "locked", "unlocked", "enqueued", "dequeued", "milestoned", "demilestoned", "ready_for_review", "review_requested", "review_request_removed", "auto_merge_enabled", "auto_merge_disabled", "stacked",
];

/// Every event of GitHub's, in alphabetical order.
pub(super) const EVENTS: &[EventKeys] = &[
    event("branch_protection_rule", Some(EDITS), &[]),
    event("check_run", Some(&["completed", "created", "rerequested", "requested_action"]), &[]),
    event("check_suite", Some(&["completed"]), &[]),
    event("create", None, &[]),
    event("delete", None, &[]),
    event("deployment", None, &[]),
    event("deployment_status", None, &[]),
    event("discussion", Some(&["created", "edited", "deleted", "transferred", "pinned", "unpinned", "labeled", "unlabeled", "locked", "unlocked", "category_changed", "answered", "unanswered"]), &[]),
    event("discussion_comment", Some(EDITS), &[]),
    event("fork", None, &[]),
    event("gollum", None, &[]),
    event("image_version", Some(&["created", "ready", "deleted"]), &["names", "versions"]),
    event("issue_comment", Some(EDITS), &[]),
    event("issues", Some(&["opened", "edited", "deleted", "transferred", "pinned", "unpinned", "closed", "reopened", "assigned", "unassigned", "labeled", "unlabeled", "locked", "unlocked", "milestoned", "demilestoned", "field_added", "field_removed", "typed", "untyped"]), &[]),
    event("label", Some(EDITS), &[]),
    event("merge_group", Some(&["checks_requested"]), &["branches", "branches-ignore"]),
    event("milestone", Some(&["created", "closed", "opened", "edited", "deleted"]), &[]),
    event("page_build", None, &[]),
    event("project", Some(&["created", "closed", "reopened", "edited", "deleted"]), &[]),
    event("project_card", Some(&["created", "moved", "converted", "edited", "deleted"]), &[]),
    event("project_column", Some(&["created", "updated", "moved", "deleted"]), &[]),
    event("public", None, &[]),
    event("pull_request", Some(PULL_REQUEST), &["branches", "branches-ignore", "paths", "paths-ignore"]),
    event("pull_request_comment", Some(EDITS), &[]),
    event("pull_request_review", Some(&["submitted", "edited", "dismissed"]), &[]),
    event("pull_request_review_comment", Some(EDITS), &[]),
    event("pull_request_target", Some(PULL_REQUEST), &["branches", "branches-ignore", "paths", "paths-ignore"]),
    event("push", None, &["branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore"]),
    event("registry_package", Some(&["published", "updated"]), &[]),
    event("release", Some(&["published", "unpublished", "created", "edited", "deleted", "prereleased", "released"]), &[]),
    event("repository_dispatch", Some(&[]), &[]),
    event("schedule", None, &[]),
    event("status", None, &[]),
    event("watch", Some(&["started"]), &[]),
    event("workflow_call", None, &["inputs", "secrets", "outputs"]),
    event("workflow_dispatch", None, &["inputs"]),
    event("workflow_run", Some(&["requested", "completed", "in_progress"]), &["workflows", "branches", "branches-ignore"]),
];
