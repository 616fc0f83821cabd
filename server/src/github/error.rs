//! What can go wrong with a request to GitHub, and whether repeating it helps.

use std::time::Duration;

use octocrab::GitHubError as Answer;

/// Why GitHub did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GithubError {
    /// Not now. Repeat after [`Retry::delay`]; whether the request took effect is unknown.
    #[error("failed to {doing} for now: {cause}")]
    Transient { doing: String, retry: Retry, cause: String },
    /// GitHub said no, and will again until someone changes something there or here.
    #[error("failed to {doing}: {cause}")]
    Permanent {
        doing: String,
        /// The HTTP status; none where no request was sent or the answer made no sense.
        status: Option<u16>,
        cause: String,
    },
}

impl GithubError {
    /// When to repeat; none where repeating does not help.
    pub fn retry(&self) -> Option<Retry> {
        match self {
            GithubError::Transient { retry, .. } => Some(*retry),
            GithubError::Permanent { .. } => None,
        }
    }

    pub(super) fn is_status(&self, wanted: u16) -> bool {
        match self {
            GithubError::Transient { .. } => false,
            GithubError::Permanent { status, .. } => *status == Some(wanted),
        }
    }
}

/// When a request may be repeated. A value, not a sleep: the caller has other work to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// GitHub named the time, from now.
    After(Duration),
    /// A rate limit without a time: GitHub asks for a minute, then exponentially more.
    RateLimit,
    /// A 5xx or a broken connection.
    Backoff,
}

/// GitHub bans an integration that goes on asking while it is limited, so no wait is longer than an hour for want of trying.
const LONGEST: Duration = Duration::from_secs(3600);

impl Retry {
    /// How long to wait from now, after `failures` failures in a row (the first is 1).
    pub fn delay(self, failures: u32) -> Duration {
        let doubled = |first: Duration| first.saturating_mul(1 << failures.saturating_sub(1).min(12)).min(LONGEST);
        match self {
            Retry::After(wait) => wait.min(2 * LONGEST),
            Retry::RateLimit => doubled(Duration::from_secs(60)),
            Retry::Backoff => doubled(Duration::from_secs(1)),
        }
    }

    /// Whether the whole installation must keep quiet, not this request alone.
    pub(super) fn limits_all(self) -> bool {
        match self {
            Retry::After(_) | Retry::RateLimit => true,
            Retry::Backoff => false,
        }
    }
}

pub(super) fn from_octocrab(doing: &str, error: octocrab::Error) -> GithubError {
    let doing = doing.to_owned();
    match error {
        octocrab::Error::GitHub { source, .. } => from_answer(doing, &source),
        // Never reached GitHub, or its answer never reached us.
        octocrab::Error::Service { source, .. } => {
            GithubError::Transient { doing, retry: Retry::Backoff, cause: with_sources(&*source) }
        }
        octocrab::Error::Hyper { source, .. } => {
            GithubError::Transient { doing, retry: Retry::Backoff, cause: with_sources(&source) }
        }
        other => GithubError::Permanent { doing, status: None, cause: one_line(&other.to_string()) },
    }
}

fn from_answer(doing: String, answer: &Answer) -> GithubError {
    let status = answer.status_code.as_u16();
    let details: Vec<String> = answer.errors.iter().flatten().map(ToString::to_string).collect();
    let mut cause = format!("{} (HTTP {status})", one_line(&answer.message));
    if !details.is_empty() {
        cause.push_str(&format!(": {}", details.join(", ")));
    }
    match classify(status, &answer.message, |name| {
        answer.headers.as_ref().and_then(|h| h.get(name)).and_then(|v| v.to_str().ok())
    }) {
        Some(retry) => GithubError::Transient { doing, retry, cause },
        None => GithubError::Permanent { doing, status: Some(status), cause },
    }
}

