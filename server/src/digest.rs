use sha2::{Digest as _, Sha256};
use workflows::ids::Digest;

/// SHA-256 of bytes.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(Sha256::digest(bytes).into())
}
