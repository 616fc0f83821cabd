//! A share: so many of so many.

use super::special::{beta_inc, bisect};

/// Clopper and Pearson's interval of a share: it misses the truth with a probability of at most `gamma` in all.
pub fn clopper_pearson(hits: u64, of: u64, gamma: f64) -> (f64, f64) {
    let (count, rest) = (hits as f64, (of - hits) as f64);
    let low = if hits == 0 { 0.0 } else { search(|p| beta_inc(count, rest + 1.0, p, 1.0 - p) < 0.5 * gamma) };
    let high = if hits == of { 1.0 } else { search(|p| 1.0 - beta_inc(count + 1.0, rest, p, 1.0 - p) > 0.5 * gamma) };
    (low, high)
}

fn search(left_of_it: impl Fn(f64) -> bool) -> f64 {
    bisect(0.0, 1.0, left_of_it)
}
