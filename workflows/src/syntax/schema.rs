//! The shape of a workflow file: GitHub's keys and ours, and which expressions each may hold.
//!
//! Plain data; [`super::check`] walks a tree along it. `on:` and `gate:` have readers of their own.

mod action;

use super::scope::Scope;

pub(super) use action::{ACTION, RUNS};

/// What may stand at a place.
#[derive(Debug)]
pub(super) enum Shape {
    /// Anything; its strings may still hold expressions.
    Any,
    /// Read by a module of its own.
    Elsewhere,
    Null,
    /// A scalar; numbers and booleans count as their text.
    Text,
    /// A scalar that is not empty.
    Filled,
    /// One of these words.
    Word(&'static [&'static str]),
    Boolean,
    Number,
    /// An expression whose `${{ }}` may be left out.
    Condition,
    /// [`STEP`]: a step may hold steps, and a constant cannot hold itself.
    Step,
    List(&'static Shape),
    /// A mapping of one of these kinds: its keys tell which.
    Map(&'static [Keys]),
    Either(&'static [Shape]),
    /// The shape, with these names for expressions added to what is available around it.
    In(Scope, &'static Shape),
}

/// One kind of mapping.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) known: &'static [(&'static str, Shape)],
    pub(super) required: &'static [&'static str],
    /// What any other key may hold; none where there must be no other.
    pub(super) others: Option<&'static Shape>,
}

impl Keys {
    /// What a known key may hold.
    pub(super) fn shape(&self, name: &str) -> Option<&'static Shape> {
        self.known.iter().find(|(each, _)| *each == name).map(|(_, shape)| shape)
    }
}

const fn keys(known: &'static [(&'static str, Shape)], required: &'static [&'static str]) -> Keys {
    Keys { known, required, others: None }
}

const fn map_of(others: &'static Shape) -> Keys {
    Keys { known: &[], required: &[], others: Some(others) }
}

const TEXTS: Shape = Shape::Map(&[map_of(&Shape::Text)]);
const FILLED_LIST: Shape = Shape::List(&Shape::Filled);
const FILLED_OR_LIST: Shape = Shape::Either(&[Shape::Filled, FILLED_LIST]);
const SCALAR: Shape = Shape::Either(&[Shape::Text, Shape::Boolean, Shape::Number]);

pub(super) const WORKFLOW: Shape = Shape::Map(&[keys(
    &[
        ("name", Shape::Text),
        ("description", Shape::Text),
        ("run-name", Shape::In(Scope::WORKFLOW, &Shape::Text)),
        ("on", Shape::Elsewhere),
        ("permissions", PERMISSIONS),
        ("env", Shape::In(Scope::WORKFLOW_ENV, &TEXTS)),
        ("defaults", DEFAULTS),
        ("concurrency", Shape::In(Scope::WORKFLOW, &Shape::Either(&[Shape::Text, CONCURRENCY]))),
        ("jobs", Shape::Map(&[map_of(&JOB)])),
        ("gate", Shape::Elsewhere),
    ],
    &["on", "jobs"],
)]);

const DEFAULTS_RUN: Shape = Shape::Map(&[keys(&[("shell", Shape::Filled), ("working-directory", Shape::Filled)], &[])]);
const DEFAULTS: Shape = Shape::Map(&[keys(&[("run", DEFAULTS_RUN)], &[])]);

const CONCURRENCY: Shape = Shape::Map(&[keys(
    &[("group", Shape::Filled), ("cancel-in-progress", Shape::Boolean), ("queue", Shape::Word(&["single", "max"]))],
    &["group"],
)]);

const ANY_LEVEL: Shape = Shape::Word(&["read", "write", "none"]);
const PERMISSIONS: Shape = Shape::Either(&[
    Shape::Word(&["read-all", "write-all"]),
    Shape::Map(&[keys(
        &[
            ("actions", ANY_LEVEL),
            ("artifact-metadata", ANY_LEVEL),
            ("attestations", ANY_LEVEL),
            ("checks", ANY_LEVEL),
            ("code-quality", ANY_LEVEL),
            ("contents", ANY_LEVEL),
            ("copilot-requests", Shape::Word(&["write", "none"])),
            ("deployments", ANY_LEVEL),
            ("discussions", ANY_LEVEL),
            ("drives", ANY_LEVEL),
            ("id-token", Shape::Word(&["write", "none"])),
            ("issues", ANY_LEVEL),
            ("models", Shape::Word(&["read", "none"])),
            ("packages", ANY_LEVEL),
            ("pages", ANY_LEVEL),
            ("pull-requests", ANY_LEVEL),
            ("repository-projects", ANY_LEVEL),
            ("security-events", ANY_LEVEL),
            ("statuses", ANY_LEVEL),
            ("vulnerability-alerts", Shape::Word(&["read", "none"])),
        ],
        &[],
    )]),
]);

