//! The language against what others say about it: GitHub's own test vectors, and our own reference.

mod expressions;
mod vectors;
mod workflow_files;
