//! GitHub's limits on a check run's output. Those on texts are in bytes, whatever the documentation says.

/// Of `title`.
pub const MAX_TITLE: usize = 255;

/// Of `summary` and of `text`, in bytes; one more is answered with 422.
pub const MAX_BYTES: usize = 65_535;

/// Of annotations in one request.
pub const MAX_ANNOTATIONS: usize = 50;

const NOTE: &str = "\n\n_Cut here: the rest does not fit into a check run. The run's page has all of it._\n";
const CLOSE: &str = "\n</details>";

/// Cuts a Markdown text to `limit` bytes: at the end of a line, with every `<details>` closed and a note.
pub(super) fn cut(text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    // Sections are nested once at most; two closings are room enough.
    let mut end = limit.saturating_sub(NOTE.len() + 2 * CLOSE.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = text[..end].rfind('\n').unwrap_or(end);
    let mut kept = text[..end].to_owned();
    let open = kept.matches("<details").count().saturating_sub(kept.matches("</details>").count()).min(2);
    kept.push_str(&CLOSE.repeat(open));
    kept.push_str(NOTE);
    kept
}

/// Cuts to characters, with an ellipsis.
pub(super) fn shorten(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(characters.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_is_within_its_bytes_and_well_formed() {
        for line in ["plain line\n", "| ünïcödé → 漢字 | 😀 |\n", "x"] {
            let text = format!("head\n<details><summary>s</summary>\n\n{}", line.repeat(100_000 / line.len()));
            for limit in [300, 1000, 1001, 1002, 1003, MAX_BYTES] {
                let kept = cut(text.clone(), limit);
                assert!(kept.len() <= limit, "{} > {limit}", kept.len());
                assert!(kept.contains("Cut here"));
                assert_eq!(kept.matches("<details").count(), kept.matches("</details>").count());
            }
        }
        assert_eq!(cut("short".to_owned(), 100), "short");
    }

    #[test]
    fn shortening_counts_characters() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
    }
}
