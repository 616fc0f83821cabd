//! The part of Assay that executes: jobs, and evaluations on ONNX Runtime.

pub mod dataset;
pub mod metrics;
pub mod onnx;
