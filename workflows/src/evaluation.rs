//! What a job measured: one model on one data set, and the outcome of every example.
//!
//! The summary ([`Evaluation`]) travels in the job's report and is stored; the outcomes, which can
//! be millions, are JSON Lines in a blob: one [`OutcomesHeader`], then one [`Outcome`] a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{Digest, Sha};

/// Version of the outcomes file, in its header. Readers refuse one that they do not know.
pub const OUTCOMES_SCHEMA: u32 = 1;

/// One model on one data set: what `assay eval --json` prints and what a gate compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Unique within a run: the step's id, or its job's name.
    pub name: String,
    /// As scikit-learn would call it: `classification`, `regression`, …
    pub task: String,
    /// Examples evaluated.
    pub n: u64,
    /// Metric name (scikit-learn's) → value. NaN is absent, never a number.
    pub metrics: BTreeMap<String, f64>,
    /// Class label → metric → value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub per_class: BTreeMap<String, BTreeMap<String, f64>>,
    /// Target → prediction → examples, without the zeros; for at most 32 classes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub confusion: BTreeMap<String, BTreeMap<String, u64>>,
    /// Slice name → metric → value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slices: BTreeMap<String, BTreeMap<String, f64>>,
    pub model: FileFacts,
    pub dataset: FileFacts,
    pub provider: ProviderFacts,
    pub timing: Timing,
    /// The numbers come from an earlier evaluation with the same key.
    #[serde(default)]
    pub cached: bool,
    /// Where the outcomes are; none where the step kept none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcomes: Option<BlobRef>,
    /// How fast it was, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark: Option<Benchmark>,
    /// The base's model, evaluated or measured beside this one by the same step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Box<Beside>>,
    /// The base's model measured twice, to check the gate: once, with the other time beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_check: Option<Box<Evaluation>>,
}

/// What a benchmark measured, block by block. The quantiles over all of it are in [`Evaluation::metrics`].
///
/// With [`Evaluation::beside`], block i of the base's benchmark ran beside block i of this one: both on the
/// same device, who went first drawn anew for each block.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Benchmark {
    /// MLPerf's name: `single-stream`, `offline`, `server`.
    pub scenario: String,
    /// Metric → its value in each block, in the metric's unit (times in milliseconds).
    pub blocks: BTreeMap<String, Vec<f64>>,
    /// Metric without its quantile (`latency`) → measurements, in the metric's unit; at most
    /// [`MOST_SAMPLES`], evenly chosen where there were more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub samples: BTreeMap<String, Vec<f64>>,
    /// What disturbed it, a sentence each: throttling, another process on the GPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disturbances: Vec<String>,
}

/// Measurements of a benchmark that are kept.
pub const MOST_SAMPLES: usize = 20_000;

/// The base's model on the same data, on the same device, under the same settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// The commit that the model was taken from; none where it was a file.
    #[serde(default)]
    pub sha: Option<Sha>,
    pub evaluation: Evaluation,
}

impl Evaluation {
    /// What must be equal for two evaluations to be comparable, by names that people read: the task (and with
    /// it the metrics' definitions), the data set, where it ran and with what.
    pub fn like(&self) -> BTreeMap<String, String> {
        let like = [
            ("the task", self.task.clone()),
            ("the data set", self.dataset.digest.to_string()),
            ("the provider", self.provider.requested.clone()),
            ("the device", self.provider.device.clone()),
            ("ONNX Runtime", self.provider.version.clone()),
        ];
        like.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// A file that an evaluation read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// As the workflow named it, relative to the workspace.
    pub path: String,
    pub digest: Digest,
    pub bytes: u64,
}

/// A blob in the server's store (or in the local cache).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    pub digest: Digest,
    pub bytes: u64,
}

/// Where the model really ran, from ONNX Runtime's own profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderFacts {
    /// `cpu` or `cuda`.
    pub requested: String,
    /// Execution provider → number of graph nodes that it ran.
    pub nodes: BTreeMap<String, u64>,
    /// What like is compared with like by: the CPU's or GPU's model name.
    pub device: String,
    /// ONNX Runtime's version.
    pub version: String,
    /// Intra-op threads: they change the last bits of some models' outputs.
    pub threads: u32,
}

/// Milliseconds of wall time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Opening the model.
    pub load_ms: f64,
    /// Inside ONNX Runtime.
    pub run_ms: f64,
    /// From rows to answers, ONNX Runtime included; without waiting for rows. 0 in what was measured before it was told.
    #[serde(default)]
    pub answer_ms: f64,
    /// From the open data set to the metrics, everything included.
    pub total_ms: f64,
}

/// First line of an outcomes file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomesHeader {
    pub schema: u32,
    pub task: String,
    pub model: Digest,
    pub dataset: Digest,
    /// Class labels in the order of probability columns, where the task has classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

/// One example: what was right, what the model said, and what it contributes to each metric that is
/// a mean over examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub id: String,
    pub target: Value,
    pub prediction: Value,
    /// Confidence in the prediction, where the model gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Metric → this example's contribution (`accuracy`: 1 or 0; `log_loss`: −ln p).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, f64>,
    /// Examples of one group are not independent (frames of one video, questions on one text).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
}

/// An outcomes file, read whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcomes {
    pub header: OutcomesHeader,
    pub examples: Vec<Outcome>,
}

/// Why a text is not an outcomes file; `line` counts from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct OutcomesError {
    pub line: usize,
    pub message: String,
}

impl Outcomes {
    /// Reads JSON Lines: the header, then one example a line.
    pub fn parse(text: &str) -> Result<Self, OutcomesError> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let error = |line: usize, message: String| OutcomesError { line: line + 1, message };
        let (number, first) = lines.next().ok_or_else(|| error(0, "the file is empty".to_owned()))?;
        let header: OutcomesHeader = serde_json::from_str(first).map_err(|e| error(number, e.to_string()))?;
        if header.schema != OUTCOMES_SCHEMA {
            let message = format!("schema {} is not the one this version reads ({OUTCOMES_SCHEMA})", header.schema);
            return Err(error(number, message));
        }
        let examples = lines
            .map(|(number, line)| serde_json::from_str(line).map_err(|e| error(number, e.to_string())))
            .collect::<Result<_, _>>()?;
        Ok(Self { header, examples })
    }
}

/// An evaluation together with the commit and job that it speaks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub sha: Sha,
    pub job: String,
    pub evaluation: Evaluation,
}
