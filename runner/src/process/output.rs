//! The reading end of a process's output: one pipe for both streams, so that their order is kept.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::net::unix::pipe::Receiver;

const CHUNK: usize = 64 * 1024;

/// Bytes that a process writes.
pub struct Output {
    receiver: Option<Receiver>,
    buffer: BytesMut,
}

/// A pipe: what is written to the second comes out of the first.
pub fn pipe() -> io::Result<(Output, std::io::PipeWriter)> {
    let (reader, writer) = std::io::pipe()?;
    let receiver = Receiver::from_owned_fd(reader.into())?;
    Ok((Output { receiver: Some(receiver), buffer: BytesMut::new() }, writer))
}

impl Output {
    /// One that never gives anything.
    pub fn closed() -> Self {
        Self { receiver: None, buffer: BytesMut::new() }
    }

    /// Waits for bytes. At the end of the stream it waits for ever: the exit is what ends a process.
    pub async fn read(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let Some(receiver) = &self.receiver else { return std::future::pending().await };
            receiver.readable().await?;
            if let Some(bytes) = self.read_ready()? {
                return Ok(Some(bytes));
            }
        }
    }

    /// Whether the stream has ended.
    pub fn is_closed(&self) -> bool {
        self.receiver.is_none()
    }

    /// What is in the pipe now, whether or not the event loop has heard of it: a process may end before
    /// its last words are announced.
    pub fn read_now(&mut self) -> io::Result<Option<Bytes>> {
        let Some(receiver) = &self.receiver else { return Ok(None) };
        let mut bytes = vec![0; CHUNK];
        match rustix::io::read(receiver, &mut bytes) {
            Ok(0) => {
                self.receiver = None;
                Ok(None)
            }
            Ok(length) => {
                bytes.truncate(length);
                Ok(Some(bytes.into()))
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// What is known to be there.
    fn read_ready(&mut self) -> io::Result<Option<Bytes>> {
        let Some(receiver) = &self.receiver else { return Ok(None) };
        self.buffer.reserve(CHUNK);
        match receiver.try_read_buf(&mut self.buffer) {
            Ok(0) => {
                self.receiver = None;
                Ok(None)
            }
            Ok(_) => Ok(Some(self.buffer.split().freeze())),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Reads and forgets until the stream ends.
    pub async fn drain(mut self) {
        while let Some(receiver) = &self.receiver {
            if receiver.readable().await.is_err() || self.read_ready().is_err() {
                return;
            }
        }
    }
}
