/// Among more names than this nobody looks for the nearest.
const MOST_KNOWN: usize = 1000;

/// The known name that a person who wrote `name` most likely meant.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Quadratic in the lengths: a megabyte of a key is no typing error.
    if name.is_empty() || name.len() > 60 {
        return None;
    }
    let name: Vec<char> = name.to_ascii_lowercase().replace('_', "-").chars().collect();
    let tolerance = 1 + name.len() / 4;
    known
        .into_iter()
        .take(MOST_KNOWN)
        // The distance is no less than the lengths' difference.
        .filter(|each| each.chars().count().abs_diff(name.len()) <= tolerance)
        .filter_map(|each| Some((distance(&name, each, tolerance)?, each)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, each)| each)
}

/// Damerau–Levenshtein (optimal string alignment): single insertions, deletions, substitutions and
/// swaps of neighbours that turn one into the other; none where it takes more than `most`.
fn distance(a: &[char], b: &str, most: usize) -> Option<usize> {
    let b: Vec<char> = b.chars().collect();
    // The row before the last one, the last one, and the one that is made.
    let mut earlier = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut row = vec![0; b.len() + 1];
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(earlier[j - 2] + 1);
            }
            row[j] = best;
        }
        // What follows is made from these two rows, and no nearer.
        if row.iter().chain(&last).all(|distance| *distance > most) {
            return None;
        }
        std::mem::swap(&mut earlier, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    Some(last[b.len()]).filter(|distance| *distance <= most)
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
