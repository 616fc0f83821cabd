//! Records as bytes: a version byte, then JSON. What would not fit into a value is a blob, and the
//! value then holds [`SPILLED`] and where the blob is.

use bytes::Bytes;
use workflows::evaluation::BlobRef;

use super::{Result, StoreError, engine::MAX_VALUE_BYTES, records::Record};

/// Set in the version byte of a value whose JSON lies in a blob.
const SPILLED: u8 = 0x80;

/// Left free beneath the engine's limit, so that a record grows a little without moving out.
const MARGIN: usize = 4 * 1024;

pub(super) enum Encoded {
    Value(Vec<u8>),
    /// To be stored as a blob first; the version goes into the value that points to it.
    TooLarge {
        version: u8,
        json: Vec<u8>,
    },
}

pub(super) fn encode<R: Record>(record: &R) -> Encoded {
    let mut value = vec![R::VERSION];
    serde_json::to_writer(&mut value, record).expect("records serialize: their maps have text keys");
    if value.len() <= MAX_VALUE_BYTES - MARGIN {
        return Encoded::Value(value);
    }
    Encoded::TooLarge { version: R::VERSION, json: value.split_off(1) }
}

pub(super) fn pointer(version: u8, blob: &BlobRef) -> Vec<u8> {
    let mut value = vec![version | SPILLED];
    serde_json::to_writer(&mut value, blob).expect("a reference serializes");
    value
}

pub(super) enum Decoded<R> {
    Record(R),
    Spilled { version: u8, blob: BlobRef },
}

pub(super) fn decode<R: Record>(value: &[u8]) -> Result<Decoded<R>> {
    let (&version, json) = value.split_first().ok_or_else(|| StoreError::corrupt::<R>("it is empty"))?;
    if version & SPILLED == 0 {
        return Ok(Decoded::Record(decode_json(version, json)?));
    }
    let blob = serde_json::from_slice(json).map_err(|error| StoreError::corrupt::<R>(error))?;
    Ok(Decoded::Spilled { version: version & !SPILLED, blob })
}

pub(super) fn decode_json<R: Record>(version: u8, json: &[u8]) -> Result<R> {
    // There is one version of every record yet; the first that changes its meaning brings its upcast here.
    if version != R::VERSION {
        return Err(StoreError::corrupt::<R>(format!("its version {version} is not known to this server")));
    }
    serde_json::from_slice(json).map_err(|error| StoreError::corrupt::<R>(error))
}

pub(super) fn spilled_bytes<R: Record>(blob: &BlobRef, bytes: Option<Bytes>) -> Result<Bytes> {
    bytes.ok_or_else(|| StoreError::corrupt::<R>(format!("its blob {} is missing", blob.digest)))
}
