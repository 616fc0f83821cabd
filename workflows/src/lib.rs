//! The domain of Assay, pure: facts in, decisions out.
//!
//! Nothing here reads a clock, a file, a socket, an environment variable or a log. What fails by
//! I/O lives in `runner`, `server` and `cli`; what decides lives here, so that it can be tested in
//! milliseconds and gives the same answer on a laptop and on the fleet.
//!
//! Reading order: [`ids`] and [`event`] name things; [`syntax`], [`expr`], [`matrix`], [`filter`],
//! [`cron`] and [`plan`] are the workflow language; [`run`] is the life of a run; [`evaluation`] is what a
//! job measured; [`compare`] hands it to [`gate`], which judges it and [`report`] tells people; [`protocol`] is how a server and a
//! runner speak about all of this.

pub mod compare;
pub mod cron;
pub mod evaluation;
pub mod event;
pub mod expr;
pub mod filter;
pub mod gate;
pub mod ids;
pub mod matrix;
pub mod plan;
pub mod protocol;
pub mod report;
pub mod run;
pub mod settings;
pub mod syntax;
