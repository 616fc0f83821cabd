//! Concurrency groups of the one run that is here: itself, its calls and its jobs. As on a server, but for other runs.

use std::collections::HashMap;

use jiff::Timestamp;
use workflows::{
    ids::JobKey,
    plan::JobConcurrency,
    run::{Answer, Places, Refusal, Seat, TOP_LEVEL, deadlock, full},
};

/// None is the run itself.
type Member = Option<JobKey>;

/// Groups by their names in lower case.
pub(super) struct Groups(HashMap<String, Places<Member>>);

/// What becomes of a job or a call that asks.
pub(super) enum Turn {
    Given,
    Waits {
        /// These end for it.
        cancel: Vec<JobKey>,
        reason: String,
    },
    /// For this reason.
    Ends(String),
}

impl Groups {
    /// `own` is the run's: it has its place.
    pub(super) fn new(own: Option<JobConcurrency>) -> Self {
        let run = || Places { running: Some(Seat { member: None, asked: Timestamp::UNIX_EPOCH }), pending: Vec::new() };
        Self(own.into_iter().map(|own| (own.group.to_lowercase(), run())).collect())
    }

    /// `is_open` says of the others whether they have ended.
    pub(super) fn ask(
        &mut self,
        asker: &JobKey,
        wanted: &JobConcurrency,
        asked: Timestamp,
        is_open: impl Fn(&JobKey) -> bool,
    ) -> Turn {
        let JobConcurrency { group, cancel_in_progress, queue } = wanted;
        let places = self.0.entry(group.to_lowercase()).or_default();
        let is_open = |seat: &Seat<Member>| seat.member.as_ref().is_none_or(&is_open);
        places.running.take_if(|seat| !is_open(seat));
        places.pending.retain(is_open);
        let title = |member: &Member| member.as_ref().map_or(TOP_LEVEL, JobKey::as_str).to_owned();
        let newer = |member: &Member| format!("{} is newer in the concurrency group {group}", title(member));
        let around = |holder: &Member| holder.as_ref().is_none_or(|holder| asker.is_within(holder));
        let seat = Seat { member: Some(asker.clone()), asked };
        match places.ask(seat.clone(), *cancel_in_progress, *queue, around) {
            Answer::Given => Turn::Given,
            Answer::Waits { cancel } => {
                Turn::Waits { cancel: cancel.into_iter().flatten().collect(), reason: newer(&seat.member) }
            }
            Answer::Refused(Refusal::Superseded { by }) => Turn::Ends(newer(&by)),
            Answer::Refused(Refusal::Deadlock { with }) => Turn::Ends(deadlock(group, &title(&with), asker.as_str())),
            Answer::Refused(Refusal::Full) => Turn::Ends(full(group)),
        }
    }
}
