//! Everything end to end, in one binary. Each module is one story.

mod acceptance;
mod bad_input;
mod baselines;
mod check;
mod compare;
mod doctor;
mod github;
mod github_app;
mod github_examples;
mod github_server;
mod house;
mod kill;
mod local_run;
mod models;
mod pages;
mod walk;
