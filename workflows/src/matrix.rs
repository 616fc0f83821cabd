//! Matrices: vectors, `exclude`, then `include`, into rows.
