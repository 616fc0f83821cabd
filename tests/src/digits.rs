//! The digits of `examples/digits` as a repository: models, held-out data, and a workflow that evaluates one.

use std::path::Path;

use workflows::ids::Sha;

use crate::site::Site;

pub const FILE: &str = ".assay/workflows/evaluate.yml";

/// Its `gate:` is the last section, so that more rules may follow.
pub const WORKFLOW: &str = "
on: [push, pull_request]
jobs:
  eval:
    runs-on: self-hosted
    steps:
      - uses: assay/checkout@v1
      - id: eval
        uses: assay/eval@v1
        with: { model: model.onnx, dataset: heldout.npz, task: classification, metrics: 'accuracy, f1_macro' }
gate:
  accuracy: { max-drop: 1pp }
";

/// A file of the example.
pub fn example(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first commit, with a workflow, judged.
pub async fn first(site: &Site, workflow: &str) -> Sha {
    let (model, data) = (example("model.onnx"), example("heldout.npz"));
    let files: [(&str, &[u8]); 3] = [(FILE, workflow.as_bytes()), ("model.onnx", &model), ("heldout.npz", &data)];
    let main = site.commit("main", None, "A model", &files).await;
    site.gate(&main).await;
    main
}
