//! What to evaluate, and how.

use std::{collections::BTreeMap, path::PathBuf};

use super::{preprocess::Preprocess, session::Provider, tasks::TaskKind};

/// What to evaluate, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalSettings {
    /// The evaluation's name, unique within a run.
    pub name: String,
    pub model: PathBuf,
    pub dataset: PathBuf,
    pub task: TaskKind,
    /// None: the task's usual ones. `model_bytes` goes with every task and is always told.
    pub metrics: Option<Vec<String>>,
    pub provider: Provider,
    /// Index of the GPU, for `cuda`.
    pub device: u32,
    /// Examples at once. A model with a batch size of its own gets that.
    pub batch: usize,
    /// Intra-op threads of one session: with more than one, ONNX Runtime adds up trees and products in another order.
    pub threads: u32,
    /// Sessions that answer side by side, a batch each. Their number changes no answer.
    pub sessions: u32,
    /// Columns of the right answers: one, or for several labels one each.
    pub target: Vec<String>,
    /// Column of the examples' names; none: `id` where there is one, else the row's number from 0.
    pub id: Option<String>,
    /// Column of groups whose examples are not independent; for ranking, of the queries.
    pub group: Option<String>,
    /// Columns by whose values metrics are told apart.
    pub slices: Vec<String>,
    /// Model input → columns.
    pub inputs: BTreeMap<String, Vec<String>>,
    /// The same for the other text or image of a pair, where the task compares two.
    pub pair: BTreeMap<String, Vec<String>>,
    /// What is done to images and texts first.
    pub preprocess: Preprocess,
    /// A `tokenizer.json`, for models of tokens.
    pub tokenizer: Option<PathBuf>,
    /// Class labels in the order of the model's scores.
    pub classes: Vec<String>,
    /// Where outcomes go: `.jsonl` or `.jsonl.zst`.
    pub outcomes: Option<PathBuf>,
}

/// Examples at once, where nobody says otherwise: the fastest size of the small models measured.
pub const DEFAULT_BATCH: usize = 32;

impl EvalSettings {
    /// The defaults around what must be said. One thread: numbers are then the same on every machine.
    pub fn new(model: impl Into<PathBuf>, dataset: impl Into<PathBuf>, task: TaskKind) -> Self {
        Self {
            name: "eval".to_owned(),
            model: model.into(),
            dataset: dataset.into(),
            task,
            metrics: None,
            provider: Provider::Cpu,
            device: 0,
            batch: DEFAULT_BATCH,
            threads: 1,
            sessions: 1,
            target: vec!["target".to_owned()],
            id: None,
            group: None,
            slices: Vec::new(),
            inputs: BTreeMap::new(),
            pair: BTreeMap::new(),
            preprocess: Preprocess::default(),
            tokenizer: None,
            classes: Vec::new(),
            outcomes: None,
        }
    }
}
