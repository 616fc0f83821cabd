//! Exact unconditional test of paired proportions with a margin, for small samples.
//!
//! The p-value of Tango's score is taken from the trinomial distribution itself, at the worst nuisance
//! parameter: Hsueh, Liu & Chen (2001), "Unconditional exact tests for equivalence or noninferiority for
//! paired binary endpoints", Biometrics 57, 478–483; with the nuisance restricted to a confidence
//! interval, Berger & Boos (1994), "P values maximized over a confidence set for the nuisance parameter".

use super::{
    special::{beta_inc, bisect},
    tango::PairedCounts,
};

/// Whether the trinomial is summed: with more discordant pairs the score is close to normal.
pub fn applies(counts: PairedCounts) -> bool {
    counts.worse + counts.better <= 60
}

/// Berger and Boos's γ: what the restriction may cost, added to the p-value.
const GAMMA: f64 = 1e-6;
const GRID: u32 = 24;

/// P-values of (H₀: d ≤ m, H₀: d ≥ m).
pub fn p_values(counts: PairedCounts, margin: f64) -> (f64, f64) {
    let turned = PairedCounts { worse: counts.better, better: counts.worse, n: counts.n };
    (p_worse(counts, margin), p_worse(turned, -margin))
}

/// Of H₀: d ≤ m. At d = m the nuisance is the discordance ψ = P(worse) + P(better).
fn p_worse(counts: PairedCounts, margin: f64) -> f64 {
    let n = counts.n;
    let discordant = counts.worse + counts.better;
    let (low, high) = clopper_pearson(discordant, n, GAMMA);
    let (low, high) = (low.max(margin.abs()), high.max(margin.abs()).min(1.0));
    let most_better = 0.5 * (high - margin) * n as f64;
    let border = border(counts, margin, (most_better + 9.0 * most_better.sqrt() + 20.0) as u64);
    let tail = |psi: f64| tail(&border, n, 0.5 * (psi + margin), 0.5 * (psi - margin));
    let step = (high - low) / f64::from(GRID);
    let most = (0..=GRID).map(|i| tail(low + step * f64::from(i))).fold(0.0, f64::max);
    (most + GAMMA).min(1.0)
}

/// For each number of better pairs, the fewest worse pairs that speak at least as strongly against H₀ as
/// the data do, up to a number that is too unlikely to matter. The score grows with `worse`.
fn border(counts: PairedCounts, margin: f64, up_to: u64) -> Vec<u64> {
    let n = counts.n;
    let observed = counts.score(margin) - 1e-9;
    let speaks = |worse: u64, better: u64| PairedCounts { worse, better, n }.score(margin) >= observed;
    let mut fewest = 0;
    (0..=n.min(up_to))
        .map(|better| {
            // More better pairs ask for more worse ones, so the search goes on where it was.
            while fewest + better <= n && !speaks(fewest, better) {
                fewest += 1;
            }
            fewest
        })
        .collect()
}

/// P(the table lies beyond the border) under trinomial(n; worse, better).
fn tail(border: &[u64], n: u64, worse: f64, better: f64) -> f64 {
    let (worse, better) = (worse.max(0.0), better.max(0.0));
    let rest_ratio = worse / (1.0 - better).max(f64::MIN_POSITIVE);
    // P(better pairs = c), one after the other.
    let mut of_better = (n as f64 * (-better).ln_1p()).exp();
    let mut sum = 0.0;
    let mut seen = 0.0;
    for (c, fewest) in border.iter().enumerate() {
        let c = c as u64;
        if c > 0 {
            of_better *= (n - c + 1) as f64 / c as f64 * better / (1.0 - better).max(f64::MIN_POSITIVE);
        }
        let left = n - c;
        if *fewest <= left {
            let given = 1.0 - binomial_below(*fewest, left, rest_ratio.clamp(0.0, 1.0));
            sum += of_better * given;
        }
        seen += of_better;
        if seen > 1.0 - 1e-12 {
            break;
        }
    }
    sum
}

/// P(X < k) for X binomial(n, p), term by term: k is small here.
fn binomial_below(k: u64, n: u64, p: f64) -> f64 {
    if p >= 1.0 {
        return if k > n { 1.0 } else { 0.0 };
    }
    let odds = p / (1.0 - p);
    let mut term = (n as f64 * (-p).ln_1p()).exp();
    let mut sum = 0.0;
    for hits in 0..k {
        sum += term;
        term *= (n - hits) as f64 / (hits + 1) as f64 * odds;
    }
    sum
}

