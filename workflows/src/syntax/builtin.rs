//! What the built-in actions are called and take.

use super::BuiltinAction;

/// Ours, and GitHub's of the same purpose.
pub(super) const NAMES: [(&str, BuiltinAction); 11] = [
    ("assay/checkout", BuiltinAction::Checkout),
    ("assay/eval", BuiltinAction::Eval),
    ("assay/bench", BuiltinAction::Bench),
    ("assay/inspect", BuiltinAction::Inspect),
    ("assay/upload-artifact", BuiltinAction::UploadArtifact),
    ("assay/download-artifact", BuiltinAction::DownloadArtifact),
    ("assay/cache", BuiltinAction::Cache),
    ("actions/checkout", BuiltinAction::Checkout),
    ("actions/upload-artifact", BuiltinAction::UploadArtifact),
    ("actions/download-artifact", BuiltinAction::DownloadArtifact),
    ("actions/cache", BuiltinAction::Cache),
];

impl BuiltinAction {
    /// The names under `with:` that it reads.
    pub fn inputs(self) -> &'static [&'static str] {
        match self {
            BuiltinAction::Checkout => &["repository", "ref", "path"],
            BuiltinAction::Eval => &[
                "name",
                "model",
                "dataset",
                "task",
                "target",
                "metrics",
                "inputs",
                "pair",
                "preprocess",
                "tokenizer",
                "classes",
                "id",
                "group",
                "slices",
                "memory",
                "no-cache",
                "provider",
                "device",
                "batch",
                "threads",
                "sessions",
            ],
            BuiltinAction::Bench => &[
                "name",
                "model",
                "against",
                "scenario",
                "duration",
                "queries",
                "blocks",
                "least-block",
                "warmup",
                "percentile",
                "inputs",
                "rate",
                "seed",
                "memory",
                "provider",
                "device",
                "batch",
                "threads",
                "sessions",
            ],
            BuiltinAction::Inspect => &["model", "against", "memory"],
            BuiltinAction::UploadArtifact => &["name", "path", "if-no-files-found"],
            BuiltinAction::DownloadArtifact => &["name", "path", "pattern", "merge-multiple"],
            BuiltinAction::Cache => &["key", "path", "restore-keys"],
        }
    }

    /// Whether it refuses others. Those that have GitHub's names leave out what GitHub's take beside.
    pub(super) fn is_strict(self) -> bool {
        match self {
            BuiltinAction::Eval | BuiltinAction::Bench | BuiltinAction::Inspect => true,
            BuiltinAction::Checkout
            | BuiltinAction::UploadArtifact
            | BuiltinAction::DownloadArtifact
            | BuiltinAction::Cache => false,
        }
    }
}
