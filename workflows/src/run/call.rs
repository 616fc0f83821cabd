//! The life of a call of a workflow that takes part in concurrency groups: it asks for its places before
//! anything in it starts, and keeps them until all of it has ended.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Group, deadlock};
use crate::{ids::JobKey, plan::JobConcurrency};

/// One call, of a job or of one row of its matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLife {
    pub key: JobKey,
    /// In the order in which it asks: that of the job that calls, then that of the workflow that is called.
    pub groups: Vec<JobConcurrency>,
    #[serde(flatten)]
    pub state: CallState,
    /// Why it is to end, or has ended before it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CallState {
    /// It has its place in the first so many of its groups. With all of them its jobs may start.
    Holds { places: usize },
    /// It asks for its place in the next one.
    Asks { places: usize, since: Timestamp },
    /// All that it has called has ended, or never starts: its places are free.
    Ended,
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEvent {
    PlaceAsked,
    PlaceGiven,
    /// Someone wants it to stop.
    CancelAsked(String),
    /// It ends before anything in it has begun.
    Dropped(String),
    /// The last of its jobs has ended.
    Ended,
}

/// An event that cannot happen in this state: late, repeated, or a mistake of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a call that is {state:?} cannot be {event:?}")]
pub struct IllegalCall {
    pub state: CallState,
    pub event: CallEvent,
}

impl CallLife {
    pub fn new(key: JobKey, groups: Vec<JobConcurrency>) -> Self {
        Self { key, groups, state: CallState::Holds { places: 0 }, cancel: None }
    }

    /// The group that it asks for a place in, and since when.
    pub fn asks(&self) -> Option<(&JobConcurrency, Timestamp)> {
        match self.state {
            CallState::Asks { places, since } => Some((self.groups.get(places)?, since)),
            CallState::Holds { .. } | CallState::Ended => None,
        }
    }

    /// The groups that it has a place in.
    pub fn held(&self) -> &[JobConcurrency] {
        match self.state {
            CallState::Holds { places } | CallState::Asks { places, .. } => self.groups.get(..places).unwrap_or(&[]),
            CallState::Ended => &[],
        }
    }

    /// Whether it has all the places that it needs.
    pub(super) fn may_begin(&self) -> bool {
        self.held().len() == self.groups.len()
    }

    /// Why it ends where it asks for a place in a group that it has one in already: both workflows name the same.
    pub fn deadlock_with_itself(&self) -> Option<String> {
        let (wanted, _) = self.asks()?;
        let has_it = self.held().iter().any(|held| held.is_one_with(wanted));
        has_it.then(|| deadlock(&wanted.group, self.key.as_str(), "the workflow that it calls"))
    }

    /// The call after an event.
    pub fn apply(mut self, event: CallEvent, now: Timestamp) -> Result<Self, IllegalCall> {
        self.state = match (self.state, event) {
            (CallState::Holds { places }, CallEvent::PlaceAsked) if places < self.groups.len() => {
                CallState::Asks { places, since: now }
            }
            (CallState::Asks { places, .. }, CallEvent::PlaceGiven) => CallState::Holds { places: places + 1 },
            (state @ (CallState::Holds { .. } | CallState::Asks { .. }), CallEvent::CancelAsked(reason)) => {
                self.cancel.get_or_insert(reason);
                state
            }
            (CallState::Holds { .. } | CallState::Asks { .. }, CallEvent::Dropped(reason)) => {
                self.cancel.get_or_insert(reason);
                CallState::Ended
            }
            (CallState::Holds { .. } | CallState::Asks { .. }, CallEvent::Ended) => CallState::Ended,
            (state, event) => return Err(IllegalCall { state, event }),
        };
        Ok(self)
    }
}

/// The calls of a run that take part in concurrency groups.
pub fn call_lives(groups: &IndexMap<JobKey, Group>) -> impl Iterator<Item = &CallLife> {
    groups.values().flat_map(|group| match group {
        Group::Called { lives, .. } => lives.as_slice(),
        Group::Waiting
        | Group::Skipped { .. }
        | Group::Invalid { .. }
        | Group::Cancelled { .. }
        | Group::Expanded { .. } => &[],
    })
}

/// One of them.
pub fn call_life<'g>(groups: &'g IndexMap<JobKey, Group>, call: &JobKey) -> Option<&'g CallLife> {
    match groups.get(&call.group())? {
        Group::Called { lives, .. } => lives.iter().find(|life| life.key == *call),
        Group::Waiting
        | Group::Skipped { .. }
        | Group::Invalid { .. }
        | Group::Cancelled { .. }
        | Group::Expanded { .. } => None,
    }
}

/// Those around a job or a call, the nearest first.
pub fn lives_around<'g>(groups: &'g IndexMap<JobKey, Group>, key: &JobKey) -> impl Iterator<Item = &'g CallLife> {
    std::iter::successors(key.caller(), JobKey::caller).filter_map(|call| call_life(groups, &call))
}

/// Carries an event of a call out, in the groups of its run.
pub fn tell_call(
    groups: &mut IndexMap<JobKey, Group>,
    call: &JobKey,
    event: CallEvent,
    now: Timestamp,
) -> Result<(), IllegalCall> {
    if let CallEvent::Dropped(_) = event {
        let within = |group: &JobKey| group.caller().as_ref() == Some(call);
        let never = groups.iter_mut().filter(|(group, state)| within(group) && **state == Group::Waiting);
        never.for_each(|(_, state)| *state = Group::Cancelled { at: now });
    }
    let Some(Group::Called { lives, .. }) = groups.get_mut(&call.group()) else { return Ok(()) };
    if let Some(life) = lives.iter_mut().find(|life| life.key == *call) {
        *life = life.clone().apply(event, now)?;
    }
    Ok(())
}
