//! Waiting on conditions. The deadline is for a test that hangs, never what a result depends on.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// Longest wait for anything, on a machine that has other things to do.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again until the answer is `Ok`; fails with the last `Err`, which should say what was seen.
#[track_caller]
pub fn until<T, E: Debug>(what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if Instant::now() > deadline => panic!("waited in vain for {what}; last seen: {seen:#?}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The same where looking is asynchronous.
pub async fn until_async<T, E: Debug>(what: &str, mut look: impl AsyncFnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if Instant::now() > deadline => panic!("waited in vain for {what}; last seen: {seen:#?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
