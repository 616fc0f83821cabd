//! Text from data sets and people, fit for Markdown: nobody vouches for it.

use super::limits::shorten;

/// Fit to stand between backticks in a table: ids and labels come from data sets that nobody vouches for.
pub(super) fn code(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| {
            if c.is_control() {
                ' '
            } else if c == '`' {
                '\''
            } else {
                c
            }
        })
        .collect();
    let clean = shorten(clean.trim(), 120).replace('|', "\\|");
    if clean.is_empty() { " ".to_owned() } else { clean }
}

/// Prose without mark-up of its own: no tags, no mentions, no line breaks. Backticks stay.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("@\u{200b}"),
            '|' => out.push_str("\\|"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
