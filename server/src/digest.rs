use sha2::{Digest as _, Sha256};
use workflows::ids::Digest;

/// SHA-256 of bytes.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(Sha256::digest(bytes).into())
}

/// The beginning of a text, of at most so many bytes, without half a character at its end.
pub(crate) fn beginning(text: &str, most_bytes: usize) -> &str {
    let end = (0..=most_bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
