//! From an accepted delivery to runs.

use std::time::Duration;

use jiff::SignedDuration;
use workflows::ids::Forge;

use crate::{
    acceptance,
    app::App,
    dispatch,
    forge::{Fact, ForgeError},
    intake, planning, rerun,
    store::{
        Change, Stored, keys,
        records::{Delivery, DeliveryState},
    },
};

/// A delivery that could not be planned for so long is given up, and says so: GitHub keeps them no longer either.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(72);

/// What became of an attempt to plan.
#[derive(Debug)]
pub enum Planned {
    Done,
    /// Something changed under us, or more is to be written: read again and go on.
    Again,
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Forge(#[from] ForgeError),
    #[error(transparent)]
    Ours(#[from] anyhow::Error),
}

impl From<crate::store::StoreError> for PlanError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Ours(error.into())
    }
}

/// Brings one delivery to its end. Harmless to repeat.
pub async fn reconcile(app: &App, forge: Forge, guid: &str) -> anyhow::Result<()> {
    loop {
        let Some(delivery) = app.store.get::<Delivery>(&keys::delivery(forge, guid)).await? else { return Ok(()) };
        match delivery.record.state {
            DeliveryState::Done { .. } => return Ok(()),
            DeliveryState::Open { not_before: Some(time), .. }
            | DeliveryState::Doubted { not_before: Some(time), .. }
                if time > app.clock.now() =>
            {
                return Ok(());
            }
            DeliveryState::Open { .. } | DeliveryState::Doubted { .. } => {}
        }
        match attempt(app, &delivery).await {
            Ok(Planned::Done) => return Ok(()),
            Ok(Planned::Again) => {}
            Err(PlanError::Forge(ForgeError::Transient { reason, after })) => {
                postpone(app, &delivery, &reason, after).await?;
                return Ok(());
            }
            Err(PlanError::Forge(ForgeError::Gone(reason) | ForgeError::Unusable(reason))) => {
                finish(app, &delivery, format!("nothing started: {reason}")).await?;
            }
            Err(PlanError::Ours(error)) => return Err(error),
        }
    }
}

async fn attempt(app: &App, delivery: &Stored<Delivery>) -> Result<Planned, PlanError> {
    let Delivery { forge, event, body, state, .. } = &delivery.record;
    if let DeliveryState::Doubted { .. } = state {
        return confirm(app, delivery).await;
    }
    let bytes = intake::body(app, *forge, body).await?;
    let fact = match event == intake::OWN {
        true => intake::own_fact(&bytes)?,
        false => app.forges.read_event(*forge, event, bytes).await?,
    };
    match fact {
        Fact::Event { event, clone, installation } => planning::plan(app, delivery, *event, clone, installation).await,
        Fact::Rerequested { repo, head, external_id, .. } => {
            rerun::requested(app, delivery, &repo, &head, &external_id).await
        }
        Fact::RerequestedAll { repo, head, .. } => rerun::requested_all(app, delivery, &repo, &head).await,
        Fact::RequestedAction { repo, head, external_id, identifier, actor, actor_id, .. } => {
            let pressed = acceptance::Pressed {
                repo: &repo,
                head: &head,
                external_id: &external_id,
                identifier: &identifier,
                actor: &actor,
                actor_id,
            };
            acceptance::pressed(app, delivery, &pressed).await
        }
        Fact::Unpinned(unpinned) => {
            let outcome = dispatch::pin(app, *forge, *unpinned, &delivery.record.guid).await?;
            finish(app, delivery, outcome).await
        }
        Fact::MergeGroupGone { repo, head, reason } => rerun::give_up(app, delivery, &repo, &head, &reason).await,
        Fact::Ignored { reason } => finish(app, delivery, format!("ignored: {reason}")).await,
    }
}

