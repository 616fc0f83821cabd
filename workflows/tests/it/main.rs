//! The language against what others say about it: GitHub's own test vectors, and our own reference.

mod expressions;
mod properties;
mod reference;
mod vectors;
mod workflow_files;
