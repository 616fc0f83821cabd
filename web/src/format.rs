//! Times and durations for people.

use jiff::Timestamp;

use crate::html::Html;

/// `just now`, `5 minutes ago`, `yesterday`, `on 3 Oct 2026`.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    let count = |n: i64, unit: &str| format!("{n} {unit}{} ago", if n == 1 { "" } else { "s" });
    match seconds {
        // A clock a little ahead of ours is no reason to talk of the future.
        i64::MIN..=9 => "just now".to_owned(),
        10..=59 => count(seconds, "second"),
        60..=3_599 => count(seconds / 60, "minute"),
        3_600..=86_399 => count(seconds / 3_600, "hour"),
        86_400..=172_799 => "yesterday".to_owned(),
        172_800..=2_591_999 => count(seconds / 86_400, "day"),
        2_592_000..=i64::MAX => at.strftime("on %-d %b %Y").to_string(),
    }
}

/// A `<time>` element: relative to read, absolute on hover and to machines.
pub(crate) fn time(at: Timestamp, now: Timestamp) -> Html {
    let machine = at.strftime("%Y-%m-%dT%H:%M:%SZ");
    let title = at.strftime("%-d %b %Y, %H:%M:%S UTC");
    Html(format!("<time datetime=\"{machine}\" title=\"{title}\">{}</time>", ago(at, now)))
}

/// `0.3 s`, `12 s`, `3 min 12 s`, `2 h 5 min`. A negative one (clocks differ) is shown as none at all.
pub(crate) fn duration(from: Timestamp, to: Timestamp) -> String {
    let ms = (to.as_millisecond() - from.as_millisecond()).max(0);
    match ms {
        ..50 => "0 s".to_owned(),
        50..950 => format!("{}.{} s", ms / 1000, (ms % 1000 + 50) / 100),
        950..9_950 => format!("{:.1} s", ms as f64 / 1000.0),
        9_950..59_500 => format!("{} s", (ms + 500) / 1000),
        59_500..3_600_000 => format!("{} min {} s", (ms + 500) / 60_000, (ms + 500) / 1000 % 60),
        3_600_000.. => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

/// From `from` to `to`, or until `now` where it has not ended; empty where it has not begun.
pub(crate) fn elapsed(from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> String {
    from.map(|from| duration(from, to.unwrap_or(now))).unwrap_or_default()
}

/// `1 job`, `2 jobs`.
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {many}", crate::number::integer(n as u64)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let check = |at: &str, expect: &str| assert_eq!(ago(at.parse().unwrap(), now), expect, "{at}");
        check("2026-11-24T12:00:30Z", "just now");
        check("2026-11-24T11:59:30Z", "30 seconds ago");
        check("2026-11-24T11:59:00Z", "1 minute ago");
        check("2026-11-24T09:10:00Z", "2 hours ago");
        check("2026-11-23T09:10:00Z", "yesterday");
        check("2026-11-20T12:00:00Z", "4 days ago");
        check("2026-01-02T12:00:00Z", "on 2 Jan 2026");
        assert_eq!(
            time("2026-11-24T11:59:00Z".parse().unwrap(), now).0,
            "<time datetime=\"2026-11-24T11:59:00Z\" title=\"24 Nov 2026, 11:59:00 UTC\">1 minute ago</time>"
        );
    }

    #[test]
    fn durations_lose_digits_as_they_grow() {
        let check = |ms: i64, expect: &str| {
            let from = Timestamp::from_millisecond(1_000_000).unwrap();
            assert_eq!(duration(from, Timestamp::from_millisecond(1_000_000 + ms).unwrap()), expect);
        };
        check(-5, "0 s");
        check(49, "0 s");
        check(50, "0.1 s");
        check(310, "0.3 s");
        check(949, "0.9 s");
        check(999, "1.0 s");
        check(9_940, "9.9 s");
        check(12_400, "12 s");
        check(59_400, "59 s");
        check(59_600, "1 min 0 s");
        check(192_000, "3 min 12 s");
        check(7_500_000, "2 h 5 min");
    }
}
