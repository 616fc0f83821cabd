//! ONNX Runtime: finding it, and evaluating, timing and inspecting models with it.
//!
//! The library is loaded at run time, so one binary serves machines with and without CUDA.
//! [`library`] finds or installs it; [`runtime`] loads it, once for the process; [`session`] opens
//! one model on it; everything else works on a session.

pub mod library;
pub mod runtime;
