//! ONNX Runtime: finding it, and evaluating, timing and inspecting models with it.
//!
//! The library is loaded at run time, so one binary serves machines with and without CUDA.
//! [`library`] finds or installs it; [`runtime`] loads it, once for the process; [`session`] opens
//! one model on it; everything else works on a session.

mod answers;
pub mod bench;
mod columns;
mod error;
pub mod evaluate;
mod facts;
mod inputs;
pub mod inspect;
pub mod library;
pub mod limits;
mod outcomes;
pub mod preprocess;
pub mod reuse;
pub mod runtime;
pub mod session;
mod settings;
mod tasks;

pub use error::EvalError;
pub use evaluate::evaluate;
pub use facts::{cpu_name, gpu_name};
pub use session::Provider;
pub use settings::EvalSettings;
pub use tasks::TaskKind;
