//! Tests that need processes or files of their own; and the server over real HTTP, with real bare
//! repositories and a runner that does as the test says.

mod acceptance;
mod concurrency;
mod dispatches;
mod jobs;
mod pages;
mod policy;
mod repetition;
mod self_check;
mod settings;
mod spine;
mod store_full;
mod store_torture;
mod webhooks;
mod world;