const JOB: Shape = Shape::Map(&[
    keys(
        &[
            ("name", ROW_TEXT),
            ("needs", FILLED_OR_LIST),
            ("if", Shape::In(Scope::JOB_IF, &Shape::Condition)),
            ("runs-on", Shape::In(Scope::ROW, &RUNS_ON)),
            ("strategy", STRATEGY),
            ("timeout-minutes", Shape::In(Scope::ROW, &Shape::Number)),
            ("cancel-timeout-minutes", Shape::In(Scope::ROW, &Shape::Number)),
            ("continue-on-error", Shape::In(Scope::ROW, &Shape::Boolean)),
            ("container", Shape::In(Scope::ROW, &Shape::Either(&[Shape::Text, CONTAINER]))),
            ("services", Shape::In(Scope::ROW, &Shape::Map(&[map_of(&SERVICE)]))),
            ("env", Shape::In(Scope::ROW_SECRETS, &TEXTS)),
            ("environment", Shape::In(Scope::ROW, &ENVIRONMENT)),
            ("permissions", PERMISSIONS),
            ("concurrency", JOB_CONCURRENCY),
            ("outputs", Shape::Map(&[map_of(&Shape::In(Scope::RUNNER, &Shape::Text))])),
            ("defaults", JOB_DEFAULTS),
            ("steps", Shape::List(&Shape::Step)),
            ("snapshot", SNAPSHOT),
        ],
        &["runs-on"],
    ),
    keys(
        &[
            ("name", ROW_TEXT),
            ("uses", Shape::Filled),
            ("with", Shape::Map(&[map_of(&Shape::In(Scope::ROW, &SCALAR))])),
            (
                "secrets",
                Shape::Either(&[
                    Shape::Word(&["inherit"]),
                    Shape::Map(&[map_of(&Shape::In(Scope::ROW_SECRETS, &SCALAR))]),
                ]),
            ),
            ("needs", FILLED_OR_LIST),
            ("if", Shape::In(Scope::JOB_IF, &Shape::Condition)),
            ("permissions", PERMISSIONS),
            ("concurrency", JOB_CONCURRENCY),
            ("strategy", STRATEGY),
        ],
        &["uses"],
    ),
]);

const ROW_TEXT: Shape = Shape::In(Scope::ROW, &Shape::Text);
const JOB_CONCURRENCY: Shape = Shape::In(Scope::ROW, &Shape::Either(&[Shape::Filled, CONCURRENCY]));
const JOB_DEFAULTS: Shape = Shape::Map(&[keys(&[("run", Shape::In(Scope::JOB_DEFAULTS, &DEFAULTS_RUN))], &[])]);

const RUNS_ON: Shape = Shape::Either(&[
    Shape::Filled,
    FILLED_LIST,
    Shape::Map(&[keys(
        &[
            ("group", Shape::Filled),
            ("labels", FILLED_OR_LIST),
            // Ours.
            ("gpus", Shape::Number),
            ("gpu-memory", Shape::Filled),
            ("gpu-name", Shape::Filled),
        ],
        &[],
    )]),
]);

const STRATEGY: Shape = Shape::In(
    Scope::NEEDS,
    &Shape::Map(&[keys(&[("fail-fast", Shape::Boolean), ("max-parallel", Shape::Number), ("matrix", MATRIX)], &[])]),
);
const MATRIX: Shape = Shape::Map(&[Keys {
    known: &[("include", MATRIX_ROWS), ("exclude", MATRIX_ROWS)],
    required: &[],
    others: Some(&Shape::List(&Shape::Any)),
}]);
const MATRIX_ROWS: Shape = Shape::List(&Shape::Map(&[map_of(&Shape::Any)]));

