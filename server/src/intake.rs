//! Accepting a delivery: one durable commit, and a nudge. Understanding it comes later, in
//! [`crate::deliveries`].

use anyhow::Context;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use workflows::{
    evaluation::BlobRef,
    event::{Event, EventKind},
    ids::{Digest, Forge},
};

use crate::{
    app::App,
    digest::digest,
    forge::Fact,
    reconcile::Nudge,
    store::{
        Change, keys,
        records::{Delivery, DeliveryState},
    },
};

/// A body beyond this is kept as a blob; the rest of a value is for what else belongs to it.
const INLINE_BODY_BYTES: usize = 48 * 1024;

/// First byte of a kept body: the body follows, or a [`BlobRef`] to it.
const INLINE: u8 = 0;
const BLOB: u8 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    New,
    /// Recorded, and known to be nothing that we act on.
    Ignored,
    /// It was here before, under this id; or with this very body, where the forge cannot be asked whether it sent both.
    Duplicate,
    /// Not recorded: another one of this very body is being looked into. It is to be sent again.
    NotNow,
}

/// Events that can mean something. Everything else is recorded and ignored.
pub(crate) fn is_known(forge: Forge, event: &str) -> bool {
    match forge {
        Forge::Local => event == "push",
        Forge::Github => matches!(
            event,
            "push"
                | "pull_request"
                | "merge_group"
                | "check_run"
                | "check_suite"
                | "workflow_dispatch"
                | "repository_dispatch"
        ),
    }
}

/// The event of a delivery of our own; from outside there is none of this name.
pub const OWN: &str = "assay";

/// What such a delivery says. The id makes two that ask for the same two bodies.
#[derive(Serialize, Deserialize)]
struct OwnBody<F> {
    id: String,
    fact: F,
}

/// Records a delivery of our own; again under the same id it is the same. Durable when it returns.
pub async fn accept_own(app: &App, forge: Forge, guid: &str, fact: &Fact) -> anyhow::Result<()> {
    let body = Bytes::from(serde_json::to_vec(&OwnBody { id: guid.to_owned(), fact })?);
    let (_, change) = recorded(app, forge, OWN, guid, &body, OPEN).await?;
    if app.store.commit(change).await? {
        app.nudges.nudge(Nudge::Delivery { forge, guid: guid.to_owned() });
    }
    Ok(())
}

/// What a delivery of our own means.
pub fn own_fact(body: &[u8]) -> anyhow::Result<Fact> {
    Ok(serde_json::from_slice::<OwnBody<Fact>>(body).context("a delivery of our own cannot be read")?.fact)
}

/// The payload of an event: its delivery's body, or what lies in one of our own.
pub async fn payload(app: &App, event: &Event, digest: &Digest) -> anyhow::Result<Value> {
    let body = body(app, event.forge, digest).await?;
    let said: Value = serde_json::from_slice(&body).context("a delivery's body is no JSON any more")?;
    match (&event.kind, said) {
        (
            EventKind::WorkflowDispatch { .. } | EventKind::RepositoryDispatch { .. } | EventKind::Schedule { .. },
            mut own,
        ) => Ok(Value::take(own.pointer_mut("/fact/event/payload").context("a delivery of our own has no payload")?)),
        (EventKind::Push { .. } | EventKind::PullRequest { .. } | EventKind::MergeGroup { .. }, payload) => Ok(payload),
    }
}

const OPEN: DeliveryState = DeliveryState::Open { failures: 0, not_before: None };

/// A delivery that comes in, and the change that records it, once under its id.
async fn recorded(
    app: &App,
    forge: Forge,
    event: &str,
    guid: &str,
    body: &Bytes,
    state: DeliveryState,
) -> anyhow::Result<(Delivery, Change)> {
    let is_open = state == OPEN;
    let (guid, event) = (guid.to_owned(), event.to_owned());
    let delivery = Delivery { forge, guid, event, received_at: app.clock.now(), body: digest(body), state };
    let key = keys::delivery(forge, &delivery.guid);
    let mut change = Change::default();
    change.absent(&key).put(key, &delivery);
    change.put_raw(keys::body(forge, &delivery.body), kept_body(app, body).await?);
    if is_open {
        change.mark(keys::open_delivery(forge, &delivery.guid));
    }
    Ok((delivery, change))
}

/// Records a delivery. Durable when it returns.
pub async fn accept(app: &App, forge: Forge, event: &str, guid: &str, body: Bytes) -> anyhow::Result<Accepted> {
    let known = is_known(forge, event);
    let outcome = || format!("ignored: event {event:?} starts nothing");
    let state = if known { OPEN } else { DeliveryState::Done { at: app.clock.now(), outcome: outcome() } };
    let (delivery, mut change) = recorded(app, forge, event, guid, &body, state).await?;
    // The id is outside the signature: a replay may carry a new one, but not a new body.
    change.absent(&keys::body(forge, &delivery.body));
    if !app.store.commit(change).await? {
        return match (known, forge) {
            (true, Forge::Github) => repeated(app, delivery).await,
            (false, _) | (_, Forge::Local) => Ok(Accepted::Duplicate),
        };
    }
    if !known {
        return Ok(Accepted::Ignored);
    }
    app.nudges.nudge(Nudge::Delivery { forge, guid: guid.to_owned() });
    Ok(Accepted::New)
}

/// Records a delivery whose body was here before, to be looked into: GitHub says the same of every press of a button.
/// One at a time for each body, so that who recorded a body can make us neither write nor ask without end.
async fn repeated(app: &App, delivery: Delivery) -> anyhow::Result<Accepted> {
    let Delivery { forge, guid, body, .. } = &delivery;
    let (delivery_key, doubted_key) = (keys::delivery(*forge, guid), keys::doubted_body(*forge, body));
    if app.store.get::<Delivery>(&delivery_key).await?.is_some() {
        return Ok(Accepted::Duplicate);
    }
    let doubted = Delivery { state: DeliveryState::Doubted { failures: 0, not_before: None }, ..delivery.clone() };
    let mut change = Change::default();
    change.absent(&delivery_key).absent(&doubted_key).put(delivery_key, &doubted).mark(doubted_key);
    change.mark(keys::open_delivery(*forge, guid));
    if !app.store.commit(change).await? {
        return Ok(Accepted::NotNow);
    }
    app.nudges.nudge(Nudge::Delivery { forge: *forge, guid: guid.clone() });
    Ok(Accepted::New)
}

async fn kept_body(app: &App, body: &Bytes) -> anyhow::Result<Vec<u8>> {
    let mut kept = Vec::with_capacity(body.len().min(INLINE_BODY_BYTES) + 1);
    if body.len() <= INLINE_BODY_BYTES {
        kept.push(INLINE);
        kept.extend_from_slice(body);
    } else {
        kept.push(BLOB);
        serde_json::to_writer(&mut kept, &app.blobs.put(body.clone()).await?)?;
    }
    Ok(kept)
}

/// The body of an accepted delivery.
pub async fn body(app: &App, forge: Forge, digest: &Digest) -> anyhow::Result<Bytes> {
    let mut kept = app.store.get_raw(&keys::body(forge, digest)).await?.context("a delivery's body is missing")?;
    match kept.first() {
        Some(&INLINE) => Ok(Bytes::from(kept.split_off(1))),
        Some(&BLOB) => {
            let blob: BlobRef = serde_json::from_slice(&kept[1..]).context("a delivery's body cannot be found")?;
            app.blobs.get(&blob.digest).await?.context("the blob of a delivery's body is missing")
        }
        Some(_) | None => anyhow::bail!("a delivery's body cannot be read"),
    }
}
