//! `permissions`: what a job's token may do on GitHub. Assay gives jobs no token of the forge, so that all that counts here
//! is what GitHub refuses to start: a called workflow that asks for more than its caller may give.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    Job, JobBody, Workflow,
    diagnostic::Sink,
    yaml::{Kind, Node},
};

/// How far a permission goes; a higher one includes those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    None,
    Read,
    Write,
}

impl Access {
    fn named(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Access::None),
            "read" => Some(Access::Read),
            "write" => Some(Access::Write),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Access::None => "none",
            Access::Read => "read",
            Access::Write => "write",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permissions {
    /// `read-all`, `write-all`
    All(Access),
    /// By name; what is not named is none.
    Each(IndexMap<String, Access>),
}

/// What `read-all` and `write-all` stand for, in the order in which GitHub names them.
const ALL: [&str; 13] = [
    "actions",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "issues",
    "packages",
    "pages",
    "pull-requests",
    "repository-projects",
    "statuses",
    "security-events",
    "id-token",
];

impl Permissions {
    /// None where it is no such thing, which was complained about already.
    pub(super) fn read(node: &Node) -> Option<Self> {
        match &node.kind {
            Kind::Scalar { .. } => match node.to_text()?.as_str() {
                "read-all" => Some(Permissions::All(Access::Read)),
                "write-all" => Some(Permissions::All(Access::Write)),
                _ => None,
            },
            Kind::Mapping(entries) => {
                let entry = |(key, value): &(Node, Node)| Some((key.to_text()?, Access::named(&value.to_text()?)?));
                Some(Permissions::Each(entries.iter().filter_map(entry).collect()))
            }
            Kind::Sequence(_) => None,
        }
    }

    fn of(&self, name: &str) -> Access {
        match self {
            Permissions::All(access) => *access,
            Permissions::Each(each) => each.get(name).copied().unwrap_or(Access::None),
        }
    }

    /// What is asked for here and not allowed there: its name, and how far each goes.
    fn beyond<'p>(&'p self, allowed: &Permissions) -> Vec<(&'p str, Access, Access)> {
        let names: Vec<&str> = match self {
            Permissions::All(_) => ALL.to_vec(),
            Permissions::Each(each) => each.keys().map(String::as_str).collect(),
        };
        let both = names.into_iter().map(|name| (name, self.of(name), allowed.of(name)));
        both.filter(|(_, asked, allowed)| asked > allowed).collect()
    }
}

/// What a job may give to the workflow that it calls: its own, else its workflow's, else what that was given. None where
/// nobody says: then a setting of the repository on GitHub decides.
pub(super) fn given<'w>(
    job: &'w Job,
    workflow: &'w Workflow,
    around: Option<&'w Permissions>,
) -> Option<&'w Permissions> {
    job.permissions.as_ref().or(workflow.permissions.as_ref()).or(around)
}

/// Complains about a called workflow, and jobs of it, that ask for more than the calling job may give.
pub(super) fn check_call(job: &Job, called: &Workflow, allowed: &Permissions, sink: &mut Sink<'_>) {
    let JobBody::Call { uses, .. } = &job.body else { return };
    let of_workflow = called.permissions.iter().map(|asked| (format!("`{}`", uses.value), asked));
    let of_jobs = called.jobs.iter().filter_map(|(id, job)| Some((id, job.permissions.as_ref()?)));
    let of_jobs = of_jobs.map(|(id, asked)| (format!("`{id}` of `{}`", uses.value), asked));
    for (who, asked) in of_workflow.chain(of_jobs) {
        let beyond = asked.beyond(allowed);
        let (Some((name, most, least)), others) = (beyond.first(), beyond.len().saturating_sub(1)) else { continue };
        let more = if others == 0 { String::new() } else { format!(", and {others} more") };
        let message = format!(
            "{who} asks for the permission `{name}: {}`{more}; this job may give `{name}: {}`",
            most.name(),
            least.name()
        );
        sink.error(job.at, 1, "call-permissions", message);
    }
}
