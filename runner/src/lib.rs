//! Executes jobs: checkout, steps, sandbox, telemetry, and evaluation on ONNX Runtime.
//!
//! [`agent`] claims jobs from a server and keeps their leases; [`job`] runs one job for whoever asked
//! (the fleet's server, or `assay run` on a working tree) behind the small trait
//! [`job::host::JobHost`]. Below it: [`process`] starts and ends process trees, in a sandbox where
//! one works; [`actions`] are the built-in `uses:`, a file each; [`checkout`] is git; [`archive`] packs
//! artifacts and unpacks them with suspicion; [`facts`] and [`gpu`] look at the machine. [`onnx`] evaluates models.
//!
//! What a job leaves behind (files, archives, step outputs, models) is hostile input everywhere here.

pub mod actions;
pub mod agent;
pub mod archive;
pub mod checkout;
pub mod dataset;
pub mod facts;
pub mod gpu;
pub mod job;
pub mod metrics;
pub mod onnx;
mod priority;
pub mod process;
