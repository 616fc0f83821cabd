//! The log on its way to the server: in pieces, each with its offset, each until it has arrived.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::{sync::mpsc, sync::oneshot, time::timeout};

use super::{
    client::{Appended, Call, LeaseClient},
    lease::Loss,
};

/// A piece is sent when it is so large…
const PIECE: usize = 1 << 20;
/// … or so old: a person is watching, but a request for every line would help nobody.
const LINGER: Duration = Duration::from_millis(80);
/// Pieces of a job's output that may wait here, of at most 64 KB each: the job waits when it is faster.
const WAITING: usize = 64;

enum Message {
    Bytes(Bytes),
    /// Everything before this is to be sent, and then said.
    Flush(oneshot::Sender<()>),
}

/// Where a job's log goes in.
#[derive(Clone)]
pub(super) struct LogSender(mpsc::Sender<Message>);

impl LogSender {
    /// Waits where the server is slower than the job. Of a lost lease nothing is kept.
    pub(super) async fn send(&self, bytes: Bytes) {
        self.0.send(Message::Bytes(bytes)).await.ok();
    }

    /// Waits until the server has everything, or the lease is lost.
    pub(super) async fn flush(&self) {
        let (done, sent) = oneshot::channel();
        if self.0.send(Message::Flush(done)).await.is_ok() {
            sent.await.ok();
        }
    }
}

/// Starts to send; ends when the sender is dropped or the lease is lost.
pub(super) fn start(client: LeaseClient, loss: Loss) -> LogSender {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        tokio::select! {
            () = loss.lost() => {}
            () = ship(client, receiver, &loss) => {}
        }
    });
    LogSender(sender)
}

async fn ship(client: LeaseClient, mut messages: mpsc::Receiver<Message>, loss: &Loss) {
    let mut offset = 0;
    while let Some(first) = messages.recv().await {
        let (piece, flushed) = gather(first, &mut messages).await;
        if !piece.is_empty() {
            match append(&client, &mut offset, piece.freeze()).await {
                Ok(()) => {}
                Err(Call::Stale) => return loss.lose(),
                Err(Call::Refused(why)) => {
                    // The job goes on: its result is worth more than its log.
                    tracing::error!("the server refuses the log: {why}");
                    messages.close();
                }
                Err(Call::Failed(_)) => unreachable!("`append` goes on until the server answers"),
            }
        }
        if let Some(flushed) = flushed {
            flushed.send(()).ok();
        }
    }
}

/// Bytes for one request.
async fn gather(first: Message, messages: &mut mpsc::Receiver<Message>) -> (BytesMut, Option<oneshot::Sender<()>>) {
    let mut piece = BytesMut::new();
    let mut next = Some(first);
    let until = tokio::time::Instant::now() + LINGER;
    loop {
        match next {
            Some(Message::Bytes(bytes)) => piece.extend_from_slice(&bytes),
            Some(Message::Flush(done)) => return (piece, Some(done)),
            None => return (piece, None),
        }
        if piece.len() >= PIECE {
            return (piece, None);
        }
        next =
            timeout(until.saturating_duration_since(tokio::time::Instant::now()), messages.recv()).await.ok().flatten();
    }
}

/// Sends a piece until the server has it. Never [`Call::Failed`].
async fn append(client: &LeaseClient, offset: &mut u64, piece: Bytes) -> Result<(), Call> {
    let end = *offset + piece.len() as u64;
    let mut from = *offset;
    let mut pause = Duration::from_millis(50);
    loop {
        let rest = piece.slice((from - *offset) as usize..);
        match client.log(from, rest).await {
            Ok(Appended::Has(length)) if length >= end => break,
            // It has a part, from an attempt whose answer was lost.
            Ok(Appended::Has(length) | Appended::Gap(length)) if (*offset..end).contains(&length) && length != from => {
                from = length;
                continue;
            }
            Ok(Appended::Has(length) | Appended::Gap(length)) => {
                return Err(Call::Refused(format!("it has {length} bytes of a log of which {from} were sent")));
            }
            Err(Call::Failed(e)) => tracing::warn!("the log cannot be sent, trying again in {pause:?}: {e:#}"),
            Err(other) => return Err(other),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
    *offset = end;
    Ok(())
}
