//! The language against what others say about it: GitHub's own test vectors, and our own reference; the
//! statistics against scipy and statsmodels.

mod expressions;
mod mutation;
mod oracle;
mod properties;
mod python;
mod reference;
mod statistics;
mod vectors;
mod workflow_files;
