//! An evaluation of the head beside its baseline, and whether like is compared with like.

use std::collections::BTreeSet;

use super::{
    Nondeterminism, Side, Verdict, flips,
    pairing::{Mismatch, Pair, pair},
};

/// One evaluation of the head with its baseline, paired once for all rules.
pub(super) struct Evaluated<'a> {
    pub(super) head: &'a Side,
    /// The base's side, or why there is none.
    pub(super) base: Result<&'a Side, String>,
    pub(super) pairs: Result<Vec<Pair<'a>>, Mismatch>,
    /// Why the two are not comparable, where they are not.
    pub(super) unlike: Option<String>,
}

impl<'a> Evaluated<'a> {
    pub(super) fn new(head: &'a Side, base: Option<&'a [Side]>) -> Self {
        let base = match base {
            None => Err("there is no baseline".to_owned()),
            Some(sides) => sides
                .iter()
                .find(|side| side.name == head.name && side.job == head.job)
                .or_else(|| sides.iter().find(|side| side.name == head.name))
                .ok_or_else(|| format!("the base has no evaluation named `{}`", head.name)),
        };
        let pairs = match &base {
            Ok(base) => pair(head, base),
            Err(reason) => Err(Mismatch::Base(reason.clone())),
        };
        let unlike = base.as_ref().ok().and_then(|base| unlike(head, base));
        Self { head, base, pairs, unlike }
    }

    pub(super) fn tell_flips(&self, verdict: &mut Verdict) {
        let (Ok(base), Ok(pairs), None) = (&self.base, &self.pairs, &self.unlike) else { return };
        if !self.head.model.is_empty() && self.head.model == base.model {
            let examples = flips::differing(pairs);
            if examples > 0 {
                verdict.nondeterministic.push(Nondeterminism { evaluation: self.head.name.clone(), examples });
            }
        }
        flips::collect(&self.head.name, pairs, &mut verdict.flips, &mut verdict.flipped);
    }
}

/// What must be equal and is not.
fn unlike(head: &Side, base: &Side) -> Option<String> {
    let keys: BTreeSet<&String> = head.like.keys().chain(base.like.keys()).collect();
    let differing: Vec<String> = keys
        .into_iter()
        .filter(|key| head.like.get(*key) != base.like.get(*key))
        .map(|key| {
            let of = |side: &Side| side.like.get(key).map_or("none".to_owned(), |text| text.chars().take(80).collect());
            format!("{key} is {} on the head and {} on the base", of(head), of(base))
        })
        .collect();
    (!differing.is_empty()).then(|| format!("head and base are not comparable: {}", differing.join("; ")))
}
