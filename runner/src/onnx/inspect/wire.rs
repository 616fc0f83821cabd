//! Protocol Buffers' wire format, read as a stream: one field at a time, nothing kept that the caller does
//! not ask for. A parser that builds every message would let two hostile bytes become hundreds; this one
//! needs no more memory for a model of gigabytes than for a small one.
//! <https://protobuf.dev/programming-guides/encoding/>

use std::io::{self, BufReader, Read, Seek};

/// Why a file is not what it should be; the offset is in bytes from its beginning.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("it is not an ONNX model, or it is cut off (at byte {offset}: {reason})")]
    Malformed { offset: u64, reason: String },
    /// It says more than Assay is willing to keep of one model.
    #[error("it holds {0}")]
    TooMuch(&'static str),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One field of a message. The bytes of [`Value::Bytes`] have not been read yet: they are the caller's to
/// read, to enter or to skip before the next field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub number: u32,
    pub value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Varint(u64),
    /// Fixed 64 or 32 bits, little-endian.
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    /// Text, bytes, packed numbers or a message, of this length.
    Bytes(u64),
}

/// A message that is being read: where it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    end: u64,
}

/// A file and how far it has been read.
pub(super) struct Wire<R> {
    source: BufReader<R>,
    position: u64,
}

impl<R: Read + Seek> Wire<R> {
    /// The whole of a source of `length` bytes is one message.
    pub(super) fn new(source: R, length: u64) -> (Self, Message) {
        (Self { source: BufReader::with_capacity(64 << 10, source), position: 0 }, Message { end: length })
    }

    pub(super) fn malformed(&self, reason: impl Into<String>) -> ReadError {
        ReadError::Malformed { offset: self.position, reason: reason.into() }
    }

    /// The next field of a message; none at its end.
    pub(super) fn next(&mut self, message: Message) -> Result<Option<Field>, ReadError> {
        if self.position == message.end {
            return Ok(None);
        }
        let key = self.varint(message)?;
        let number = u32::try_from(key >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let number = number.ok_or_else(|| self.malformed("a field without a number"))?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint(message)?),
            1 => Value::Fixed64(self.array(message)?),
            2 => {
                let length = self.varint(message)?;
                if length > message.end - self.position {
                    return Err(self.malformed("a field that is longer than its message"));
                }
                Value::Bytes(length)
            }
            5 => Value::Fixed32(self.array(message)?),
            // Groups (3 and 4) were never in ONNX.
            kind => return Err(self.malformed(format!("a field of the unknown type {kind}"))),
        };
        Ok(Some(Field { number, value }))
    }

    /// Enters a field that is a message of `length` bytes.
    pub(super) fn enter(&self, length: u64) -> Message {
        Message { end: self.position + length }
    }

    /// A varint of a packed field.
    pub(super) fn packed_varint(&mut self, message: Message) -> Result<Option<u64>, ReadError> {
        if self.position == message.end { Ok(None) } else { self.varint(message).map(Some) }
    }

    pub(super) fn skip(&mut self, length: u64) -> Result<(), ReadError> {
        let offset = i64::try_from(length).map_err(|_| self.malformed("a length beyond any file"))?;
        self.source.seek_relative(offset)?;
        self.position += length;
        Ok(())
    }

    /// Text of at most `most` bytes.
    pub(super) fn text(&mut self, length: u64, most: u64) -> Result<String, ReadError> {
        if length > most {
            return Err(self.malformed(format!("a name of {length} bytes")));
        }
        let mut bytes = vec![0; length as usize];
        self.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| self.malformed("a name that is not UTF-8"))
    }

    /// Passes `length` bytes on, piece by piece.
    pub(super) fn stream(&mut self, length: u64, mut take: impl FnMut(&[u8])) -> Result<(), ReadError> {
        let mut buffer = [0; 16 << 10];
        let mut left = length;
        while left > 0 {
            let piece = left.min(buffer.len() as u64) as usize;
            self.read_exact(&mut buffer[..piece])?;
            take(&buffer[..piece]);
            left -= piece as u64;
        }
        Ok(())
    }

    /// Seven bits a byte, the lowest first; ten bytes at most.
    fn varint(&mut self, message: Message) -> Result<u64, ReadError> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let [byte] = self.array(message)?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.malformed("a number of more than ten bytes"))
    }

    fn array<const N: usize>(&mut self, message: Message) -> Result<[u8; N], ReadError> {
        if message.end - self.position < N as u64 {
            return Err(self.malformed("it ends within a field"));
        }
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), ReadError> {
        match self.source.read_exact(bytes) {
            Ok(()) => {
                self.position += bytes.len() as u64;
                Ok(())
            }
            // Shorter than when its length was asked for.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(self.malformed("the file ends here")),
            Err(e) => Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<Field>, ReadError> {
        let (mut wire, message) = Wire::new(Cursor::new(bytes), bytes.len() as u64);
        let mut fields = Vec::new();
        while let Some(field) = wire.next(message)? {
            if let Value::Bytes(length) = field.value {
                wire.skip(length)?;
            }
            fields.push(field);
        }
        Ok(fields)
    }

    /// The examples of the encoding guide.
    #[test]
    fn fields_are_read_by_their_wire_types() {
        let field = |number, value| Field { number, value };
        assert_eq!(fields(&[0x08, 0x96, 0x01]).unwrap(), [field(1, Value::Varint(150))]);
        let text = [0x12, 0x07, b't', b'e', b's', b't', b'i', b'n', b'g', 0x08, 0x01];
        assert_eq!(fields(&text).unwrap(), [field(2, Value::Bytes(7)), field(1, Value::Varint(1))]);
        let minus_one = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(fields(&minus_one).unwrap(), [field(1, Value::Varint(u64::MAX))]);
        assert_eq!(fields(&[0x0d, 1, 2, 3, 4]).unwrap(), [field(1, Value::Fixed32([1, 2, 3, 4]))]);
    }

    #[test]
    fn nothing_is_read_beyond_its_message() {
        for (bytes, reason) in [
            (&[0x08, 0x96][..], "within a field"),
            (&[0x12, 0x07, b't'], "longer than its message"),
            (&[0x0d, 1, 2], "within a field"),
            (&[0x0b], "unknown type 3"),
            (&[0x00, 0x00], "without a number"),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "ten bytes"),
            (&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "longer than its message"),
        ] {
            let message = fields(bytes).unwrap_err().to_string();
            assert!(message.contains(reason), "{bytes:02x?}: {message}");
        }
    }
}
