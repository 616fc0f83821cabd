//! `examples/digits`, inside the binary: the demo needs no checkout of Assay.

use super::git::Git;

const WORKFLOW: &str = include_str!("../../../examples/digits/.assay/workflows/evaluate.yml");
const GOOD: &[u8] = include_bytes!("../../../examples/digits/model.onnx");
const REGRESSED: &[u8] = include_bytes!("../../../examples/digits/variants/regressed.onnx");
const SMALLER: &[u8] = include_bytes!("../../../examples/digits/variants/smaller.onnx");
const HELDOUT: &[u8] = include_bytes!("../../../examples/digits/heldout.npz");

/// A change to the project, as a branch proposes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Regressed,
    Smaller,
    BrokenWorkflow,
}

impl Change {
    pub(super) fn branch(self) -> &'static str {
        match self {
            Change::Regressed => "retrain-quickly",
            Change::Smaller => "shrink-model",
            Change::BrokenWorkflow => "tidy-workflow",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Change::Regressed => "Retrain on the new labels",
            Change::Smaller => "Fold the scaler into the weights",
            Change::BrokenWorkflow => "Tidy up the workflow",
        }
    }

    fn apply(self, git: &Git) -> anyhow::Result<()> {
        match self {
            Change::Regressed => git.write("model.onnx", REGRESSED),
            Change::Smaller => git.write("model.onnx", SMALLER),
            Change::BrokenWorkflow => {
                git.write(".assay/workflows/evaluate.yml", WORKFLOW.replacen("steps:", "step:", 1).as_bytes())
            }
        }
    }

    /// Commits the change on a branch of its own, cut from main.
    pub(super) fn commit(self, git: &Git) -> anyhow::Result<workflows::ids::Sha> {
        git.run(&["switch", "--quiet", "--create", self.branch(), "main"])?;
        self.apply(git)?;
        git.commit_all(self.title())
    }
}

pub(super) fn first_commit(git: &Git) -> anyhow::Result<workflows::ids::Sha> {
    git.write(".assay/workflows/evaluate.yml", WORKFLOW.as_bytes())?;
    git.write("model.onnx", GOOD)?;
    git.write("heldout.npz", HELDOUT)?;
    git.commit_all("A model that reads handwritten digits")
}
