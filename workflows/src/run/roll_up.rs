use indexmap::IndexMap;

use super::Conclusion;

/// One conclusion out of many: of a run from its jobs, of a `jobs.<id>` from its rows. A failure
/// that `continue-on-error` allows (`.1`) counts as a success.
///
/// Nothing at all, or nothing but skipped, is `skipped`.
pub fn roll_up(parts: impl IntoIterator<Item = (Conclusion, bool)>) -> Conclusion {
    // In the order of weight; the heaviest wins.
    let weight = |conclusion| match conclusion {
        Conclusion::Skipped => 0,
        Conclusion::Neutral => 1,
        Conclusion::Success => 2,
        Conclusion::Cancelled => 3,
        Conclusion::ActionRequired => 4,
        Conclusion::TimedOut => 5,
        Conclusion::Failure => 6,
    };
    let allowed = |(conclusion, continue_on_error)| match conclusion {
        Conclusion::Failure | Conclusion::TimedOut if continue_on_error => Conclusion::Success,
        Conclusion::Failure
        | Conclusion::TimedOut
        | Conclusion::Success
        | Conclusion::Neutral
        | Conclusion::Cancelled
        | Conclusion::Skipped
        | Conclusion::ActionRequired => conclusion,
    };
    let heaviest = parts.into_iter().map(allowed).max_by_key(|conclusion| weight(*conclusion));
    match heaviest.unwrap_or(Conclusion::Skipped) {
        // A run that mixes the two has failed, and says so in GitHub's most common word.
        Conclusion::TimedOut => Conclusion::Failure,
        other => other,
    }
}

/// Outputs of a matrix: merged over its rows, where the last value that is not empty wins.
pub fn merge_outputs<'a>(rows: impl IntoIterator<Item = &'a IndexMap<String, String>>) -> IndexMap<String, String> {
    let mut merged = IndexMap::new();
    for (name, value) in rows.into_iter().flatten() {
        let slot: &mut String = merged.entry(name.clone()).or_default();
        if !value.is_empty() {
            slot.clone_from(value);
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_part_decides() {
        use Conclusion::{Cancelled, Failure, Neutral, Skipped, Success, TimedOut};
        let plain = |parts: &[Conclusion]| roll_up(parts.iter().map(|part| (*part, false)));
        assert_eq!(plain(&[]), Skipped);
        assert_eq!(plain(&[Skipped, Skipped]), Skipped);
        assert_eq!(plain(&[Skipped, Success]), Success);
        assert_eq!(plain(&[Neutral, Success]), Success);
        assert_eq!(plain(&[Success, Cancelled]), Cancelled);
        assert_eq!(plain(&[Cancelled, Failure, Success]), Failure);
        assert_eq!(plain(&[TimedOut]), Failure);
        assert_eq!(roll_up([(Failure, true), (Skipped, false)]), Success);
    }

    #[test]
    fn the_last_output_that_is_not_empty_wins() {
        let row = |value: &str| IndexMap::from([("v".to_owned(), value.to_owned())]);
        assert_eq!(merge_outputs(&[row("a"), row("b"), row("")]), row("b"));
    }
}
