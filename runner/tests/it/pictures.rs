//! Decoding, resizing, cropping and normalising against Pillow, on real photographs: `pictures.py` makes them, and models that
//! tell the difference. Decoders of JPEG may round otherwise; what is lossless is exact, and
//! resizing is within a level or two, but for hard edges under bicubic and lanczos.

use std::path::PathBuf;

use runner::onnx::{EvalSettings, TaskKind, evaluate, runtime::runtime};
use serde::Deserialize;

use crate::python;

#[derive(Deserialize)]
struct Entry {
    name: String,
    model: PathBuf,
    dataset: PathBuf,
    preprocess: String,
    /// Largest difference, in levels of 0 to 255.
    bound: f64,
}

#[test]
fn pictures_are_prepared_as_pillow_prepares_them() {
    let directory = tempfile::tempdir().unwrap();
    let entries: Vec<Entry> = serde_json::from_slice(&python::script("pictures.py", &[directory.path()])).unwrap();
    assert!(entries.len() >= 20);
    let mut differ = Vec::new();
    for entry in entries {
        let settings = EvalSettings {
            preprocess: entry.preprocess.parse().unwrap(),
            metrics: Some(vec!["mae".to_owned()]),
            ..EvalSettings::new(entry.model, entry.dataset, TaskKind::Regression)
        };
        let evaluation = evaluate(runtime(&|line| eprintln!("{line}")).unwrap(), &settings);
        let difference = evaluation.unwrap_or_else(|e| panic!("{}: {e}", entry.name)).metrics["mae"];
        eprintln!("{}: {difference:.4} of at most {}", entry.name, entry.bound);
        if difference > entry.bound {
            differ.push(format!("{}: {difference} levels, at most {}", entry.name, entry.bound));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
