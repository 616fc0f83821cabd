/// Among more names than this nobody looks for the nearest.
const MOST_KNOWN: usize = 1000;

/// The known name that a person who wrote `name` most likely meant.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Quadratic in the lengths: a megabyte of a key is no typing error.
    if name.is_empty() || name.len() > 60 {
        return None;
    }
    let name = &name.to_ascii_lowercase().replace('_', "-");
    let length = name.chars().count();
    let tolerance = 1 + length / 4;
    known
        .into_iter()
        .take(MOST_KNOWN)
        // The distance is no less than the lengths' difference.
        .filter(|each| each.chars().count().abs_diff(length) <= tolerance)
        .map(|each| (distance(name, each), each))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, each)| each)
}

/// Damerau–Levenshtein (optimal string alignment): single insertions, deletions, substitutions and
/// swaps of neighbours that turn one into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_key() {
        let known = ["steps", "strategy", "runs-on", "needs"];
        for (typed, meant) in [
            ("step", Some("steps")),
            ("run-on", Some("runs-on")),
            ("runs_on", Some("runs-on")),
            ("stpes", Some("steps")),
            ("startegy", Some("strategy")),
            ("banana", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
    }
}
