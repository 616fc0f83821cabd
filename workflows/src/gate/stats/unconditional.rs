//! Exact unconditional test of paired proportions with a margin.
//!
//! The p-value of Tango's score is taken from the trinomial distribution itself, at the worst nuisance
//! parameter: Hsueh, Liu & Chen (2001), "Unconditional exact tests for equivalence or noninferiority for
//! paired binary endpoints", Biometrics 57, 478–483; with the nuisance restricted to a confidence
//! interval, Berger & Boos (1994), "P values maximized over a confidence set for the nuisance parameter".
//!
//! The normal approximation of the score is not enough, also where discordant pairs are many: the number of
//! worse pairs minus that of better ones is a whole number, so that the true tail differs from the normal one by
//! up to half a step, φ(z)/(2σ), and far in the tail, where a family's correction looks, the skewness of the
//! trinomial adds to it. With 200 pairs that is 0.0536 instead of 0.05.

use std::ops::RangeInclusive;

use super::{share::clopper_pearson, special::beta_inc, tango::PairedCounts};

/// Whether the trinomial is summed: with more discordant pairs half a step is below a thousandth.
pub fn applies(counts: PairedCounts) -> bool {
    counts.worse + counts.better <= 5_000
}

/// Berger and Boos's γ: what the restriction may cost, added to the p-value.
const GAMMA: f64 = 1e-6;
const GRID: u32 = 24;
/// Standard deviations of the number of better pairs that are summed: beyond lie 10⁻¹⁸.
const REACH: f64 = 9.0;

/// P-values of (H₀: d ≤ m, H₀: d ≥ m).
pub fn p_values(counts: PairedCounts, margin: f64) -> (f64, f64) {
    (p_worse(counts, margin), p_fine(counts, margin))
}

/// Of H₀: d ≥ m: the sides change places.
pub fn p_fine(counts: PairedCounts, margin: f64) -> f64 {
    p_worse(PairedCounts { worse: counts.better, better: counts.worse, n: counts.n }, -margin)
}

/// Of H₀: d ≤ m. At d = m the nuisance is the discordance ψ = P(worse) + P(better).
pub fn p_worse(counts: PairedCounts, margin: f64) -> f64 {
    let n = counts.n;
    let (low, high) = clopper_pearson(counts.worse + counts.better, n, GAMMA);
    let (low, high) = (low.max(margin.abs()), high.max(margin.abs()).min(1.0));
    let better = |psi: f64| (0.5 * (psi - margin)).clamp(0.0, 1.0);
    let range = *likely(n, better(low)).start()..=*likely(n, better(high)).end();
    let border = Border::new(counts, margin, range);
    let step = (high - low) / f64::from(GRID);
    let tail = |i: u32| {
        let psi = low + step * f64::from(i);
        border.tail(0.5 * (psi + margin), better(psi))
    };
    ((0..=GRID).map(tail).fold(0.0, f64::max) + GAMMA).min(1.0)
}

/// Numbers of better pairs that are likely enough to matter.
fn likely(n: u64, better: f64) -> RangeInclusive<u64> {
    let mean = n as f64 * better;
    let reach = REACH * (mean * (1.0 - better)).sqrt() + 20.0;
    (mean - reach).max(0.0) as u64..=((mean + reach) as u64).min(n)
}

/// For each number of better pairs, the fewest worse pairs that speak at least as strongly against H₀ as
/// the data do.
struct Border {
    n: u64,
    first: u64,
    fewest: Vec<u64>,
}

impl Border {
    fn new(counts: PairedCounts, margin: f64, range: RangeInclusive<u64>) -> Self {
        let n = counts.n;
        let observed = counts.score(margin) - 1e-9;
        // The score grows with `worse`.
        let speaks = |worse: u64, better: u64| PairedCounts { worse, better, n }.score(margin) >= observed;
        let first = *range.start();
        let (mut fewest, mut most) = (0, n - first + 1);
        while fewest < most {
            let middle = fewest + (most - fewest) / 2;
            if speaks(middle, first) { most = middle } else { fewest = middle + 1 }
        }
        let of = |better: u64| {
            // More better pairs ask for more worse ones, so the search goes on where it was.
            while fewest + better <= n && !speaks(fewest, better) {
                fewest += 1;
            }
            fewest
        };
        Self { n, first, fewest: range.map(of).collect() }
    }

