//! The server at GitHub, end to end: signed deliveries come in, real jobs run, and what a reviewer then sees
//! on the commit is read from the fake's state.

mod answers;
mod baselines;
mod button;
mod rounds;
mod troubles;
mod world;
