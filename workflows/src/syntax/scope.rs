use crate::expr::{Function, Names};

/// Which contexts and functions a key's expressions may use: GitHub's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope(u16);

const GITHUB: u16 = 1;
const INPUTS: u16 = 1 << 1;
const VARS: u16 = 1 << 2;
const NEEDS: u16 = 1 << 3;
const STRATEGY: u16 = 1 << 4;
const MATRIX: u16 = 1 << 5;
const SECRETS: u16 = 1 << 6;
const STEPS: u16 = 1 << 7;
const JOB: u16 = 1 << 8;
const RUNNER: u16 = 1 << 9;
const ENV: u16 = 1 << 10;
const JOBS: u16 = 1 << 11;
/// `success()` and its kin.
const STATUS: u16 = 1 << 12;
const HASH_FILES: u16 = 1 << 13;

const CONTEXTS: [(&str, u16); 13] = [
    ("github", GITHUB),
    // Ours: what GitHub's runs have in `github`, Assay's have here.
    ("assay", GITHUB),
    ("inputs", INPUTS),
    ("vars", VARS),
    ("needs", NEEDS),
    ("strategy", STRATEGY),
    ("matrix", MATRIX),
    ("secrets", SECRETS),
    ("steps", STEPS),
    ("job", JOB),
    ("runner", RUNNER),
    ("env", ENV),
    ("jobs", JOBS),
];

impl Scope {
    pub(super) const NONE: Scope = Scope(0);
    /// `run-name`, `concurrency`, defaults of `workflow_call` inputs.
    pub(super) const WORKFLOW: Scope = Scope(GITHUB | INPUTS | VARS);
    pub(super) const WORKFLOW_ENV: Scope = Scope(GITHUB | INPUTS | VARS | SECRETS);
    pub(super) const CALL_OUTPUT: Scope = Scope(GITHUB | INPUTS | VARS | JOBS);
    /// `strategy` and whatever decides about a job before its matrix is known.
    pub(super) const NEEDS: Scope = Scope(GITHUB | INPUTS | VARS | NEEDS);
    pub(super) const JOB_IF: Scope = Scope(GITHUB | INPUTS | VARS | NEEDS | STATUS);
    /// Of one row of the matrix: `name`, `runs-on`, `container`, …
    pub(super) const ROW: Scope = Scope(GITHUB | INPUTS | VARS | NEEDS | STRATEGY | MATRIX);
    pub(super) const ROW_SECRETS: Scope = Scope(Self::ROW.0 | SECRETS);
    pub(super) const JOB_DEFAULTS: Scope = Scope(Self::ROW.0 | ENV);
    pub(super) const CREDENTIALS: Scope = Scope(GITHUB | INPUTS | VARS | SECRETS | ENV);
    /// `outputs`, `container.env`.
    pub(super) const RUNNER: Scope = Scope(Self::ROW.0 | SECRETS | STEPS | JOB | RUNNER | ENV);
    pub(super) const RUNNER_NO_SECRETS: Scope = Scope(Self::ROW.0 | STEPS | JOB | RUNNER | ENV);
    pub(super) const STEP: Scope = Scope(Self::RUNNER.0 | HASH_FILES);
    pub(super) const STEP_IF: Scope = Scope(Self::RUNNER_NO_SECRETS.0 | STATUS | HASH_FILES);

    /// Within a composite action: it sees what it is given, and no secret.
    pub(super) const ACTION_OUTPUT: Scope = Scope(GITHUB | INPUTS | STRATEGY | MATRIX | STEPS | JOB | RUNNER | ENV);
    pub(super) const ACTION_STEP: Scope = Scope(Self::ACTION_OUTPUT.0 | HASH_FILES);
    pub(super) const ACTION_STEP_IF: Scope = Scope(Self::ACTION_STEP.0 | STATUS);
    pub(super) const ACTION_DEFAULT: Scope = Scope(GITHUB | STRATEGY | MATRIX | JOB | RUNNER | HASH_FILES);

    pub(super) const fn and(self, other: Scope) -> Scope {
        Scope(self.0 | other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Names of what may be used, for people.
    pub(super) fn contexts(self) -> Vec<&'static str> {
        CONTEXTS.iter().filter(|(_, bit)| self.0 & bit != 0).map(|(name, _)| *name).collect()
    }
}

/// Whether it is the name of any context, available or not.
pub(super) fn is_context(name: &str) -> bool {
    CONTEXTS.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
}

impl Names for Scope {
    fn has_context(&self, name: &str) -> bool {
        CONTEXTS.iter().any(|(known, bit)| self.0 & bit != 0 && known.eq_ignore_ascii_case(name))
    }

    fn has_function(&self, function: Function) -> bool {
        match function {
            Function::HashFiles => self.0 & HASH_FILES != 0,
            Function::Always | Function::Cancelled | Function::Failure | Function::Success => self.0 & STATUS != 0,
            Function::Case
            | Function::Contains
            | Function::EndsWith
            | Function::Format
            | Function::FromJson
            | Function::Join
            | Function::StartsWith
            | Function::ToJson => true,
        }
    }

    fn status_takes_jobs(&self) -> bool {
        self.0 & STEPS == 0
    }
}
