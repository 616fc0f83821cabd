//! What a model runs on: the options that `assay eval` and `assay bench` share.

use runner::onnx::{Provider, evaluate::DEFAULT_BATCH};

#[derive(Debug, Clone, clap::Args)]
pub struct Compute {
    /// Where the model must run: cpu, cuda or tensorrt.
    #[arg(long, default_value = "cpu")]
    pub provider: Provider,
    /// Index of the GPU, of those that the process may see.
    #[arg(long, default_value_t = 0)]
    pub device: u32,
    /// Examples that the model is given at once.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BATCH)]
    pub batch: usize,
    /// Threads of one session. They may change the last digits of the model's answers.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threads: u32,
    /// Sessions that answer side by side. Their number changes no answer.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub sessions: u32,
}