/// GitHub lists a delivery once it was answered, or somewhat later: whatever is not listed after so long was not sent.
const LISTED_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// Asks the forge whether it sent a delivery that says what another one said before.
async fn confirm(app: &App, delivery: &Stored<Delivery>) -> Result<Planned, PlanError> {
    let Delivery { forge, guid, event, received_at, body, .. } = &delivery.record;
    // The clocks may differ.
    let since = *received_at - LISTED_WITHIN;
    if app.forges.has_sent(*forge, guid, event, since).await? {
        let state = DeliveryState::Open { failures: 0, not_before: None };
        let mut change = Change::default();
        change.at(delivery).put(keys::delivery(*forge, guid), &Delivery { state, ..delivery.record.clone() });
        change.delete(&keys::doubted_body(*forge, body));
        app.store.commit(change).await?;
        return Ok(Planned::Again);
    }
    if app.clock.now().duration_since(*received_at) < LISTED_WITHIN {
        let reason = "the forge does not list the delivery, or not yet".to_owned();
        return Err(ForgeError::Transient { reason, after: None }.into());
    }
    let outcome = "ignored: it says what was said before, and the forge did not send it a second time";
    finish(app, delivery, outcome.to_owned()).await
}

/// Adds the end of a delivery to a change.
pub fn done(change: &mut Change, delivery: &Stored<Delivery>, now: jiff::Timestamp, outcome: String) {
    let Delivery { forge, guid, body, .. } = &delivery.record;
    if let DeliveryState::Doubted { .. } = delivery.record.state {
        change.delete(&keys::doubted_body(*forge, body));
    }
    let state = DeliveryState::Done { at: now, outcome };
    change.at(delivery).put(keys::delivery(*forge, guid), &Delivery { state, ..delivery.record.clone() });
    change.delete(&keys::open_delivery(*forge, guid));
}

/// Ends a delivery that starts nothing.
pub async fn finish(app: &App, delivery: &Stored<Delivery>, outcome: String) -> Result<Planned, PlanError> {
    finish_with(app, delivery, outcome, Change::default()).await
}

/// The same, with what is learned from it.
pub async fn finish_with(
    app: &App,
    delivery: &Stored<Delivery>,
    outcome: String,
    mut change: Change,
) -> Result<Planned, PlanError> {
    tracing::info!(guid = delivery.record.guid, outcome, "delivery done");
    done(&mut change, delivery, app.clock.now(), outcome);
    app.store.commit(change).await?;
    // A conflict shows on the next reading.
    Ok(Planned::Again)
}

async fn postpone(app: &App, delivery: &Stored<Delivery>, reason: &str, after: Option<Duration>) -> anyhow::Result<()> {
    let (DeliveryState::Open { failures, .. } | DeliveryState::Doubted { failures, .. }) = delivery.record.state else {
        return Ok(());
    };
    let failures = failures + 1;
    if app.clock.now().duration_since(delivery.record.received_at) >= GIVEN_UP_AFTER {
        finish(app, delivery, format!("given up after {failures} attempts: {reason}")).await.map_err(|e| match e {
            PlanError::Ours(error) => error,
            PlanError::Forge(error) => error.into(),
        })?;
        return Ok(());
    }
    let wait = after.unwrap_or_else(|| backoff(failures));
    tracing::warn!(guid = delivery.record.guid, reason, failures, "the forge did not answer; trying again later");
    let not_before = Some(app.clock.now() + SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO));
    let state = match delivery.record.state {
        DeliveryState::Doubted { .. } => DeliveryState::Doubted { failures, not_before },
        DeliveryState::Open { .. } | DeliveryState::Done { .. } => DeliveryState::Open { failures, not_before },
    };
    let mut change = Change::default();
    let Delivery { forge, guid, .. } = &delivery.record;
    change.at(delivery).put(keys::delivery(*forge, guid), &Delivery { state, ..delivery.record.clone() });
    app.store.commit(change).await?;
    Ok(())
}

/// Doubles from one second to ten minutes.
pub fn backoff(failures: u32) -> Duration {
    Duration::from_secs((1_u64 << failures.saturating_sub(1).min(10)).min(600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_ten_minutes() {
        let seconds: Vec<_> = [1, 2, 3, 10, 11, 50].map(|failures| backoff(failures).as_secs()).to_vec();
        assert_eq!(seconds, [1, 2, 4, 512, 600, 600]);
    }
}
