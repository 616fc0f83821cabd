//! The gate's statistics against scipy and statsmodels, which compute the references while the test runs.

use std::path::Path;

use serde_json::{Value, json};
use workflows::gate::{
    Answer, Defaults, Example, Policy, RuleVerdict, Side, judge,
    stats::{
        bootstrap::{self, Plan, Stratum},
        history::excess,
        hodges_lehmann::Shift,
        mcnemar, multiple, paired_t, quantile,
        random::Random,
        share::clopper_pearson,
        special::{beta_inc, binomial_half_upper, normal_cdf, normal_quantile, t_upper, t_upper_quantile},
        tango::PairedCounts,
        unconditional,
    },
};

use crate::python;

/// Questions to both sides, and our answers.
#[derive(Default)]
struct Cases {
    asked: Vec<Value>,
    ours: Vec<Vec<f64>>,
    /// Greatest difference of a case's numbers; none: a billionth of each.
    error: Vec<Option<f64>>,
}

impl Cases {
    fn ask(&mut self, function: &str, arguments: Value, ours: &[f64]) {
        self.asked.push(json!([function, arguments]));
        self.ours.push(ours.to_vec());
        self.error.push(None);
    }

    /// Of numbers that we draw: they may be off by as much.
    fn ask_within(&mut self, error: f64, function: &str, arguments: Value, ours: &[f64]) {
        self.ask(function, arguments, ours);
        self.error.pop();
        self.error.push(Some(error));
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
    groups_drawn_whole(&mut cases);
    what_is_detectable_and_needed(&mut cases);
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
    for (((asked, ours), error), references) in cases.asked.iter().zip(&cases.ours).zip(&cases.error).zip(&references) {
        assert_eq!(ours.len(), references.len(), "{asked}");
        for (ours, reference) in ours.iter().zip(references) {
            // Relative, so that far tails are compared too.
            let scale = if *reference == 0.0 { 1.0 } else { reference.abs() };
            if (ours - reference).abs() > error.unwrap_or(1e-9 * scale) {
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

/// Resamples of the mean over the examples of groups that are drawn whole, so that their number varies.
fn drawn_whole(values: &[Vec<f64>], resamples: usize) -> bootstrap::Distribution {
    let mut examples = 0..;
    let clusters = values.iter().map(|group| examples.by_ref().take(group.len()).collect()).collect();
    let all: Vec<f64> = values.iter().flatten().copied().collect();
    let strata = vec![Stratum { cells: (0..values.len() as u32).collect() }];
    let plan = Plan { cell_count: all.len(), strata, clusters: Some(clusters), resamples, threads: 2, seed: 21 };
    bootstrap::run(&plan, |counts| {
        let sum: f64 = all.iter().zip(counts).map(|(value, count)| value * f64::from(*count)).sum();
        sum / f64::from(counts.iter().sum::<u32>())
    })
}

fn groups_drawn_whole(cases: &mut Cases) {
    // Few enough that all 3,125 ways of drawing five again can be counted.
    let values = [vec![0.9, 0.1, 0.4], vec![-0.3], vec![0.2, 0.25, -0.7, 0.1], vec![1.4, -0.2], vec![0.05, 0.3]];
    let resamples = 200_000;
    let found = drawn_whole(&values, resamples);
    // Between the means that come up.
    let limits = [-0.2137, -0.0519, 0.0523, 0.1037, 0.2041, 0.3011, 0.4519, 0.6007];
    let below = |limit: &f64| found.resampled.partition_point(|value| value <= limit) as f64 / resamples as f64;
    let shares: Vec<f64> = limits.iter().map(below).collect();
    // 4.5 standard errors of a share.
    cases.ask_within(4.5 * (0.25 / resamples as f64).sqrt(), "group_shares", json!([values, limits]), &shares);

    let values: Vec<Vec<f64>> = (0..30).map(|g| draws(100 + g, 1 + g as usize % 7)).collect();
    let found = drawn_whole(&values, 4_000);
    let (low, high) = found.interval(ALPHA);
    cases.ask("group_bca", json!([values, found.resampled, ALPHA]), &[low, high, found.standard_error()]);
}

/// Outcomes of head and base, judged by one rule that cannot be decided: its line.
fn undecided(metric: &str, bound: (&str, &str), repetitions: u32, head: Side, base: Side) -> RuleVerdict {
    let rule = Policy::rule(metric, &[(bound.0.to_owned(), bound.1.to_owned())]).unwrap();
    let defaults = Defaults { repetitions, ..Defaults::default() };
    let verdict = judge(&Policy { rules: vec![rule], defaults }, &[head], Some(&[base]));
    assert_eq!(verdict.verdict, Answer::Inconclusive, "{verdict:#?}");
    verdict.rules[0].clone()
}

/// Scores of examples under the metric's name, with groups where there are some.
fn scored(metric: &str, scores: &[f64], groups: &[u32]) -> Side {
    let example = |(i, score): (usize, &f64)| Example {
        id: i.to_string(),
        target: "7".to_owned(),
        prediction: if *score == 1.0 { "7" } else { "1" }.to_owned(),
        values: [(metric.to_owned(), *score)].into(),
        group: groups.get(i).map(u32::to_string),
        ..Example::default()
    };
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    Side {
        metrics: [(metric.to_owned(), mean)].into(),
        examples: scores.iter().enumerate().map(example).collect(),
        ..Side::default()
    }
}

fn told(line: &RuleVerdict) -> [f64; 2] {
    [line.detectable.unwrap(), line.needed.unwrap() as f64]
}

/// Sample sizes and smallest changes for a power of 0.8, as the lines of a verdict tell them.
fn what_is_detectable_and_needed(cases: &mut Cases) {
    let mut random = Random::new(22);
    for (n, shift, margin) in [(60, 0.02, 0.0), (400, 0.015, 0.01)] {
        let base: Vec<f64> = (0..n).map(|_| random.uniform()).collect();
        let head: Vec<f64> = base.iter().map(|score| score - shift - 0.15 * random.normal()).collect();
        let line = undecided(
            "bertscore",
            ("max-drop", &margin.to_string()),
            1,
            scored("bertscore", &head, &[]),
            scored("bertscore", &base, &[]),
        );
        assert_eq!(line.test, "paired-t");
        let drops: Vec<f64> = base.iter().zip(&head).map(|(base, head)| base - head).collect();
        cases.ask("sample_size", json!([drops, margin, ALPHA, 0.8]), &told(&line));
    }

    let groups: Vec<u32> = (0..300).map(|i| i % 40).collect();
    let common: Vec<f64> = (0..40).map(|_| 0.05 * random.normal()).collect();
    let base: Vec<f64> = groups.iter().map(|_| random.uniform()).collect();
    let head: Vec<f64> = base
        .iter()
        .zip(&groups)
        .map(|(score, g)| score - 0.012 - common[*g as usize] - 0.05 * random.normal())
        .collect();
    let line = undecided(
        "bertscore",
        ("max-drop", "0"),
        1,
        scored("bertscore", &head, &groups),
        scored("bertscore", &base, &groups),
    );
    assert_eq!(line.test, "paired-t-cluster");
    let drops: Vec<f64> = base.iter().zip(&head).map(|(base, head)| base - head).collect();
    cases.ask("sample_size_of_groups", json!([drops, groups, 0.0, ALPHA, 0.8]), &told(&line));

    for (worse, better, n, margin) in [(60, 45, 1_000, "0"), (30, 14, 1_000, "1pp")] {
        let right = |wrong: std::ops::Range<usize>| -> Vec<f64> {
            (0..n).map(|i| if wrong.contains(&i) { 0.0 } else { 1.0 }).collect()
        };
        let (head, base) = (right(0..worse), right(worse..worse + better));
        let line = undecided(
            "accuracy",
            ("max-drop", margin),
            1,
            scored("accuracy", &head, &[]),
            scored("accuracy", &base, &[]),
        );
        let margin = if margin == "0" { 0.0 } else { 0.01 };
        cases.ask("sample_size_of_pairs", json!([worse, better, n, margin, ALPHA, 0.8]), &told(&line));
    }

    // Each of three looks has a third of alpha.
    for repetitions in [0, 2] {
        let (base, head): (Vec<f64>, Vec<f64>) =
            (0..24).map(|_| (10.0 + random.normal(), 10.3 + random.normal())).unzip();
        let side = |blocks: &[f64]| Side {
            metrics: [("latency_p50".to_owned(), 10.0)].into(),
            blocks: [("latency_p50".to_owned(), blocks.to_vec())].into(),
            ..Side::default()
        };
        let line = undecided("latency_p50", ("max-increase", "0.1ms"), repetitions, side(&head), side(&base));
        let rises: Vec<f64> = head.iter().zip(&base).map(|(head, base)| head - base).collect();
        let alpha = ALPHA / f64::from(repetitions + 1);
        cases.ask("sample_size_of_blocks", json!([rises, 0.1, alpha, 0.8]), &told(&line));

        let samples: Vec<f64> = (0..500).map(|i| if i < 3 { 30.0 } else { 9.0 }).collect();
        let bench = Side { samples: [("latency".to_owned(), samples)].into(), ..side(&[]) };
        let bench = Side { metrics: [("latency_p99".to_owned(), 9.0)].into(), ..bench };
        let line = undecided("latency_p99", ("max", "20ms"), repetitions, bench.clone(), bench);
        cases.ask("sample_size_of_quantile", json!([3, 0.99, alpha]), &[line.needed.unwrap() as f64]);
    }
}
