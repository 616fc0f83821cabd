//! The same examples on both sides, by id.

use std::collections::HashMap;

use super::{Example, Side};

/// One example as head and base saw it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) head: &'a Example,
    pub(super) base: &'a Example,
}

/// Why two sides cannot be paired; the sentence is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// The head is at fault: leaving out hard examples must not pass.
    Head(String),
    /// The base is: there is nothing to compare with.
    Base(String),
}

/// Pairs by id, in the base's order.
pub(super) fn pair<'a>(head: &'a Side, base: &'a Side) -> Result<Vec<Pair<'a>>, Mismatch> {
    // Outcomes files of one data set are in its order: then no index is needed.
    let same_order = head.examples.len() == base.examples.len()
        && head.examples.iter().zip(&base.examples).all(|(h, b)| h.id == b.id);
    let index = |side: &'a Side| -> Result<HashMap<&'a str, &'a Example>, &'a str> {
        let mut by_id = HashMap::with_capacity(side.examples.len());
        for example in &side.examples {
            if by_id.insert(example.id.as_str(), example).is_some() {
                return Err(&example.id);
            }
        }
        Ok(by_id)
    };
    let by_id = index(head).map_err(|id| Mismatch::Head(format!("the head has two examples with the id `{id}`")))?;
    if same_order {
        return Ok(head.examples.iter().zip(&base.examples).map(|(head, base)| Pair { head, base }).collect());
    }
    let of_base = index(base).map_err(|id| Mismatch::Base(format!("the base has two examples with the id `{id}`")))?;
    let mut missing = base.examples.iter().filter(|example| !by_id.contains_key(example.id.as_str()));
    if let Some(first) = missing.next() {
        let (count, id) = (1 + missing.count(), &first.id);
        let shared = base.examples.len() - count;
        return Err(if shared == 0 && !head.examples.is_empty() {
            Mismatch::Base("head and base have no example in common".to_owned())
        } else {
            Mismatch::Head(format!("the head has no outcome for {count} of the base's examples (first: `{id}`)"))
        });
    }
    if let Some(extra) = head.examples.iter().find(|example| !of_base.contains_key(example.id.as_str())) {
        let id = &extra.id;
        return Err(Mismatch::Base(format!("the base has no outcome for some of the head's examples (first: `{id}`)")));
    }
    Ok(base.examples.iter().map(|base| Pair { head: by_id[base.id.as_str()], base }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(ids: &[&str]) -> Side {
        let examples = ids.iter().map(|id| Example { id: (*id).to_owned(), ..Example::default() }).collect();
        Side { examples, ..Side::default() }
    }

    #[test]
    fn order_does_not_matter() {
        let (head, base) = (side(&["c", "a", "b"]), side(&["a", "b", "c"]));
        let pairs = pair(&head, &base).unwrap();
        assert!(pairs.iter().all(|pair| pair.head.id == pair.base.id));
        assert_eq!(pairs.len(), 3);
        assert!(pair(&side(&[]), &side(&[])).unwrap().is_empty());
    }

    #[test]
    fn who_is_at_fault_is_told() {
        let head_is = |head: &[&str], base: &[&str]| matches!(pair(&side(head), &side(base)), Err(Mismatch::Head(_)));
        let base_is = |head: &[&str], base: &[&str]| matches!(pair(&side(head), &side(base)), Err(Mismatch::Base(_)));
        assert!(head_is(&["a"], &["a", "b"]));
        assert!(head_is(&[], &["a"]));
        assert!(head_is(&["a", "a"], &["a", "b"]));
        assert!(head_is(&["a", "a"], &["a", "a"]));
        assert!(base_is(&["a", "b"], &["a"]));
        assert!(base_is(&["a"], &["x"]));
        assert!(base_is(&["a", "b"], &["a", "a"]));
        assert!(base_is(&["a"], &[]));
    }
}
