//! Filters on branches, tags and paths, in the glob language of GitHub.