/// Clopper and Pearson's interval of a share, `gamma` in all.
fn clopper_pearson(k: u64, n: u64, gamma: f64) -> (f64, f64) {
    let (count, rest) = (k as f64, (n - k) as f64);
    let low = if k == 0 { 0.0 } else { bisect_share(|p| beta_inc(count, rest + 1.0, p, 1.0 - p) < 0.5 * gamma) };
    let high = if k == n { 1.0 } else { bisect_share(|p| 1.0 - beta_inc(count + 1.0, rest, p, 1.0 - p) > 0.5 * gamma) };
    (low, high)
}

fn bisect_share(left_of_it: impl Fn(f64) -> bool) -> f64 {
    bisect(0.0, 1.0, left_of_it)
}

/// Bounds of `d`, each one-sided at `alpha`, where the p-values meet it. `around` is an interval to start from.
pub fn interval(counts: PairedCounts, alpha: f64, around: (f64, f64)) -> (f64, f64) {
    let estimate = counts.estimate();
    let lower = search(estimate, around.0, -1.0, |margin| p_worse(counts, margin) > alpha);
    let turned = PairedCounts { worse: counts.better, better: counts.worse, n: counts.n };
    let upper = search(estimate, around.1, 1.0, |margin| p_worse(turned, -margin) > alpha);
    (lower, upper)
}

/// From `inside` outwards to `end`: the last point, within 1e-5, that is still inside.
fn search(inside: f64, guess: f64, end: f64, is_inside: impl Fn(f64) -> bool) -> f64 {
    let step = (end - inside).signum() * (guess - inside).abs().max(1e-3);
    let (mut near, mut far) = (inside, inside + step);
    while (far - end).abs() > 1e-12 && is_inside(far) {
        near = far;
        far = if step > 0.0 { (far + 0.5 * step).min(end) } else { (far + 0.5 * step).max(end) };
    }
    while (far - near).abs() > 1e-5 {
        let middle = 0.5 * (near + far);
        if is_inside(middle) { near = middle } else { far = middle }
    }
    far
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Brute force over all tables.
    fn direct(n: u64, worse: f64, better: f64, counts: PairedCounts, margin: f64) -> f64 {
        let ln_factorial = |k: u64| libm::lgamma(k as f64 + 1.0);
        let observed = counts.score(margin) - 1e-9;
        let mut sum = 0.0;
        for b in 0..=n {
            for c in 0..=n - b {
                if (PairedCounts { worse: b, better: c, n }).score(margin) < observed {
                    continue;
                }
                let rest = n - b - c;
                let ways = ln_factorial(n) - ln_factorial(b) - ln_factorial(c) - ln_factorial(rest);
                let powers = worse.powi(b as i32) * better.powi(c as i32) * (1.0 - worse - better).powi(rest as i32);
                sum += ways.exp() * powers;
            }
        }
        sum
    }

    #[test]
    fn the_tail_is_the_trinomials() {
        for (worse, better, n, margin) in [(4, 1, 40, 0.02), (0, 0, 30, 0.05), (7, 9, 60, 0.0), (2, 5, 50, -0.03)] {
            let counts = PairedCounts { worse, better, n };
            for psi in [0.06, 0.1, 0.3] {
                let (p, q) = (0.5 * (psi + margin), 0.5 * (psi - margin));
                let got = tail(&border(counts, margin, n), n, p, q);
                let expected = direct(n, p, q, counts, margin);
                assert!((got - expected).abs() < 1e-9, "{counts:?} {psi}: {got} {expected}");
            }
        }
    }

    #[test]
    fn bounds_hold_the_estimate_and_are_wider_than_the_scores_or_close() {
        let counts = PairedCounts { worse: 3, better: 1, n: 100 };
        let around = counts.interval(1.6448536269514722);
        let (lower, upper) = interval(counts, 0.05, around);
        assert!(lower < 0.02 && 0.02 < upper);
        assert!((lower - around.0).abs() < 0.02 && (upper - around.1).abs() < 0.02, "{lower} {upper} {around:?}");
        assert!(p_values(counts, lower - 1e-4).0 <= 0.05 && p_values(counts, upper + 1e-4).1 <= 0.05);
    }
}
