//! Distributions: normal, Student's t, binomial at one half; over the regularised incomplete beta.

use std::f64::consts::{PI, SQRT_2};

/// Φ(x), from `erfc`, so that far tails keep their relative precision.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}

/// Φ⁻¹(p): Abramowitz & Stegun 26.2.23 as a start, then Halley's steps on `erfc`.
pub fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    let t = (-2.0 * p.ln()).sqrt();
    let numerator = 2.515517 + t * (0.802853 + t * 0.010328);
    let denominator = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    let mut x = numerator / denominator - t;
    for _ in 0..4 {
        let density = (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
        let step = (normal_cdf(x) - p) / density;
        x -= step / (1.0 + 0.5 * x * step);
    }
    x
}

/// ln Γ(x) − its leading Stirling terms: `(x − ½) ln x − x + ½ ln 2π`. For x ≥ 10 by the series of
/// DLMF 5.11.1, which does not cancel.
fn stirling_remainder(x: f64) -> f64 {
    if x < 10.0 {
        return libm::lgamma(x) - (x - 0.5) * x.ln() + x - 0.5 * (2.0 * PI).ln();
    }
    let r = 1.0 / (x * x);
    (1.0 / 12.0
        - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r * (1.0 / 1680.0 - r * (1.0 / 1188.0 - r * 691.0 / 360_360.0)))))
        / x
}

/// `xᵃ yᵇ / B(a, b)` with `y = 1 − x`, in the form of Loader (2000), "Fast and accurate computation of
/// binomial probabilities": the large logarithms cancel before they are formed.
fn beta_front(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let sum = a + b;
    let deviation = |count: f64, share: f64| {
        let ratio = share * sum / count;
        let near_one = (0.5..1.5).contains(&ratio);
        count * if near_one { ((share * sum - count) / count).ln_1p() } else { ratio.ln() }
    };
    let remainder = stirling_remainder(sum) - stirling_remainder(a) - stirling_remainder(b);
    (deviation(a, x) + deviation(b, y) + remainder).exp() * (a * b / (sum * 2.0 * PI)).sqrt()
}

/// The regularised incomplete beta Iₓ(a, b), with `y = 1 − x` given so that it keeps its precision
/// near x = 1. Continued fraction DLMF 8.17.22 by Lentz's method.
pub fn beta_inc(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    // The fraction converges fast on this side of the mean; the other side is its reflection.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_inc_fraction(b, a, y, x);
    }
    beta_inc_fraction(a, b, x, y)
}

fn beta_inc_fraction(a: f64, b: f64, x: f64, y: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..200_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        let delta = d * c;
        fraction *= delta;
        if (delta - 1.0).abs() < 1e-16 {
            break;
        }
    }
    beta_front(a, b, x, y) * fraction / a
}

/// P(T > t) of Student's t with `df` degrees of freedom.
pub fn t_upper(t: f64, df: f64) -> f64 {
    if t.is_infinite() {
        return if t > 0.0 { 0.0 } else { 1.0 };
    }
    let square = t * t;
    let tail = 0.5 * beta_inc(0.5 * df, 0.5, df / (df + square), square / (df + square));
    if t >= 0.0 { tail } else { 1.0 - tail }
}

/// The t with P(T > t) = p.
pub fn t_upper_quantile(p: f64, df: f64) -> f64 {
    if p > 0.5 {
        return -t_upper_quantile(1.0 - p, df);
    }
    // Doubling brackets the root; the normal quantile is always below it.
    let mut low = -normal_quantile(p);
    let mut high = low.max(1.0);
    while t_upper(high, df) > p && high < 1e300 {
        low = high;
        high *= 2.0;
    }
    bisect(low, high, |t| t_upper(t, df) > p)
}

/// P(X ≥ k) for X binomial with `n` trials and probability one half.
pub fn binomial_half_upper(k: u64, n: u64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    beta_inc(k as f64, (n - k + 1) as f64, 0.5, 0.5)
}

/// The point in `[low, high]` where `left_of_it` turns from true to false, to the last bit.
pub fn bisect(mut low: f64, mut high: f64, left_of_it: impl Fn(f64) -> bool) -> f64 {
    loop {
        let middle = low + 0.5 * (high - low);
        if middle <= low || middle >= high {
            return middle;
        }
        if left_of_it(middle) { low = middle } else { high = middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(got: f64, expected: f64) {
        assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1e-3), "{got} is not {expected}");
    }

    #[test]
    fn textbook_values() {
        near(normal_quantile(0.975), 1.959963984540054);
        near(normal_quantile(0.05), -1.6448536269514722);
        near(normal_cdf(1.0), 0.8413447460685429);
        // With one degree of freedom t is Cauchy's: P(T > 1) = 1/4; with two, P(T > √2) has a closed form.
        near(t_upper(1.0, 1.0), 0.25);
        near(t_upper(SQRT_2, 2.0), 0.5 * (1.0 - (0.5f64).sqrt()));
        near(t_upper_quantile(0.25, 1.0), 1.0);
        near(binomial_half_upper(8, 10), 56.0 / 1024.0);
        near(binomial_half_upper(1, 1), 0.5);
    }

    #[test]
    fn quantiles_invert_their_distributions() {
        for p in [1e-12, 1e-6, 0.001, 0.05, 0.3, 0.5, 0.7, 0.999] {
            near(normal_cdf(normal_quantile(p)), p);
            for df in [1.0, 2.5, 9.0, 99.0, 1e4, 1e6] {
                // The fraction loses digits as df grows: about 5e-11 at a million.
                let back = t_upper(t_upper_quantile(p, df), df);
                assert!((back - p).abs() <= 1e-9 * p, "{back} is not {p} for {df}");
            }
        }
    }
}
