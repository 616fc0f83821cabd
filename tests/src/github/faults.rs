//! What can go wrong on the way to GitHub and back, on schedule.

use serde_json::json;

use super::api::Reply;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request took effect, and the answer was lost in a proxy.
    BadGatewayAfter,
    /// The request took effect, and the connection broke before the answer was through.
    DropAfter,
    /// 403 with the time to wait, in seconds, where GitHub gives one.
    SecondaryLimit { retry_after: Option<u64> },
    /// The hour's requests are used up for so many seconds more.
    PrimaryLimit { reset_in: u64 },
    /// The token was revoked before its time.
    Unauthorized,
}

impl Fault {
    /// Whether the request takes effect all the same.
    pub fn after(self) -> bool {
        match self {
            Fault::BadGatewayAfter | Fault::DropAfter => true,
            Fault::SecondaryLimit { .. } | Fault::PrimaryLimit { .. } | Fault::Unauthorized => false,
        }
    }

    /// What comes back instead of the answer; none: nothing does.
    pub fn reply(self, now: i64) -> Option<Reply> {
        match self {
            Fault::BadGatewayAfter => Some(Reply::new(502, json!({ "message": "Server Error" }))),
            Fault::DropAfter => None,
            Fault::SecondaryLimit { retry_after } => {
                let message =
                    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
                let mut reply = Reply::new(403, json!({ "message": message }));
                reply.headers.extend(retry_after.map(|seconds| ("retry-after", seconds.to_string())));
                Some(reply)
            }
            Fault::PrimaryLimit { reset_in } => {
                let mut reply = Reply::new(403, json!({ "message": "API rate limit exceeded for installation ID 1." }));
                reply.headers.push(("x-ratelimit-remaining", "0".to_owned()));
                reply.headers.push(("x-ratelimit-reset", (now + reset_in.cast_signed()).to_string()));
                Some(reply)
            }
            Fault::Unauthorized => Some(Reply::new(401, json!({ "message": "Bad credentials" }))),
        }
    }
}
