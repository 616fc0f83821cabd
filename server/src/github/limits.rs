//! GitHub's limits on a check run, enforced once more at the door: an oversized report is refused
//! with 422 and would leave the check pending for ever.
//! `workflows::report` keeps within them in a way that reads well; this only keeps the request valid.

/// Of `output.summary` and of `output.text`, each. GitHub counts bytes, though its schema says characters.
pub(super) const TEXT_BYTES: usize = 65_535;
/// Of an annotation's `message`.
pub(super) const MESSAGE_BYTES: usize = 64 * 1024;
/// Of the title of a check run and of an annotation, in characters.
pub(super) const TITLE_CHARS: usize = 255;
/// Of annotations in one request; further ones are appended by further requests.
pub(super) const ANNOTATIONS_PER_REQUEST: usize = 50;
/// Ours: ten requests' worth. Nobody reads more, and each request costs five points of 900 a minute.
pub(super) const ANNOTATIONS: usize = 500;

const CUT: &str = "\n\n… (cut here: longer than GitHub shows)";

/// `text`, cut at a character's boundary to at most `limit` bytes, the note of the cut included.
pub(super) fn bytes(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut kept = limit - CUT.len();
    while !text.is_char_boundary(kept) {
        kept -= 1;
    }
    format!("{}{CUT}", &text[..kept])
}

/// `text`, cut to at most `limit` characters.
pub(super) fn chars(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_untouched_and_what_does_not_is_cut_by_bytes() {
        let fits = "é".repeat(TEXT_BYTES / 2);
        assert_eq!(bytes(&fits, TEXT_BYTES), fits);
        for text in ["x".repeat(TEXT_BYTES + 1), "é".repeat(40_000), "🦀".repeat(30_000)] {
            let cut = bytes(&text, TEXT_BYTES);
            assert!(cut.len() <= TEXT_BYTES && cut.len() > TEXT_BYTES - 4, "{}", cut.len());
            assert!(cut.ends_with(CUT));
        }
    }

    #[test]
    fn titles_are_cut_by_characters() {
        assert_eq!(chars(&"é".repeat(255), TITLE_CHARS), "é".repeat(255));
        let cut = chars(&"é".repeat(256), TITLE_CHARS);
        assert_eq!((cut.chars().count(), cut.ends_with("é…")), (255, true));
    }
}
