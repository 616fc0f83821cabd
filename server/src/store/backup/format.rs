//! The bytes of a backup; see the module above for their order.

use std::{
    io::{self, BufRead, Read, Write},
    path::Path,
};

use sha2::{Digest as _, Sha256};
use workflows::ids::Digest;
use zstd::stream::{read::Decoder, write::Encoder};

use super::{BackupError, Summary};
use crate::store::engine::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// A key and its value.
pub(super) type Row = (Vec<u8>, Vec<u8>);

pub(super) const VERSION: &str = "1";
const TITLE: &str = "assay store backup ";
/// Longest first line that is looked at.
const MAX_TITLE_BYTES: u64 = 64;
const ENTRY: u8 = 1;
const END: u8 = 0;
/// zstd's own default; higher levels cost much more time than they save space here.
const LEVEL: i32 = 3;

/// Counts and digests what goes by.
#[derive(Debug, Default)]
pub(super) struct Content {
    entries: u64,
    bytes: u64,
    hasher: Sha256,
}

impl Content {
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.entries += 1;
        self.bytes += (key.len() + value.len()) as u64;
        self.hasher.update(head(key, ENTRY));
        self.hasher.update(key);
        self.hasher.update(length(value));
        self.hasher.update(value);
    }

    pub(super) fn summary(&self) -> Summary {
        let digest = Digest::from_sha256(self.hasher.clone().finalize().into());
        Summary { entries: self.entries, bytes: self.bytes, digest }
    }
}

pub(super) struct BackupWriter<W: Write> {
    out: Encoder<'static, W>,
    content: Content,
}

impl<W: Write> BackupWriter<W> {
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        writeln!(out, "{TITLE}{VERSION}")?;
        let mut out = Encoder::new(out, LEVEL)?;
        out.include_checksum(true)?;
        Ok(Self { out, content: Content::default() })
    }

    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.content.add(key, value);
        self.out.write_all(&head(key, ENTRY))?;
        self.out.write_all(key)?;
        self.out.write_all(&length(value))?;
        self.out.write_all(value)
    }

    pub(super) fn finish(mut self) -> io::Result<(Summary, W)> {
        let summary = self.content.summary();
        self.out.write_all(&[END])?;
        self.out.write_all(&summary.entries.to_be_bytes())?;
        self.out.write_all(&self.content.hasher.finalize())?;
        Ok((summary, self.out.finish()?))
    }
}

pub(super) struct BackupReader<R: BufRead> {
    input: Decoder<'static, R>,
    content: Content,
}

impl<R: BufRead> BackupReader<R> {
    pub(super) fn new(path: &Path, mut input: R) -> Result<Self, BackupError> {
        let mut title = Vec::new();
        let read = input.by_ref().take(MAX_TITLE_BYTES).read_until(b'\n', &mut title);
        read.map_err(BackupError::io("reading", path))?;
        let title = String::from_utf8_lossy(&title);
        match title.trim_end().strip_prefix(TITLE) {
            None => return Err(BackupError::NotABackup(path.to_owned())),
            Some(VERSION) => {}
            Some(found) => return Err(BackupError::NewerFormat { found: found.to_owned() }),
        }
        let input = Decoder::with_buffer(input).map_err(BackupError::io("reading", path))?;
        Ok(Self { input, content: Content::default() })
    }

    /// The next key and value; none at the end, once what came before was found to be whole and unchanged.
    pub(super) fn next_entry(&mut self) -> Result<Option<Row>, BackupError> {
        match self.array::<1>()? {
            [ENTRY] => {}
            [END] => return self.check_end().map(|()| None),
            [other] => return Err(BackupError::Damaged(format!("an entry begins with {other}"))),
        }
        let key = self.bytes(MAX_KEY_BYTES)?;
        let value = self.bytes(MAX_VALUE_BYTES)?;
        self.content.add(&key, &value);
        Ok(Some((key, value)))
    }

    /// Of what was read so far.
    pub(super) fn summary(&self) -> Summary {
        self.content.summary()
    }

    fn check_end(&mut self) -> Result<(), BackupError> {
        let entries = u64::from_be_bytes(self.array()?);
        let digest = Digest::from_sha256(self.array()?);
        let found = self.content.summary();
        if entries != found.entries {
            return Err(BackupError::Damaged(format!("it has {} entries of {entries}", found.entries)));
        }
        if digest != found.digest {
            return Err(BackupError::Damaged("its digest is another".to_owned()));
        }
        // Reading on to the end makes zstd check its own sum too.
        match self.input.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(BackupError::Damaged("it goes on after its end".to_owned())),
            Err(error) => Err(BackupError::Damaged(error.to_string())),
        }
    }

    fn bytes(&mut self, most: usize) -> Result<Vec<u8>, BackupError> {
        let length = u32::from_be_bytes(self.array()?) as usize;
        if length > most {
            return Err(BackupError::Damaged(format!("a length of {length} bytes; at most {most} are allowed")));
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.input.read_exact(bytes).map_err(|error| BackupError::Damaged(error.to_string()))
    }
}

fn head(key: &[u8], kind: u8) -> [u8; 5] {
    let [a, b, c, d] = length(key);
    [kind, a, b, c, d]
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("the engine's limits are far below 4 GB").to_be_bytes()
}
