//! Concurrency groups: one member at a time, one more waits, and a newer one takes its place.
//!
//! A member is a run or a job; who asked when decides, not the number of its run, so that a run that is run again
//! counts as new.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
    pub pending: Option<Seat<M>>,
}

impl<M> Default for Places<M> {
    fn default() -> Self {
        Self { running: None, pending: None }
    }
}

/// What becomes of a member that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<M> {
    /// It may go on.
    Given,
    Waits {
        /// Its elders that end for it: the one that waited, and, with `cancel-in-progress`, the one under way.
        cancel: Vec<M>,
    },
    /// A newer one waits already: it ends.
    Superseded { by: M },
    /// The one under way is around it, and would wait for it to end: it ends.
    Deadlock { with: M },
}

/// What a run is called where it is told of beside its jobs; GitHub's word.
pub const TOP_LEVEL: &str = "top level workflow";

/// Why a member ends where the one that it would wait for waits for it in turn; in GitHub's words.
pub fn deadlock(group: &str, holder: &str, asker: &str) -> String {
    format!("a deadlock for concurrency group '{group}' was detected between '{holder}' and '{asker}'")
}

impl<M: PartialEq + Clone> Places<M> {
    /// Answers a member that asks (again), and takes note of it. `around` says of a member whether the one that asks
    /// is part of it.
    pub fn ask(&mut self, seat: Seat<M>, cancel_in_progress: bool, around: impl FnOnce(&M) -> bool) -> Answer<M> {
        if self.running.is_none() {
            self.running = self.pending.take();
        }
        let holder = match &self.running {
            Some(holder) if holder.member != seat.member => holder.clone(),
            Some(_) | None => {
                self.pending.take_if(|pending| pending.member == seat.member);
                self.running = Some(seat);
                return Answer::Given;
            }
        };
        if around(&holder.member) {
            return Answer::Deadlock { with: holder.member };
        }
        let mut cancel = Vec::new();
        match &self.pending {
            Some(pending) if pending.member != seat.member => {
                if pending.asked > seat.asked {
                    return Answer::Superseded { by: pending.member.clone() };
                }
                cancel.push(pending.member.clone());
            }
            Some(_) | None => {}
        }
        if cancel_in_progress && holder.asked <= seat.asked {
            cancel.push(holder.member);
        }
        self.pending = Some(seat);
        Answer::Waits { cancel }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(member: &'static str, second: i64) -> Seat<&'static str> {
        Seat { member, asked: Timestamp::from_second(second).unwrap() }
    }

    fn ask(places: &mut Places<&'static str>, seat: Seat<&'static str>, cancel: bool) -> Answer<&'static str> {
        places.ask(seat, cancel, |_| false)
    }

    fn waits(cancel: &[&'static str]) -> Answer<&'static str> {
        Answer::Waits { cancel: cancel.to_vec() }
    }

    #[test]
    fn one_runs_one_waits_and_the_newest_takes_the_place_of_the_one_that_waits() {
        let mut places = Places::default();
        assert_eq!(ask(&mut places, seat("a", 1), false), Answer::Given);
        assert_eq!(ask(&mut places, seat("b", 2), false), waits(&[]));
        assert_eq!(ask(&mut places, seat("b", 2), false), waits(&[]));
        assert_eq!(ask(&mut places, seat("c", 3), false), waits(&["b"]));
        // `b` is told, and asks once more before it hears of it.
        assert_eq!(ask(&mut places, seat("b", 2), false), Answer::Superseded { by: "c" });
        places.running = None;
        assert_eq!(ask(&mut places, seat("c", 3), false), Answer::Given);
        assert_eq!(places, Places { running: Some(seat("c", 3)), pending: None });
    }

    #[test]
    fn who_asks_while_the_place_is_handed_on_waits_behind_who_waited() {
        let mut places = Places { running: None, pending: Some(seat("b", 2)) };
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
        let mut places = Places { running: Some(seat("a", 5)), pending: None };
        assert_eq!(ask(&mut places, seat("old", 1), true), waits(&[]));
    }

    #[test]
    fn a_member_never_waits_for_one_around_it_nor_ends_it() {
        for cancel_in_progress in [false, true] {
            let mut places = Places { running: Some(seat("run", 1)), pending: Some(seat("next", 2)) };
            let before = places.clone();
            let answer = places.ask(seat("run/job", 3), cancel_in_progress, |member| *member == "run");
            assert_eq!((answer, places), (Answer::Deadlock { with: "run" }, before));
        }
    }
}
