//! Secrets out of logs: replaced by `***` wherever they stand, also across the borders of chunks.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

const MASK: &[u8] = b"***";

/// Lines of a secret of several lines that are shorter would blank half the log (`{`, `}`).
const SHORTEST_LINE: usize = 4;

/// What must not be shown.
#[derive(Debug, Default, Clone)]
pub struct Masks {
    patterns: BTreeSet<String>,
    finder: Option<AhoCorasick>,
    longest: usize,
}

impl Masks {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut masks = Self::default();
        for secret in secrets {
            masks.insert(secret);
        }
        masks.build();
        masks
    }

    /// Adds a secret: each of its lines, and the forms in which programs like to print it.
    pub fn add(&mut self, secret: &str) {
        self.insert(secret);
        self.build();
    }

    fn insert(&mut self, secret: &str) {
        let trimmed = secret.trim();
        if trimmed.is_empty() {
            return;
        }
        if !secret.contains('\n') {
            self.patterns.insert(trimmed.to_owned());
        }
        let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
        self.patterns.extend(lines.map(str::to_owned));
        if trimmed.len() < SHORTEST_LINE {
            return;
        }
        // Base64 of a longer text that holds the secret depends on where in a group of three it starts.
        for value in [secret, trimmed] {
            for skip in 0..3usize.min(value.len()) {
                let encoded = STANDARD_NO_PAD.encode(&value.as_bytes()[skip..]);
                // The last character depends on what follows; the rest does not.
                let whole = (value.len() - skip) / 3 * 4;
                if whole >= 8 {
                    self.patterns.insert(encoded[..whole].to_owned());
                }
            }
        }
        self.patterns.insert(percent_encode(trimmed));
        let json = serde_json::to_string(secret).unwrap_or_default();
        self.patterns.insert(json.trim_matches('"').to_owned());
    }

    fn build(&mut self) {
        self.longest = self.patterns.iter().map(String::len).max().unwrap_or(0);
        self.finder = (!self.patterns.is_empty())
            .then(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&self.patterns).ok())
            .flatten();
    }

    /// How many bytes at the end of an unfinished line must wait for what follows.
    pub fn holdback(&self) -> usize {
        self.longest.saturating_sub(1)
    }

    /// Appends `text` to `out`, masked.
    pub fn apply(&self, text: &[u8], out: &mut Vec<u8>) {
        let mut from = 0;
        for found in self.finder.iter().flat_map(|finder| finder.find_iter(text)) {
            out.extend_from_slice(&text[from..found.start()]);
            out.extend_from_slice(MASK);
            from = found.end();
        }
        out.extend_from_slice(&text[from..]);
    }

    /// Appends what of an unfinished text can be said already; returns how much of it was used up.
    /// The rest must come again in front of what follows.
    pub fn apply_partial(&self, text: &[u8], out: &mut Vec<u8>) -> usize {
        let limit = text.len().saturating_sub(self.holdback());
        let mut from = 0;
        for found in self.finder.iter().flat_map(|finder| finder.find_iter(text)) {
            // A match that begins in the tail could become a longer one, or end beyond it.
            if found.start() >= limit {
                break;
            }
            out.extend_from_slice(&text[from..found.start()]);
            out.extend_from_slice(MASK);
            from = found.end();
        }
        if from < limit {
            out.extend_from_slice(&text[from..limit]);
            from = limit;
        }
        from
    }

    /// A text for people, masked.
    pub fn text(&self, text: &str) -> String {
        let mut out = Vec::with_capacity(text.len());
        self.apply(text.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Whether a text holds a secret.
    pub fn covers(&self, text: &str) -> bool {
        self.finder.as_ref().is_some_and(|finder| finder.is_match(text))
    }
}

/// As in a URL: all but letters, digits and `-_.~`.
fn percent_encode(text: &str) -> String {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn masked(masks: &Masks, text: &str) -> String {
        masks.text(text)
    }

    #[test]
    fn a_secret_is_masked_in_its_encodings() {
        let secret = "p@ss word/42!";
        let masks = Masks::new([secret]);
        assert_eq!(masked(&masks, &format!("a {secret} b")), "a *** b");
        assert!(!masked(&masks, &percent_encode(secret)).contains("word"));
        for before in ["", "x", "xy"] {
            let encoded = STANDARD.encode(format!("{before}{secret}"));
            let shown = masked(&masks, &encoded);
            assert!(shown.contains("***"), "{before:?}: {shown}");
        }
    }

    #[test]
    fn each_line_of_a_key_is_masked_but_not_every_bracket() {
        let masks = Masks::new(["{\n  \"key\": \"abcdefgh\"\n}"]);
        assert_eq!(masked(&masks, "x \"key\": \"abcdefgh\" { }"), "x *** { }");
    }

    #[test]
    fn a_secret_cut_at_any_place_is_masked() {
        let masks = Masks::new(["hunter22", "hunter22-long"]);
        let text = "say hunter22 and hunter22-long and hunter2 end";
        let expected = "say *** and *** and hunter2 end";
        for cut in 0..=text.len() {
            let mut out = Vec::new();
            let used = masks.apply_partial(&text.as_bytes()[..cut], &mut out);
            masks.apply(&text.as_bytes()[used..], &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "cut at {cut}");
        }
    }
}
