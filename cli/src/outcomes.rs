//! Outcomes files, plain or compressed.

use std::{
    io::{BufReader, Read},
    path::Path,
};

use anyhow::Context;
use workflows::evaluation::Outcomes;

/// First bytes of every zstd frame.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Reads `.jsonl` or `.jsonl.zst`, told apart by their content.
pub fn read(path: &Path) -> anyhow::Result<Outcomes> {
    let at = || format!("{}", path.display());
    let mut bytes = Vec::new();
    std::fs::File::open(path).with_context(at)?.read_to_end(&mut bytes).with_context(at)?;
    if bytes.starts_with(&ZSTD) {
        let mut plain = Vec::new();
        zstd::Decoder::new(BufReader::new(&bytes[..]))?.read_to_end(&mut plain).with_context(at)?;
        bytes = plain;
    }
    let text = String::from_utf8(bytes).with_context(at)?;
    Outcomes::parse(&text).with_context(at)
}
