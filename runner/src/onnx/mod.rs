//! ONNX Runtime: finding it, and evaluating, timing and inspecting models with it.
//!
//! The library is loaded at run time, so one binary serves machines with and without CUDA.
//! [`library`] finds or installs it; [`runtime`] loads it, once for the process; [`session`] opens
//! one model on it; everything else works on a session.

pub mod bench;
mod error;
pub mod evaluate;
mod facts;
mod inputs;
pub mod inspect;
pub mod library;
pub mod limits;
mod outcomes;
mod outputs;
pub mod reuse;
pub mod runtime;
pub mod session;
mod tasks;

pub use error::EvalError;
pub use evaluate::{EvalSettings, evaluate};
pub use facts::{cpu_name, gpu_name};
pub use session::Provider;
pub use tasks::TaskKind;
