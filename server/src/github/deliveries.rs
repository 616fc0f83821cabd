//! Deliveries that we never acknowledged. GitHub does not repeat them by itself, keeps them for
//! three days (seven on Enterprise Server), and sends them again when asked, under the same GUID.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{GithubError, GithubForge, client::Request};

/// One attempt to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Delivery {
    pub id: u64,
    /// The same for every attempt at one event: `X-GitHub-Delivery`.
    pub guid: String,
    pub delivered_at: Timestamp,
    /// What we answered; 0 where nobody did.
    #[serde(default)]
    pub status_code: u16,
    /// `push`, `pull_request`, …
    pub event: String,
    #[serde(default)]
    pub action: Option<String>,
}

/// Pages of 100 that one sweep reads at most: a day's worth of a large installation.
const PAGES: usize = 100;

impl GithubForge {
    /// The newest attempt of each event that was sent since then, that no attempt delivered, and that it is time
    /// to ask for again; oldest first.
    pub async fn failed_deliveries(&self, since: Timestamp, now: Timestamp) -> Result<Vec<Delivery>, GithubError> {
        Ok(undelivered(self.attempts(since, |_| false).await?, since, now))
    }

    /// Whether GitHub lists an attempt at an event under this id since then.
    pub async fn has_sent(&self, guid: &str, event: &str, since: Timestamp) -> Result<bool, GithubError> {
        let it = |attempt: &Delivery| attempt.guid == guid && attempt.event == event;
        Ok(self.attempts(since, it).await?.iter().any(it))
    }

    /// Attempts since then, and a few older ones, newest first; no further than the page with one that is `wanted`.
    async fn attempts(
        &self,
        since: Timestamp,
        wanted: impl Fn(&Delivery) -> bool,
    ) -> Result<Vec<Delivery>, GithubError> {
        let mut attempts: Vec<Delivery> = Vec::new();
        let mut query = "per_page=100".to_owned();
        for _ in 0..PAGES {
            let route = format!("/app/hook/deliveries?{query}");
            let (page, next): (Vec<Delivery>, _) = self.page_as_app("list webhook deliveries", route).await?;
            let past_it = page.iter().any(|delivery| delivery.delivered_at < since || wanted(delivery));
            attempts.extend(page);
            match next {
                Some(next) if !past_it => query = next,
                Some(_) | None => break,
            }
        }
        Ok(attempts)
    }

    /// Asks GitHub to send an event again; it comes as an ordinary webhook, with the GUID it had.
    pub async fn redeliver(&self, delivery: &Delivery) -> Result<(), GithubError> {
        let route = format!("/app/hook/deliveries/{}/attempts", delivery.id);
        let request = Request::Post { route, body: &serde_json::json!({}) };
        let _accepted: serde_json::Value = self.send_as_app("ask for a webhook again", request).await?;
        Ok(())
    }
}

/// Longest pause between two attempts at one event. Shorter than the part of the past that sweeps read again.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(30);

fn undelivered(attempts: Vec<Delivery>, since: Timestamp, now: Timestamp) -> Vec<Delivery> {
    let delivered: BTreeSet<String> =
        attempts.iter().filter(|a| (200..300).contains(&a.status_code)).map(|a| a.guid.clone()).collect();
    let mut newest: BTreeMap<String, Delivery> = BTreeMap::new();
    let mut first: BTreeMap<String, Timestamp> = BTreeMap::new();
    for attempt in attempts {
        if attempt.delivered_at < since || delivered.contains(&attempt.guid) {
            continue;
        }
        let begun = first.entry(attempt.guid.clone()).or_insert(attempt.delivered_at);
        *begun = attempt.delivered_at.min(*begun);
        let known = newest.get(&attempt.guid);
        if known.is_none_or(|known| (known.delivered_at, known.id) < (attempt.delivered_at, attempt.id)) {
            newest.insert(attempt.guid.clone(), attempt);
        }
    }
    // What is refused again and again is asked for ever more rarely.
    let due = |last: &Delivery| {
        let tried_for = last.delivered_at.duration_since(first[&last.guid]);
        now.duration_since(last.delivered_at) >= (tried_for / 4).min(LONGEST_PAUSE)
    };
    let mut failed: Vec<Delivery> = newest.into_values().filter(due).collect();
    failed.sort_by_key(|delivery| (delivery.delivered_at, delivery.id));
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(id: u64, guid: &str, second: i64, status_code: u16) -> Delivery {
        let delivered_at = Timestamp::from_second(second).unwrap();
        Delivery { id, guid: guid.to_owned(), delivered_at, status_code, event: "push".to_owned(), action: None }
    }

    #[test]
    fn an_event_is_missed_when_no_attempt_at_it_arrived() {
        let attempts = vec![
            attempt(5, "again", 50, 0),
            attempt(4, "mended", 40, 202),
            attempt(3, "again", 30, 502),
            attempt(2, "mended", 20, 500),
            attempt(1, "old", 9, 500),
        ];
        let missed = |now| -> Vec<u64> {
            let at = |second| Timestamp::from_second(second).unwrap();
            undelivered(attempts.clone(), at(10), at(now)).into_iter().map(|d| d.id).collect()
        };
        assert_eq!(missed(55), [5]);
        assert_eq!(missed(54), [] as [u64; 0], "it was tried for 20 seconds, 4 ago");
    }
}