const CREDENTIALS: Shape = Shape::In(
    Scope::CREDENTIALS,
    &Shape::Map(&[keys(&[("username", Shape::Filled), ("password", Shape::Filled)], &[])]),
);
const CONTAINER_ENV: Shape = Shape::Map(&[map_of(&Shape::In(Scope::RUNNER, &Shape::Text))]);
const CONTAINER: Shape = Shape::Map(&[keys(
    &[
        ("image", Shape::Filled),
        ("options", Shape::Text),
        ("env", CONTAINER_ENV),
        ("ports", FILLED_LIST),
        ("volumes", FILLED_LIST),
        ("credentials", CREDENTIALS),
    ],
    &[],
)]);
const SERVICE: Shape = Shape::Either(&[
    Shape::Filled,
    Shape::Map(&[keys(
        &[
            ("image", Shape::Filled),
            ("options", Shape::Text),
            ("env", CONTAINER_ENV),
            ("ports", FILLED_LIST),
            ("volumes", FILLED_LIST),
            ("credentials", CREDENTIALS),
            ("entrypoint", Shape::Text),
            ("command", Shape::Text),
        ],
        &[],
    )]),
]);

const ENVIRONMENT: Shape = Shape::Either(&[
    Shape::Text,
    Shape::Map(&[keys(
        &[
            ("name", Shape::Text),
            ("url", Shape::In(Scope::RUNNER_NO_SECRETS, &Shape::Text)),
            ("deployment", Shape::Boolean),
        ],
        &["name"],
    )]),
]);

const SNAPSHOT: Shape = Shape::Either(&[
    Shape::Filled,
    Shape::Map(&[keys(
        &[("image-name", Shape::Filled), ("if", Shape::In(Scope::ROW, &Shape::Condition)), ("version", Shape::Filled)],
        &["image-name"],
    )]),
]);

const STEP_TEXT: Shape = Shape::In(Scope::STEP, &Shape::Text);
const STEP_TEXTS: Shape = Shape::In(Scope::STEP, &TEXTS);
const STEP_IF: Shape = Shape::In(Scope::STEP_IF, &Shape::Condition);
const STEP_BOOLEAN: Shape = Shape::In(Scope::STEP, &Shape::Boolean);
const STEP_NUMBER: Shape = Shape::In(Scope::STEP, &Shape::Number);

/// One entry of `steps`.
pub(super) static STEP: Shape = Shape::Map(&[
    keys(
        &[
            ("name", STEP_TEXT),
            ("id", Shape::Filled),
            ("if", STEP_IF),
            ("timeout-minutes", STEP_NUMBER),
            ("run", STEP_TEXT),
            ("continue-on-error", STEP_BOOLEAN),
            ("env", STEP_TEXTS),
            ("working-directory", STEP_TEXT),
            ("shell", Shape::Filled),
            ("background", Shape::Boolean),
        ],
        &["run"],
    ),
    keys(
        &[
            ("name", STEP_TEXT),
            ("id", Shape::Filled),
            ("if", STEP_IF),
            ("continue-on-error", STEP_BOOLEAN),
            ("timeout-minutes", STEP_NUMBER),
            ("uses", Shape::Filled),
            ("with", STEP_TEXTS),
            ("env", STEP_TEXTS),
            ("background", Shape::Boolean),
        ],
        &["uses"],
    ),
    keys(
        &[("name", STEP_TEXT), ("id", Shape::Filled), ("continue-on-error", STEP_BOOLEAN), ("wait", FILLED_OR_LIST)],
        &["wait"],
    ),
    keys(
        &[
            ("name", STEP_TEXT),
            ("id", Shape::Filled),
            ("continue-on-error", STEP_BOOLEAN),
            ("wait-all", Shape::Either(&[Shape::Null, Shape::Boolean])),
        ],
        &["wait-all"],
    ),
    keys(
        &[("name", STEP_TEXT), ("id", Shape::Filled), ("continue-on-error", STEP_BOOLEAN), ("cancel", Shape::Filled)],
        &["cancel"],
    ),
    keys(&[("parallel", Shape::List(&Shape::Step))], &["parallel"]),
]);
