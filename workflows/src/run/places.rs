//! Concurrency groups: one member at a time, and those that wait for it.
//!
//! A member is a run, a job or a call; who asked when decides, not the number of its run, so that a run that is run again
//! counts as new.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::syntax::Queue;

/// One member of a group, and since when it has asked for the place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat<M> {
    pub member: M,
    pub asked: Timestamp,
}

/// A concurrency group. Members that have ended may still be named: whoever asks drops them first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places<M> {
    pub running: Option<Seat<M>>,
    /// Who asked first comes first. An earlier version wrote one alone, by another name: it asks again.
    #[serde(default = "Vec::new", rename = "queue")]
    pub pending: Vec<Seat<M>>,
}

impl<M> Default for Places<M> {
    fn default() -> Self {
        Self { running: None, pending: Vec::new() }
    }
}

/// What becomes of a member that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<M> {
    /// It may go on.
    Given,
    Waits {
        /// Its elders that end for it: those that waited, and, with `cancel-in-progress`, the one under way.
        cancel: Vec<M>,
    },
    /// It ends.
    Refused(Refusal<M>),
}

/// Why a member ends that has asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal<M> {
    /// A newer one waits already.
    Superseded { by: M },
    /// The one under way is around it, and would wait for it to end.
    Deadlock { with: M },
    /// As many as may wait do.
    Full,
}

/// What a run is called where it is told of beside its jobs; GitHub's word.
pub const TOP_LEVEL: &str = "top level workflow";

/// Why a member ends where the one that it would wait for waits for it in turn; in GitHub's words.
pub fn deadlock(group: &str, holder: &str, asker: &str) -> String {
    format!("a deadlock for concurrency group '{group}' was detected between '{holder}' and '{asker}'")
}

/// How many may wait in a group at once; GitHub's limit.
const MOST_PENDING: usize = 100;

/// Why a member ends where [`Refusal::Full`] is its answer.
pub fn full(group: &str) -> String {
    format!("{MOST_PENDING} wait already for the concurrency group {group}")
}

impl<M: PartialEq + Clone> Places<M> {
    pub fn is_pending(&self, member: &M) -> bool {
        self.pending.iter().any(|seat| seat.member == *member)
    }

