//! Deliveries that did not arrive, since we were away or unreachable: found in GitHub's own list and asked for
//! again. They come as ordinary webhooks under the GUID that they had, so that asking once too often starts nothing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use workflows::ids::Forge;

use crate::{
    app::SharedApp,
    github::{GithubError, GithubForge},
    intake,
    reconcile::stopped,
    store::{keys, records::Delivery},
};

/// GitHub sends nothing again that is older; an Enterprise Server would for seven days.
const KEPT: SignedDuration = SignedDuration::from_hours(72);

/// What is read again each time: attempts that were under way, and what was asked for and failed again.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);

/// Looks at the start for all that GitHub keeps, and then every so often for what is new, until the server stops.
pub async fn run(app: SharedApp, mut stopping: watch::Receiver<bool>) {
    let (Some(github), Some(config)) = (&app.forges.github, &app.config.github) else { return };
    let mut turns = tokio::time::interval(Duration::from_secs(config.recovery_interval_s.into()));
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut since = app.clock.now() - KEPT;
    loop {
        let turn = async {
            turns.tick().await;
            let began = app.clock.now();
            (began, recover(&app, github, since).await)
        };
        tokio::select! {
            () = stopped(&mut stopping) => return,
            (began, recovered) = turn => match recovered {
                Ok(asked) => {
                    if asked > 0 {
                        tracing::info!(asked, "asked for deliveries that did not arrive");
                    }
                    since = began - OVERLAP;
                }
                // The next turn looks at the same time again.
                Err(error) => tracing::warn!(error = format!("{error:#}"), "missed deliveries were not looked for"),
            }
        }
    }
}

/// Asks for what is missing; says for how many.
async fn recover(app: &SharedApp, github: &GithubForge, since: Timestamp) -> anyhow::Result<usize> {
    let mut asked = 0;
    for missed in github.failed_deliveries(since, app.clock.now()).await? {
        if !intake::is_known(Forge::Github, &missed.event) {
            continue;
        }
        // Our answer was lost, not the delivery.
        if app.store.get::<Delivery>(&keys::delivery(Forge::Github, &missed.guid)).await?.is_some() {
            continue;
        }
        match github.redeliver(&missed).await {
            Ok(()) => asked += 1,
            // Of this one GitHub will not say more; of the others it may.
            Err(error @ GithubError::Permanent { .. }) => {
                tracing::warn!(guid = missed.guid, %error, "a delivery is lost");
            }
            Err(error @ GithubError::Transient { .. }) => return Err(error.into()),
        }
    }
    Ok(asked)
}
