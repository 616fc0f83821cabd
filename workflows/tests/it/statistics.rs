//! The gate's statistics against scipy and statsmodels, which compute the references while the test runs.

use std::path::Path;

use serde_json::{Value, json};
use workflows::gate::stats::{
    bootstrap::{self, Plan, Stratum},
    history::excess,
    hodges_lehmann::Shift,
    mcnemar, multiple, paired_t, quantile,
    random::Random,
    share::clopper_pearson,
    special::{beta_inc, binomial_half_upper, normal_cdf, normal_quantile, t_upper, t_upper_quantile},
    tango::PairedCounts,
    unconditional,
};

use crate::python;

/// Questions to both sides, and our answers.
#[derive(Default)]
struct Cases {
    asked: Vec<Value>,
    ours: Vec<Vec<f64>>,
}

impl Cases {
    fn ask(&mut self, function: &str, arguments: Value, ours: &[f64]) {
        self.asked.push(json!([function, arguments]));
        self.ours.push(ours.to_vec());
    }
}

const ALPHA: f64 = 0.05;

#[test]
fn statistics_agree_with_scipy_and_statsmodels() {
    let mut cases = Cases::default();
    special_functions(&mut cases);
    paired_proportions(&mut cases);
    means(&mut cases);
    families(&mut cases);
    ranks_histories_and_quantiles(&mut cases);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/statistics.py");
    let input = serde_json::to_string(&cases.asked).unwrap();
    let answer = match python::run(&["scipy", "statsmodels"], &script, &input) {
        Ok(answer) => answer,
        Err(missing) => {
            println!("NOT COMPARED with scipy and statsmodels: {missing}");
            return;
        }
    };
    let references: Vec<Vec<f64>> = serde_json::from_str(&answer).unwrap();
    assert_eq!(references.len(), cases.asked.len());
    let mut wrong = Vec::new();
    for ((asked, ours), references) in cases.asked.iter().zip(&cases.ours).zip(&references) {
        assert_eq!(ours.len(), references.len(), "{asked}");
        for (ours, reference) in ours.iter().zip(references) {
            // Relative, so that far tails are compared too.
            let scale = if *reference == 0.0 { 1.0 } else { reference.abs() };
            if (ours - reference).abs() > 1e-9 * scale {
                let asked: String = asked.to_string().chars().take(120).collect();
                wrong.push(format!("{asked}: {ours:e} is not {reference:e}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.asked.len(), wrong.join("\n"));
    println!("{} comparisons with scipy and statsmodels", cases.asked.len());
}

fn special_functions(cases: &mut Cases) {
    for x in [-37.0, -20.0, -8.3, -3.0, -1e-9, 0.0, 0.5, 1.96, 6.0, 9.0] {
        cases.ask("normal_cdf", json!([x]), &[normal_cdf(x)]);
    }
    for p in [1e-300, 1e-100, 1e-20, 1e-9, 0.0007, 0.05, 0.4999, 0.5, 0.75, 0.999_999] {
        cases.ask("normal_quantile", json!([p]), &[normal_quantile(p)]);
    }
    for df in [1.0, 2.0, 3.7, 9.0, 30.0, 999.0, 99_999.0] {
        for t in [-40.0, -2.0, 0.0, 0.1, 1.7, 5.0, 30.0, 1e3] {
            cases.ask("t_upper", json!([t, df]), &[t_upper(t, df)]);
        }
        for p in [1e-12, 1e-4, 0.05 / 72.0, 0.05, 0.3, 0.9] {
            cases.ask("t_upper_quantile", json!([p, df]), &[t_upper_quantile(p, df)]);
        }
    }
    for (k, n) in [(0, 5), (5, 5), (1, 1), (60, 100), (100, 100), (700, 1_000), (50_500, 100_000), (500_000, 1_000_000)]
    {
        cases.ask("binomial_half_upper", json!([k, n]), &[binomial_half_upper(k, n)]);
    }
    for (a, b, x) in
        [(0.5, 0.5, 0.3), (2.0, 900.0, 1e-4), (1e4, 1e4, 0.49), (5.0, 1.0, 0.999), (3e5, 7e5, 0.3001), (1.0, 1e6, 1e-9)]
    {
        cases.ask("beta_inc", json!([a, b, x]), &[beta_inc(a, b, x, 1.0 - x)]);
    }
}

fn paired_proportions(cases: &mut Cases) {
    for (b, c) in [(1, 0), (5, 0), (3, 3), (12, 4), (0, 9), (77, 45), (1_030, 970), (52_000, 51_000)] {
        let exact = mcnemar::exact(b, c);
        let two_sided = (2.0 * exact.min(mcnemar::exact(c, b))).min(1.0);
        cases.ask("mcnemar", json!([b, c]), &[exact, mcnemar::mid_p(b, c), two_sided]);
    }
    for (worse, better, n) in
        [(12, 4, 100), (3, 1, 40), (40, 40, 200), (9, 2, 300), (150, 90, 1_544), (2_100, 1_900, 100_000)]
    {
        let counts = PairedCounts { worse, better, n };
        for delta in [-0.03, 0.005, 0.05] {
            cases.ask("tango_score", json!([worse, better, n, delta]), &[counts.score(delta)]);
        }
        for alpha in [0.05, 0.025, 0.05 / 72.0] {
            let (lower, upper) = counts.interval(normal_quantile(1.0 - alpha));
            cases.ask("tango_interval", json!([worse, better, n, alpha]), &[lower, upper]);
        }
    }
    for (worse, better, n, margin) in [
        (4, 1, 40, 0.02),
        (0, 0, 30, 0.05),
        (2, 5, 50, -0.03),
        (20, 11, 300, 0.005),
        (100, 60, 900, 0.02),
        (260, 200, 1_200, 0.03),
    ] {
        let counts = PairedCounts { worse, better, n };
        cases.ask("unconditional", json!([worse, better, n, margin]), &[unconditional::p_worse(counts, margin)]);
    }
}

fn draws(seed: u64, n: usize) -> Vec<f64> {
    let mut random = Random::new(seed);
    // Skewed, so that BCa has something to correct.
    (0..n).map(|_| random.normal().exp() - 1.2).collect()
}

fn means(cases: &mut Cases) {
    for (seed, n) in [(1, 2), (2, 9), (3, 40), (4, 1_000)] {
        let differences = draws(seed, n);
        let found = paired_t::independent(&differences).unwrap();
        for margin in [0.0, 0.1, 2.5] {
            let ((p_worse, p_fine), (low, high)) = (found.p_values(margin), found.interval(ALPHA));
            cases.ask("paired_t", json!([differences, margin, ALPHA]), &[p_worse, p_fine, low, high]);
        }
    }
    for (seed, n, group_count) in [(5, 60, 7), (6, 200, 50), (7, 30, 2)] {
        let differences = draws(seed, n);
        // Uneven: the first group has half of the examples.
        let groups: Vec<u32> = (0..n as u32).map(|i| if i % 2 == 0 { 0 } else { i / 2 % group_count }).collect();
        let found = paired_t::clustered(&differences, &groups, group_count as usize).unwrap();
        let ((p_worse, p_fine), (low, high)) = (found.p_values(0.05), found.interval(ALPHA));
        let ours = [found.standard_error, p_worse, p_fine, low, high];
        cases.ask("clustered", json!([differences, groups, 0.05, ALPHA]), &ours);
    }
    for (seed, n) in [(8, 25), (9, 300)] {
        let data = draws(seed, n);
        let strata = vec![Stratum { cells: (0..n as u32).collect() }];
        let plan = Plan { cell_count: n, strata, clusters: None, resamples: 4_000, threads: 2, seed };
        let mean = |counts: &[u32]| data.iter().zip(counts).map(|(x, c)| x * f64::from(*c)).sum::<f64>() / n as f64;
        let found = bootstrap::run(&plan, mean);
        let (low, high) = found.interval(ALPHA);
        let (percentile_low, percentile_high) = found.percentile_interval(ALPHA);
        let ours = [low, high, found.standard_error(), percentile_low, percentile_high];
        cases.ask("bca", json!([data, found.resampled, ALPHA]), &ours);
    }
}

fn families(cases: &mut Cases) {
    let mut random = Random::new(10);
    for size in [1, 2, 10, 72] {
        let p_values: Vec<f64> = (0..size).map(|_| random.uniform().powi(4)).collect();
        cases.ask("holm", json!([p_values]), &multiple::holm(&p_values));
        cases.ask("benjamini_hochberg", json!([p_values]), &multiple::benjamini_hochberg(&p_values));
    }
    let ties = [0.01, 0.01, 0.5, 0.5, 1.0, 0.0];
    cases.ask("holm", json!([ties]), &multiple::holm(&ties));
    cases.ask("benjamini_hochberg", json!([ties]), &multiple::benjamini_hochberg(&ties));
}

fn ranks_histories_and_quantiles(cases: &mut Cases) {
    for (hits, of) in [(0, 1), (0, 72), (1, 1), (3, 240), (19, 120), (500, 10_000)] {
        for gamma in [1e-6, 0.05, 0.2] {
            let (low, high) = clopper_pearson(hits, of, gamma);
            cases.ask("clopper_pearson", json!([hits, of, gamma]), &[low, high]);
        }
    }
    for (seed, n) in [(11, 8), (12, 20), (13, 30)] {
        let differences = draws(seed, n);
        let shift = Shift::new(&differences).unwrap();
        let ((p_worse, p_fine), (low, high)) = (shift.p_values(0.123), shift.interval(ALPHA));
        let ours = [shift.estimate(), p_worse, p_fine, low, high];
        cases.ask("signed_rank", json!([differences, 0.123, ALPHA]), &ours);
    }
    for (seed, n) in [(14, 5), (15, 30)] {
        let history = draws(seed, n);
        let found = excess(&history, 1.5, 1.0).unwrap();
        let (low, high) = found.interval(ALPHA);
        cases.ask("prediction", json!([history, 1.5, ALPHA]), &[low, high, found.mean]);
    }
    for (over, n, q) in [(0, 459, 0.99), (1, 662, 0.99), (30, 1_000, 0.95), (9, 20, 0.5), (300, 20_000, 0.99)] {
        let (p_worse, p_fine) = quantile::p_values(over, n, q);
        cases.ask("quantile", json!([over, n, q]), &[p_worse, p_fine]);
    }
}
