//! The loop that brings the world to what we know.
//!
//! It looks at a thing for three reasons: somebody nudged it, since a fact about it was recorded; the
//! sweep found it open, which finds what a crash or a lost nudge left; a lease's or a schedule's time has come. Each
//! look re-reads the truth, so that one too many does no harm and two servers do not disagree.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::sync::{Semaphore, mpsc, watch};
use workflows::ids::{Forge, RepoName, Sha};

use crate::{
    app::SharedApp,
    deliveries, gate, leases, runs,
    store::{engine::Direction, keys},
    timetable,
};

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Nudge {
    Delivery { forge: Forge, guid: String },
    Run { repo: RepoName, number: u64 },
    Commit { repo: RepoName, sha: Sha },
}

/// Where nudges go.
#[derive(Clone)]
pub struct Nudges {
    queue: mpsc::UnboundedSender<Nudge>,
}

impl Nudges {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Nudge>) {
        let (queue, nudges) = mpsc::unbounded_channel();
        (Self { queue }, nudges)
    }

    pub fn nudge(&self, nudge: Nudge) {
        // A closed queue means that the server is stopping; the next one's sweep finds what is open.
        let _ = self.queue.send(nudge);
    }
}

/// How many things are looked at at once.
const AT_ONCE: usize = 8;

/// How often everything open is looked at.
const SWEEP: Duration = Duration::from_secs(5);

/// How often leases are looked at.
const LEASES: Duration = Duration::from_secs(1);

/// Most open things of a kind that one sweep looks at.
const MOST_OPEN: usize = 10_000;

/// Runs until the server stops; what is under way then is finished.
pub async fn run(app: SharedApp, mut nudges: mpsc::UnboundedReceiver<Nudge>, mut stopping: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let looking = Arc::new(Looking::default());
    let ticking = Arc::new(AtomicBool::new(false));
    let mut sweep = tokio::time::interval(SWEEP);
    let mut expiry = tokio::time::interval(LEASES);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    expiry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopped(&mut stopping) => break,
            nudge = nudges.recv() => {
                let Some(nudge) = nudge else { break };
                if !looking.begin(&nudge) {
                    continue;
                }
                let Ok(slot) = slots.clone().acquire_owned().await else { break };
                let (app, looking) = (app.clone(), looking.clone());
                tokio::spawn(async move {
                    let _slot = slot;
                    loop {
                        if let Err(error) = look(&app, &nudge).await {
                            // The sweep comes back to it.
                            tracing::error!(?nudge, error = format!("{error:#}"), "reconciling failed");
                        }
                        if !looking.end(&nudge) {
                            break;
                        }
                    }
                });
            }
            _ = sweep.tick() => {
                if let Err(error) = sweep_once(&app).await {
                    tracing::error!(error = format!("{error:#}"), "the sweep failed");
                }
                if !ticking.swap(true, Ordering::Relaxed) {
                    // A forge that does not answer holds up nothing else.
                    let (app, ticking) = (app.clone(), ticking.clone());
                    tokio::spawn(async move {
                        if let Err(error) = timetable::look(&app).await {
                            tracing::error!(error = format!("{error:#}"), "looking for what is due failed");
                        }
                        ticking.store(false, Ordering::Relaxed);
                    });
                }
            }
            _ = expiry.tick() => {
                if let Err(error) = leases::expire(&app).await {
                    tracing::error!(error = format!("{error:#}"), "looking for expired leases failed");
                }
            }
        }
    }
    // All slots free means that nobody is looking any more.
    let _ = slots.acquire_many(AT_ONCE as u32).await;
}

/// Done when the server is asked to stop.
pub async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A closed channel means that whoever could ask is gone.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn look(app: &SharedApp, nudge: &Nudge) -> anyhow::Result<()> {
    match nudge {
        Nudge::Delivery { forge, guid } => deliveries::reconcile(app, *forge, guid).await,
        Nudge::Run { repo, number } => runs::reconcile(app, repo, *number).await,
        Nudge::Commit { repo, sha } => gate::reconcile(app, repo, sha).await,
    }
}

/// What is being looked at, and what was nudged meanwhile: a thing is looked at by one task at a time.
#[derive(Default)]
struct Looking {
    /// Thing → look again when done.
    things: Mutex<HashMap<Nudge, bool>>,
}

impl Looking {
    /// False where somebody looks at it already; then they will look once more.
    fn begin(&self, nudge: &Nudge) -> bool {
        let mut things = self.things.lock().expect("no holder panics");
        match things.get_mut(nudge) {
            Some(again) => {
                *again = true;
                false
            }
            None => {
                things.insert(nudge.clone(), false);
                true
            }
        }
    }

    /// True where it is to be looked at once more.
    fn end(&self, nudge: &Nudge) -> bool {
        let mut things = self.things.lock().expect("no holder panics");
        match things.get_mut(nudge) {
            Some(again) if *again => {
                *again = false;
                true
            }
            Some(_) | None => {
                things.remove(nudge);
                false
            }
        }
    }
}

/// Nudges everything that is open.
async fn sweep_once(app: &SharedApp) -> anyhow::Result<()> {
    let store = &app.store;
    for key in store.scan_keys(&keys::open_deliveries(), Direction::Forward, MOST_OPEN).await? {
        let [forge, guid] = &keys::texts(&key)[..] else { continue };
        let forge = if forge == "github" { Forge::Github } else { Forge::Local };
        app.nudges.nudge(Nudge::Delivery { forge, guid: guid.clone() });
    }
    for key in store.scan_keys(&keys::open_runs(), Direction::Forward, MOST_OPEN).await? {
        let (repo, number) = keys::repo_and_number(&key).context("a key that is no open run")?;
        app.nudges.nudge(Nudge::Run { repo, number });
    }
    for key in store.scan_keys(&keys::open_commits(), Direction::Forward, MOST_OPEN).await? {
        let [repo, sha] = &keys::texts(&key)[..] else { continue };
        app.nudges.nudge(Nudge::Commit { repo: repo.parse()?, sha: sha.parse()? });
    }
    Ok(())
}