    /// P(the table lies beyond the border) under trinomial(n; worse, better).
    fn tail(&self, worse: f64, better: f64) -> f64 {
        let (worse, better) = (worse.max(0.0), better.max(0.0));
        let range = likely(self.n, better);
        let first = (*range.start()).max(self.first);
        let Some(border) = self.fewest.get((first - self.first) as usize..) else { return 0.0 };
        let Some(fewest) = border.first() else { return 0.0 };
        let mut weight = binomial_pmf(first, self.n, better);
        // Given c better pairs the worse ones are binomial(n − c, share).
        let mut given = Tail::new(*fewest, self.n - first, (worse / (1.0 - better)).min(1.0));
        let mut sum = 0.0;
        for (c, fewest) in (first..=*range.end()).zip(border) {
            given.move_to(*fewest, self.n - c);
            sum += weight * given.tail.clamp(0.0, 1.0);
            weight *= (self.n - c) as f64 / (c + 1) as f64 * (better / (1.0 - better));
        }
        sum
    }
}

/// P(X ≥ k) and P(X = k) for X binomial(n, p), from one (k, n) to the next by their recurrences.
struct Tail {
    k: u64,
    n: u64,
    p: f64,
    tail: f64,
    pmf: f64,
}

impl Tail {
    fn new(k: u64, n: u64, p: f64) -> Self {
        let tail = match k {
            0 => 1.0,
            k if k > n => 0.0,
            k => beta_inc(k as f64, (n - k + 1) as f64, p, 1.0 - p),
        };
        Self { k, n, p, tail, pmf: binomial_pmf(k, n, p) }
    }

    /// To no fewer hits out of no more trials.
    fn move_to(&mut self, k: u64, n: u64) {
        // Without misses the recurrence would divide by zero; that is no table to save time on.
        if self.p >= 1.0 - 1e-12 {
            *self = Self::new(k, n, self.p);
        }
        while self.n > n {
            let (hits, trials) = (self.k as f64, self.n as f64);
            // P(X = k − 1) of one trial fewer is the share of P(X = k) that the last trial hit.
            if self.k > 0 && self.p > 0.0 {
                self.tail -= self.pmf * hits / trials;
            }
            self.pmf *= (trials - hits).max(0.0) / (trials * (1.0 - self.p));
            self.n -= 1;
        }
        while self.k < k {
            let (hits, trials) = (self.k as f64, self.n as f64);
            self.tail -= self.pmf;
            self.pmf *= (trials - hits).max(0.0) / (hits + 1.0) * self.p / (1.0 - self.p);
            self.k += 1;
        }
    }
}

fn binomial_pmf(k: u64, n: u64, p: f64) -> f64 {
    let impossible = k > n || (p <= 0.0 && k > 0) || (p >= 1.0 && k < n);
    if impossible {
        return 0.0;
    }
    let ln_factorial = |k: u64| libm::lgamma(k as f64 + 1.0);
    let ways = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let of_hits = if k == 0 { 0.0 } else { k as f64 * p.ln() };
    let of_misses = if k == n { 0.0 } else { (n - k) as f64 * (-p).ln_1p() };
    (ways + of_hits + of_misses).exp()
}

/// Bounds of `d`, each one-sided at `alpha`, where the p-values meet it. `around` is an interval to start from.
pub fn interval(counts: PairedCounts, alpha: f64, around: (f64, f64)) -> (f64, f64) {
    let estimate = counts.estimate();
    let lower = search(estimate, around.0, -1.0, |margin| p_worse(counts, margin) > alpha);
    let upper = search(estimate, around.1, 1.0, |margin| p_fine(counts, margin) > alpha);
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
                let got = Border::new(counts, margin, 0..=n).tail(p, q);
                let expected = direct(n, p, q, counts, margin);
                assert!((got - expected).abs() < 1e-12, "{counts:?} {psi}: {got} {expected}");
            }
        }
    }

    #[test]
    fn with_many_pairs_it_is_near_the_scores_and_no_smaller_where_claims_are_decided() {
        for (worse, better, n) in [(115, 85, 1_000), (1_080, 920, 10_000), (140, 60, 4_000), (2_600, 2_400, 50_000)] {
            let counts = PairedCounts { worse, better, n };
            for margin in [0.002, 0.005, 0.01] {
                let (exact, rough) = (p_values(counts, margin), counts.p_values(margin));
                for (exact, rough) in [(exact.0, rough.0), (exact.1, rough.1)] {
                    let ratio = exact / rough;
                    assert!(rough < 1e-4 || (0.9..1.5).contains(&ratio), "{counts:?} {margin}: {exact} {rough}");
                }
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
