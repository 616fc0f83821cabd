//! Everything end to end, in one binary. Each module is one story.

mod github;
mod github_examples;
mod house;
mod kill;
mod pages;
