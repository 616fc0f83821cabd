//! The shape of an `action.yml`, by GitHub's own schema of them. A composite action sees neither `secrets` nor `needs`
//! nor `vars`: it is trusted with what it is given.

use super::{Scope, Shape, TEXTS, keys, map_of};

/// [`RUNS`] is looked at apart: actions of other kinds have other keys.
pub(in crate::syntax) const ACTION: Shape = Shape::Map(&[keys(
    &[
        ("name", Shape::Text),
        ("description", Shape::Text),
        ("author", Shape::Text),
        ("inputs", Shape::Map(&[map_of(&INPUT)])),
        ("outputs", Shape::Map(&[map_of(&OUTPUT)])),
        ("runs", Shape::Elsewhere),
        ("branding", Shape::Map(&[keys(&[("icon", Shape::Text), ("color", Shape::Text)], &[])])),
    ],
    &["runs"],
)]);

const INPUT: Shape = Shape::Map(&[keys(
    &[
        ("description", Shape::Text),
        ("required", Shape::Boolean),
        ("default", Shape::In(Scope::ACTION_DEFAULT, &Shape::Text)),
        ("deprecationMessage", Shape::Text),
        // GitHub takes a `type` and makes nothing of it.
        ("type", Shape::Text),
    ],
    &[],
)]);

const OUTPUT: Shape = Shape::Map(&[keys(
    &[("description", Shape::Text), ("value", Shape::In(Scope::ACTION_OUTPUT, &Shape::Text))],
    &["value"],
)]);

/// `runs` of a composite action.
pub(in crate::syntax) const RUNS: Shape = Shape::Map(&[keys(
    &[
        ("using", Shape::Word(&["composite", "docker", "node12", "node16", "node20", "node24"])),
        ("steps", Shape::List(&STEP)),
    ],
    &["using", "steps"],
)]);

const TEXT: Shape = Shape::In(Scope::ACTION_STEP, &Shape::Text);
const ENV: Shape = Shape::In(Scope::ACTION_STEP, &TEXTS);
const IF: Shape = Shape::In(Scope::ACTION_STEP_IF, &Shape::Condition);
const BOOLEAN: Shape = Shape::In(Scope::ACTION_STEP, &Shape::Boolean);

const STEP: Shape = Shape::Map(&[
    keys(
        &[
            ("name", TEXT),
            ("id", Shape::Filled),
            ("if", IF),
            ("run", TEXT),
            ("shell", TEXT),
            ("env", ENV),
            ("continue-on-error", BOOLEAN),
            ("working-directory", TEXT),
        ],
        &["run", "shell"],
    ),
    keys(
        &[
            ("name", TEXT),
            ("id", Shape::Filled),
            ("if", IF),
            ("uses", Shape::Filled),
            ("with", ENV),
            ("env", ENV),
            ("continue-on-error", BOOLEAN),
        ],
        &["uses"],
    ),
]);