/// When to repeat after this answer; none for a plain no. GitHub's rules, in its order
/// (docs, "Rate limits for the REST API", section "Exceeding the rate limit").
fn classify<'a>(status: u16, message: &str, header: impl Fn(&str) -> Option<&'a str>) -> Option<Retry> {
    let limited = match status {
        429 => true,
        // 403 also says "you may not": only these signs tell the two apart.
        403 => {
            let message = message.to_ascii_lowercase();
            header("retry-after").is_some()
                || header("x-ratelimit-remaining") == Some("0")
                || message.contains("rate limit")
                || message.contains("abuse")
        }
        408 | 500..=599 => return Some(Retry::Backoff),
        _ => return None,
    };
    debug_assert!(limited || status == 403, "429 is always a limit");
    if !limited {
        return None;
    }
    if let Some(seconds) = header("retry-after").and_then(|v| v.trim().parse().ok()) {
        return Some(Retry::After(Duration::from_secs(seconds)));
    }
    if header("x-ratelimit-remaining") == Some("0") {
        // Against GitHub's own clock, from the same answer: ours may be wrong.
        let reset: Option<i64> = header("x-ratelimit-reset").and_then(|v| v.trim().parse().ok());
        let now = header("date").and_then(http_date);
        if let (Some(reset), Some(now)) = (reset, now) {
            return Some(Retry::After(Duration::from_secs(u64::try_from(reset - now).unwrap_or(0) + 1)));
        }
    }
    Some(Retry::RateLimit)
}

/// Seconds since 1970 of an HTTP date: `Tue, 24 Nov 2026 16:00:00 GMT`.
fn http_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp().as_second())
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = one_line(&error.to_string());
    let mut next = error.source();
    while let Some(source) = next {
        let more = one_line(&source.to_string());
        if !text.contains(&more) {
            text.push_str(&format!(": {more}"));
        }
        next = source.source();
    }
    text
}

/// The first line: what follows it in octocrab's messages is a backtrace, in a proxy's a page of HTML.
fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, message: &str, headers: &[(&str, &'static str)]) -> Option<Retry> {
        classify(status, message, |name| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v))
    }

    #[test]
    fn a_plain_no_is_not_repeated() {
        for status in [400, 401, 404, 409, 410, 422] {
            assert_eq!(check(status, "", &[]), None, "{status}");
        }
        assert_eq!(check(403, "Resource not accessible by integration", &[("x-ratelimit-remaining", "4999")]), None);
    }

    #[test]
    fn the_time_that_github_names_is_kept() {
        assert_eq!(check(403, "", &[("retry-after", "17")]), Some(Retry::After(Duration::from_secs(17))));
        assert_eq!(check(429, "", &[("retry-after", "5")]), Some(Retry::After(Duration::from_secs(5))));
        let reset = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1795536060"),
            ("date", "Tue, 24 Nov 2026 16:00:00 GMT"),
        ];
        assert_eq!(http_date("Tue, 24 Nov 2026 16:00:00 GMT"), Some(1_795_536_000));
        assert_eq!(check(403, "", &reset), Some(Retry::After(Duration::from_secs(61))));
    }

    #[test]
    fn a_limit_without_a_time_means_a_minute_then_more() {
        let retry = check(403, "You have exceeded a secondary rate limit.", &[]).unwrap();
        assert_eq!(retry, Retry::RateLimit);
        assert_eq!(check(429, "", &[("x-ratelimit-remaining", "12")]), Some(Retry::RateLimit));
        let waits: Vec<u64> = [1, 2, 3, 9, 99].map(|n| retry.delay(n).as_secs()).into();
        assert_eq!(waits, [60, 120, 240, 3600, 3600]);
    }

    #[test]
    fn a_server_error_backs_off_from_a_second() {
        for status in [408, 500, 502, 503, 504] {
            assert_eq!(check(status, "", &[]), Some(Retry::Backoff), "{status}");
        }
        assert_eq!([1, 2, 5].map(|n| Retry::Backoff.delay(n).as_secs()), [1, 2, 16]);
        assert!(!Retry::Backoff.limits_all());
    }
}
