//! libgit2's settings for the whole process.

use std::sync::Once;

/// How long a server may be silent, in milliseconds: libgit2 would wait for ever.
const SERVER_TIMEOUT_MS: i32 = 60_000;
const CONNECT_TIMEOUT_MS: i32 = 20_000;

/// Sets them, before the first use.
#[expect(unsafe_code, reason = "libgit2 keeps these in globals without a lock")]
pub(super) fn set_once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `Once` lets no other thread of ours set or use them meanwhile, as every use of git2's
        // network in this crate comes after this call.
        let set = unsafe {
            git2::opts::set_server_connect_timeout_in_milliseconds(CONNECT_TIMEOUT_MS)
                .and_then(|()| git2::opts::set_server_timeout_in_milliseconds(SERVER_TIMEOUT_MS))
        };
        if let Err(e) = set {
            tracing::warn!("libgit2's timeouts cannot be set: {e}");
        }
    });
}