    /// Answers a member that asks (again), and takes note of it. `around` says of a member whether the one that asks
    /// is part of it.
    pub fn ask(
        &mut self,
        seat: Seat<M>,
        cancel_in_progress: bool,
        queue: Queue,
        around: impl FnOnce(&M) -> bool,
    ) -> Answer<M> {
        if self.running.is_none() && !self.pending.is_empty() {
            self.running = Some(self.pending.remove(0));
        }
        let holder = match &self.running {
            Some(holder) if holder.member != seat.member => holder.clone(),
            Some(_) | None => {
                self.pending.retain(|pending| pending.member != seat.member);
                self.running = Some(seat);
                return Answer::Given;
            }
        };
        if around(&holder.member) {
            return Answer::Refused(Refusal::Deadlock { with: holder.member });
        }
        let waits_already = self.is_pending(&seat.member);
        let mut cancel = Vec::new();
        match queue {
            Queue::Single => {
                let younger = self.pending.last().filter(|last| !waits_already && last.asked > seat.asked);
                if let Some(Seat { member, .. }) = younger {
                    return Answer::Refused(Refusal::Superseded { by: member.clone() });
                }
                let ends = |other: &mut Seat<M>| other.member != seat.member && other.asked <= seat.asked;
                cancel.extend(self.pending.extract_if(.., ends).map(|elder| elder.member));
            }
            Queue::Max if !waits_already && self.pending.len() >= MOST_PENDING => {
                return Answer::Refused(Refusal::Full);
            }
            Queue::Max => {}
        }
        if cancel_in_progress && holder.asked <= seat.asked {
            cancel.push(holder.member);
        }
        if !waits_already {
            let behind = self.pending.partition_point(|other| other.asked <= seat.asked);
            self.pending.insert(behind, seat);
        }
        Answer::Waits { cancel }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Group = Places<&'static str>;

    fn seat(member: &'static str, second: i64) -> Seat<&'static str> {
        Seat { member, asked: Timestamp::from_second(second).unwrap() }
    }

    fn ask(places: &mut Group, seat: Seat<&'static str>, cancel: bool) -> Answer<&'static str> {
        places.ask(seat, cancel, Queue::Single, |_| false)
    }

    fn queue(places: &mut Group, seat: Seat<&'static str>) -> Answer<&'static str> {
        places.ask(seat, false, Queue::Max, |_| false)
    }

    fn waits(cancel: &[&'static str]) -> Answer<&'static str> {
        Answer::Waits { cancel: cancel.to_vec() }
    }

    fn superseded(by: &'static str) -> Answer<&'static str> {
        Answer::Refused(Refusal::Superseded { by })
    }

    #[test]
    fn one_runs_one_waits_and_the_newest_takes_the_place_of_the_one_that_waits() {
        let mut places = Places::default();
        assert_eq!(ask(&mut places, seat("a", 1), false), Answer::Given);
        assert_eq!(ask(&mut places, seat("b", 2), false), waits(&[]));
        assert_eq!(ask(&mut places, seat("b", 2), false), waits(&[]));
        assert_eq!(ask(&mut places, seat("c", 3), false), waits(&["b"]));
        // `b` is told, and asks once more before it hears of it.
        assert_eq!(ask(&mut places, seat("b", 2), false), superseded("c"));
        places.running = None;
        assert_eq!(ask(&mut places, seat("c", 3), false), Answer::Given);
        assert_eq!(places, Places { running: Some(seat("c", 3)), pending: Vec::new() });
    }

    #[test]
    fn who_asks_while_the_place_is_handed_on_waits_behind_who_waited() {
        let mut places = Places { running: None, pending: vec![seat("b", 2)] };
        assert_eq!(ask(&mut places, seat("c", 3), false), waits(&[]));
        assert_eq!(places.running, Some(seat("b", 2)));
        assert_eq!(ask(&mut places, seat("b", 2), false), Answer::Given);
    }

    #[test]
    fn cancel_in_progress_ends_the_elder_and_never_the_younger() {
        let mut places = Places::default();
        ask(&mut places, seat("a", 5), true);
        assert_eq!(ask(&mut places, seat("b", 6), true), waits(&["a"]));
        assert_eq!(ask(&mut places, seat("c", 7), true), waits(&["b", "a"]));
        let mut places = Places { running: Some(seat("a", 5)), pending: Vec::new() };
        assert_eq!(ask(&mut places, seat("old", 1), true), waits(&[]));
    }

    #[test]
    fn a_queue_is_served_in_the_order_in_which_it_was_joined() {
        let mut places = Places::default();
        assert_eq!(queue(&mut places, seat("a", 1)), Answer::Given);
        for late in [seat("b", 2), seat("d", 4), seat("c", 3), seat("b", 2)] {
            assert_eq!(queue(&mut places, late), waits(&[]));
        }
        for next in [seat("b", 2), seat("c", 3), seat("d", 4)] {
            places.running = None;
            assert_eq!(queue(&mut places, seat("e", 5)), waits(&[]));
            assert_eq!(queue(&mut places, next), Answer::Given);
        }
    }

    #[test]
    fn who_finds_a_hundred_waiting_ends() {
        let pending: Vec<_> = (0..100).map(|second| seat("other", second)).collect();
        let mut places = Places { running: Some(seat("a", 0)), pending };
        assert_eq!(queue(&mut places, seat("late", 200)), Answer::Refused(Refusal::Full));
        places.pending[0] = seat("early", 0);
        assert_eq!(queue(&mut places, seat("early", 0)), waits(&[]));
        places.pending.pop();
        assert_eq!(queue(&mut places, seat("late", 200)), waits(&[]));
    }

    #[test]
    fn who_waits_alone_takes_the_place_of_a_queue() {
        let mut places = Places::default();
        for first in [seat("a", 1), seat("b", 2), seat("c", 3)] {
            queue(&mut places, first);
        }
        assert_eq!(ask(&mut places, seat("d", 4), false), waits(&["b", "c"]));
        // Who queues behind it leaves it where it is.
        assert_eq!(queue(&mut places, seat("e", 5)), waits(&[]));
        assert_eq!(ask(&mut places, seat("d", 4), false), waits(&[]));
        assert_eq!(ask(&mut places, seat("old", 3), false), superseded("e"));
        assert_eq!(places.pending, [seat("d", 4), seat("e", 5)]);
    }

    #[test]
    fn a_member_never_waits_for_one_around_it_nor_ends_it() {
        for (cancel_in_progress, queue) in [(false, Queue::Single), (true, Queue::Single), (false, Queue::Max)] {
            let mut places = Places { running: Some(seat("run", 1)), pending: vec![seat("next", 2)] };
            let before = places.clone();
            let answer = places.ask(seat("run/job", 3), cancel_in_progress, queue, |member| *member == "run");
            assert_eq!((answer, places), (Answer::Refused(Refusal::Deadlock { with: "run" }), before));
        }
    }
}
