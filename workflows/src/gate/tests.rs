//! The gate from the outside: policies and sides in, verdicts out.

mod bad_input;

use super::*;

/// A rule as a workflow file would hold it.
fn rule(metric: &str, fields: &[(&str, &str)]) -> Rule {
    let fields: Vec<(String, String)> = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Policy::rule(metric, &fields).unwrap()
}

fn policy(rules: Vec<Rule>) -> Policy {
    Policy { rules, defaults: Defaults::default() }
}

/// A classifier's evaluation: `right(i)` says whether example i of `n` is answered correctly.
fn classifier(n: usize, right: impl Fn(usize) -> bool) -> Side {
    let examples: Vec<Example> = (0..n)
        .map(|i| Example {
            id: i.to_string(),
            target: (i % 3).to_string(),
            prediction: if right(i) { i % 3 } else { (i + 1) % 3 }.to_string(),
            values: [("accuracy".to_owned(), f64::from(u8::from(right(i))))].into(),
            slice: Some(if i % 4 == 0 { "night" } else { "day" }.to_owned()),
            ..Example::default()
        })
        .collect();
    let mean = |examples: Vec<&Example>| {
        examples.iter().map(|example| example.values["accuracy"]).sum::<f64>() / examples.len() as f64
    };
    let of_slice = |slice: &str| examples.iter().filter(|e| e.slice.as_deref() == Some(slice)).collect::<Vec<_>>();
    let slices =
        ["day", "night"].map(|slice| (slice.to_owned(), [("accuracy".to_owned(), mean(of_slice(slice)))].into()));
    let mut metrics: std::collections::BTreeMap<_, _> = recomputed_metrics(&examples).into_iter().collect();
    metrics.insert("accuracy".to_owned(), mean(examples.iter().collect()));
    Side {
        name: "eval".to_owned(),
        job: "test".to_owned(),
        metrics,
        slices: slices.into(),
        examples,
        ..Side::default()
    }
}

#[track_caller]
fn only(verdict: &Verdict) -> &RuleVerdict {
    assert_eq!(verdict.rules.len(), 1, "{:#?}", verdict.rules);
    &verdict.rules[0]
}

fn drop_of(allowed: &str) -> Policy {
    policy(vec![rule("accuracy", &[("max-drop", allowed)])])
}

#[test]
fn a_clear_regression_fails_and_says_by_how_much() {
    let base = classifier(1000, |i| i % 20 != 0);
    let head = classifier(1000, |i| i % 10 != 0);
    let verdict = judge(&drop_of("0.5pp"), &[head], Some(&[base]));
    let line = only(&verdict);
    assert_eq!((verdict.verdict, line.verdict, line.test.as_str()), (Answer::Fail, Answer::Fail, "tango-exact"));
    assert_eq!(line.discordant, Some(Discordant { worse: 50, better: 0 }));
    assert!(line.p.unwrap() < 1e-4 && line.interval.unwrap().1 < -0.03);
    assert!(line.reason.starts_with("accuracy fell from 0.9500 to 0.9000, by 5.00 pp"), "{}", line.reason);
    assert_eq!(verdict.flipped, Discordant { worse: 50, better: 0 });
    assert!(verdict.flips.len() == 50 && verdict.flips.iter().all(|flip| flip.worse));
}

#[test]
fn a_small_change_under_many_examples_passes() {
    let base = classifier(20_000, |i| i % 20 != 0);
    let head = classifier(20_000, |i| i % 20 != 1);
    let verdict = judge(&drop_of("1pp"), &[head], Some(&[base]));
    assert_eq!(only(&verdict).verdict, Answer::Pass, "{}", only(&verdict).reason);
}

#[test]
fn few_examples_cannot_tell_and_say_how_many_would() {
    let base = classifier(100, |i| i % 20 != 0);
    let head = classifier(100, |i| i % 20 != 1 && i != 50);
    let verdict = judge(&drop_of("0.5pp"), &[head], Some(&[base]));
    let line = only(&verdict);
    assert_eq!((verdict.verdict, line.verdict), (Answer::Inconclusive, Answer::Inconclusive));
    assert!(line.needed.is_some_and(|needed| needed > 100), "{line:?}");
    assert!(line.detectable.unwrap() > 0.005);
}

#[test]
fn identical_outcomes_pass_even_where_nothing_is_allowed() {
    let side = classifier(50, |i| i % 7 != 0);
    let verdict = judge(&drop_of("0"), std::slice::from_ref(&side), Some(std::slice::from_ref(&side)));
    assert_eq!((only(&verdict).verdict, only(&verdict).test.as_str()), (Answer::Pass, "identical"));
    assert!(verdict.flips.is_empty());
}

#[test]
fn no_baseline_is_never_a_pass() {
    let side = classifier(50, |_| true);
    assert_eq!(judge(&drop_of("1pp"), std::slice::from_ref(&side), None).verdict, Answer::NoBaseline);
    let other = Side { name: "other".to_owned(), ..side.clone() };
    assert_eq!(judge(&drop_of("1pp"), std::slice::from_ref(&side), Some(&[other])).verdict, Answer::NoBaseline);
    let elsewhere = Side { like: [("the device".to_owned(), "H100".to_owned())].into(), ..side.clone() };
    let verdict = judge(&drop_of("1pp"), &[side], Some(&[elsewhere]));
    assert_eq!(verdict.verdict, Answer::NoBaseline);
    assert!(only(&verdict).reason.contains("the device is none on the head and H100 on the base"));
}

#[test]
fn an_unknown_metric_fails_with_the_names_that_exist() {
    let side = classifier(50, |_| true);
    let verdict = judge(&policy(vec![rule("acuracy", &[("min", "0.9")])]), std::slice::from_ref(&side), None);
    assert_eq!(verdict.verdict, Answer::Fail);
    assert!(
        only(&verdict).reason.contains("`acuracy`; there are accuracy, accuracy[slice=day]"),
        "{}",
        only(&verdict).reason
    );
}

#[test]
fn slices_and_qualifiers_choose_what_is_judged() {
    let base = classifier(2000, |i| i % 50 != 0);
    let head = classifier(2000, |i| i % 50 != 0 && i % 8 != 0);
    let rules = vec![
        rule("accuracy[slice=night]", &[("max-drop", "2pp")]),
        rule("accuracy[slice=day]", &[("max-drop", "2pp")]),
        rule("test/accuracy", &[("min", "0.5")]),
        rule("eval-gpu/accuracy", &[("min", "0.5")]),
    ];
    let verdict = judge(&policy(rules), &[head], Some(&[base]));
    let answers: Vec<Answer> = verdict.rules.iter().map(|line| line.verdict).collect();
    assert_eq!(answers, [Answer::Fail, Answer::Pass, Answer::Pass, Answer::Fail]);
    assert_eq!(verdict.rules[0].n, 500);
}

#[test]
fn absolute_bounds_need_no_baseline() {
    let side = classifier(100, |i| i % 10 != 0);
    let rules = vec![rule("accuracy", &[("min", "0.9")]), rule("accuracy", &[("min", "0.91")])];
    let verdict = judge(&policy(rules), &[side], None);
    assert_eq!((verdict.rules[0].verdict, verdict.rules[1].verdict), (Answer::Pass, Answer::Fail));
    assert_eq!(verdict.rules[1].reason, "accuracy is 0.9000, below the 0.9100 that are asked for");
}

#[test]
fn model_bytes_are_plain_numbers() {
    let with_size = |bytes: f64| Side { metrics: [("model_bytes".to_owned(), bytes)].into(), ..Side::default() };
    let policy = policy(vec![rule("model_bytes", &[("max", "5MB"), ("max-increase", "5%")])]);
    let verdict = judge(&policy, &[with_size(4.3e6)], Some(&[with_size(4.0e6)]));
    assert_eq!((verdict.rules[0].verdict, verdict.rules[1].verdict), (Answer::Pass, Answer::Fail));
    assert_eq!(
        verdict.rules[1].reason,
        "model_bytes rose from 4.00 MB to 4.30 MB, by 300.00 kB; a rise of 200.00 kB is allowed"
    );
}

#[test]
fn a_metric_that_is_no_mean_is_bootstrapped() {
    let policy = policy(vec![rule("f1_macro", &[("max-drop", "1pp")])]);
    let base = classifier(1500, |i| i % 20 != 0);
    let worse = judge(&policy, &[classifier(1500, |i| i % 8 != 0)], Some(std::slice::from_ref(&base)));
    assert_eq!((only(&worse).verdict, only(&worse).test.as_str()), (Answer::Fail, "bootstrap-bca"));
    let same = judge(&policy, &[classifier(1500, |i| i % 20 != 0 || i == 40)], Some(std::slice::from_ref(&base)));
    assert_eq!(only(&same).verdict, Answer::Pass);
}

#[test]
fn scores_for_each_example_get_the_paired_t() {
    let scored = |shift: f64| {
        let value = |i: usize| ((i * 37) % 100) as f64 / 100.0 + shift * ((i * 11) % 7) as f64;
        let examples: Vec<Example> = (0..400)
            .map(|i| Example {
                id: i.to_string(),
                values: [("bleu".to_owned(), value(i))].into(),
                ..Example::default()
            })
            .collect();
        let mean = examples.iter().map(|e| e.values["bleu"]).sum::<f64>() / 400.0;
        Side { metrics: [("bleu".to_owned(), mean)].into(), examples, ..Side::default() }
    };
    let policy = policy(vec![rule("bleu", &[("max-drop", "0.05")])]);
    let verdict = judge(&policy, &[scored(-0.03)], Some(&[scored(0.0)]));
    assert_eq!((only(&verdict).verdict, only(&verdict).test.as_str()), (Answer::Fail, "paired-t"));
    let verdict = judge(&policy, &[scored(-0.001)], Some(&[scored(0.0)]));
    assert_eq!(only(&verdict).verdict, Answer::Pass);
}

#[test]
fn the_family_is_corrected() {
    // A change that is significant alone, among 20 others that differ by chance.
    let base = classifier(2000, |i| i % 20 != 0);
    let head = classifier(2000, |i| i % 20 != 0 && i % 400 != 1);
    let alone = judge(&drop_of("0"), std::slice::from_ref(&head), Some(std::slice::from_ref(&base)));
    assert_eq!(only(&alone).verdict, Answer::Fail);
    let many: Vec<Rule> = (0..20).map(|_| rule("accuracy", &[("max-drop", "0")])).collect();
    let family = judge(&policy(many), &[head], Some(&[base]));
    assert!(family.rules.iter().all(|line| line.verdict == Answer::Inconclusive), "{:?}", family.rules[0]);
    assert!(family.rules[0].reason.contains("among 20 comparisons"));
}

#[test]
fn the_same_model_with_other_answers_is_nondeterminism() {
    let model = |side: Side| Side { model: "sha256:1".to_owned(), ..side };
    let (base, head) = (model(classifier(100, |_| true)), model(classifier(100, |i| i > 30)));
    let verdict = judge(&drop_of("0.5pp"), &[head], Some(&[base]));
    assert_eq!(verdict.verdict, Answer::Inconclusive);
    assert_eq!(verdict.nondeterministic, [Nondeterminism { evaluation: "eval".to_owned(), examples: 31 }]);
    assert!(only(&verdict).reason.contains("not deterministic"));
}

#[test]
fn hostile_outcomes_do_not_pass() {
    let base = classifier(100, |_| true);
    let judged = |head: Side| judge(&drop_of("5pp"), &[head], Some(std::slice::from_ref(&base))).verdict;
    let mut left_out = classifier(100, |_| true);
    left_out.examples.truncate(60);
    assert_eq!(judged(left_out), Answer::Fail);
    let mut nan = classifier(100, |_| true);
    nan.examples[3].values.insert("accuracy".to_owned(), f64::NAN);
    assert_eq!(judged(nan), Answer::Fail);
    let mut infinite = classifier(100, |_| true);
    infinite.metrics.insert("accuracy".to_owned(), f64::INFINITY);
    assert_eq!(judged(infinite), Answer::Fail);
    let mut doubled = classifier(100, |_| true);
    doubled.examples[1] = doubled.examples[0].clone();
    assert_eq!(judged(doubled), Answer::Fail);
    let mut empty = classifier(100, |_| true);
    empty.examples.clear();
    assert_eq!(judged(empty), Answer::Fail);
}

#[test]
fn groups_widen_the_interval() {
    let grouped = |side: Side| {
        let examples = side.examples.into_iter().enumerate();
        let examples = examples.map(|(i, e)| Example { group: Some((i / 50).to_string()), ..e }).collect();
        Side { examples, ..side }
    };
    let base = classifier(1000, |_| true);
    // One whole group went wrong: as many examples as a regression, and one event.
    let head = classifier(1000, |i| !(100..150).contains(&i));
    let plain = judge(&drop_of("1pp"), std::slice::from_ref(&head), Some(std::slice::from_ref(&base)));
    assert_eq!(plain.verdict, Answer::Fail);
    let verdict = judge(&drop_of("1pp"), &[grouped(head)], Some(&[grouped(base)]));
    assert_eq!((verdict.verdict, only(&verdict).test.as_str()), (Answer::Inconclusive, "paired-t-cluster"));
}

/// A benchmark of `n` blocks around `latency` ms, with noise and a drift that both sides share.
fn benchmark(n: usize, latency: f64) -> Side {
    let block = |i: usize| latency * (1.0 + 0.02 * ((i * 7919) % 13) as f64 / 13.0 + 0.01 * (i / 10) as f64);
    let blocks: Vec<f64> = (0..n).map(block).collect();
    Side {
        name: "bench".to_owned(),
        metrics: [("latency_p50".to_owned(), blocks[n / 2]), ("latency_p99".to_owned(), latency * 1.2)].into(),
        blocks: [("latency_p50".to_owned(), blocks)].into(),
        samples: [("latency".to_owned(), (0..1000).map(|i| latency * (0.9 + 0.0003 * f64::from(i))).collect())].into(),
        ..Side::default()
    }
}

#[test]
fn benchmarks_are_judged_by_interleaved_blocks() {
    let policy = policy(vec![rule("latency_p50", &[("max-increase", "5%")])]);
    let judged = |head: Side, base: Side| judge(&policy, &[head], Some(&[base]));
    let slower = judged(benchmark(20, 11.0), benchmark(20, 10.0));
    assert_eq!((only(&slower).verdict, only(&slower).test.as_str()), (Answer::Fail, "hodges-lehmann"));
    let (low, high) = only(&slower).interval.unwrap();
    assert!(low > 0.9 && high < 1.2, "{low} {high}");
    assert_eq!(judged(benchmark(20, 10.1), benchmark(20, 10.0)).verdict, Answer::Pass);
    let few = judged(benchmark(3, 11.0), benchmark(3, 10.0));
    assert_eq!(few.verdict, Answer::Inconclusive, "{}", only(&few).reason);
    // What bounds nothing must still be read back from the store.
    let stored = serde_json::to_string(&few).unwrap();
    assert_eq!(serde_json::from_str::<Verdict>(&stored).unwrap(), few);
}

#[test]
fn a_benchmark_that_took_no_turns_with_its_base_has_no_baseline() {
    let alone = |latency: f64| Side { blocks: [].into(), ..benchmark(20, latency) };
    let policy = policy(vec![rule("latency_p50", &[("max-increase", "5%")])]);
    let verdict = judge(&policy, &[alone(11.0)], Some(&[alone(10.0)]));
    assert_eq!(verdict.verdict, Answer::NoBaseline, "{verdict:#?}");
    assert!(only(&verdict).reason.contains("in turns"), "{verdict:#?}");
}

#[test]
fn a_quantile_is_bounded_by_counting() {
    let judged = |limit: &str| {
        let policy = policy(vec![rule("latency_p99", &[("max", limit)])]);
        judge(&policy, &[benchmark(5, 10.0)], None).verdict
    };
    // Measurements run evenly from 9 to 12 ms.
    assert_eq!(judged("12ms"), Answer::Pass);
    assert_eq!(judged("11.97ms"), Answer::Inconclusive);
    assert_eq!(judged("11ms"), Answer::Fail);
}

#[test]
fn what_a_repetition_measures_anew_is_judged_as_one_look_of_several() {
    // Where one in a hundred is above, P(X ≤ 3) is 0.010 and P(X ≤ 4) is 0.029.
    let judged = |over: usize, repetitions: u32| {
        let samples = (0..1_000).map(|i| if i < over { 25.0 } else { 5.0 }).collect();
        let bench = Side { samples: [("latency".to_owned(), samples)].into(), ..benchmark(8, 5.0) };
        let policy = policy(vec![rule("latency_p99", &[("max", "20ms")])]);
        let defaults = Defaults { repetitions, ..policy.defaults };
        judge(&Policy { defaults, ..policy }, &[bench], None).verdict
    };
    assert_eq!([judged(4, 0), judged(4, 1), judged(3, 1)], [Answer::Pass, Answer::Inconclusive, Answer::Pass]);
    // P(X ≥ 16) is 0.048 and P(X ≥ 18) is 0.014.
    assert_eq!([judged(16, 0), judged(16, 1), judged(18, 1)], [Answer::Fail, Answer::Inconclusive, Answer::Fail]);

    // What could be told, and what more would tell, is about one such look as well.
    let told = |repetitions: u32| {
        let wave =
            |by: f64| (0..24).map(move |i| 10.0 * (1.0 + by) + 0.4 * f64::from((i * 7) % 11)).collect::<Vec<_>>();
        let base = Side { blocks: [("latency_p50".to_owned(), wave(0.0))].into(), ..benchmark(8, 10.0) };
        let mut head = Side { blocks: [("latency_p50".to_owned(), wave(0.05))].into(), ..benchmark(8, 10.5) };
        head.blocks.get_mut("latency_p50").unwrap().rotate_left(5);
        let policy = policy(vec![rule("latency_p50", &[("max-increase", "10%")])]);
        let defaults = Defaults { repetitions, ..policy.defaults };
        let verdict = judge(&Policy { defaults, ..policy }, &[head], Some(&[base]));
        let line = only(&verdict);
        let z = stats::special::normal_quantile;
        let (level, (low, high)) = (0.05 / (1.0 + f64::from(repetitions)), line.interval.unwrap());
        let error = (high - low) / (2.0 * z(1.0 - level));
        let expected = 0.1 * line.base.unwrap() + (z(1.0 - level) + z(0.8)) * error;
        assert!((line.detectable.unwrap() - expected).abs() < 1e-9, "{expected} {line:#?}");
        line.needed
    };
    let (once, twice) = (told(0), told(1));
    assert!(once.is_some() && twice > once, "{once:?} {twice:?}");
}

#[test]
fn single_numbers_are_judged_against_their_history() {
    let number = |value: f64| Side { metrics: [("bleu".to_owned(), value)].into(), ..Side::default() };
    let history = vec![30.1, 29.8, 30.3, 30.0, 29.9, 30.2, 30.1];
    let base = Side { history: [("bleu".to_owned(), history)].into(), ..number(30.1) };
    let by_history = policy(vec![rule("bleu", &[("max-drop", "0.3"), ("test", "history")])]);
    let judged = |value: f64| judge(&by_history, &[number(value)], Some(std::slice::from_ref(&base)));
    assert_eq!((only(&judged(28.0)).verdict, only(&judged(28.0)).test.as_str()), (Answer::Fail, "history"));
    assert_eq!(judged(30.6).verdict, Answer::Pass);
    assert_eq!(judged(29.6).verdict, Answer::Inconclusive);
    let young = judge(&by_history, &[number(30.0)], Some(&[number(30.0)]));
    assert_eq!(young.verdict, Answer::NoBaseline);
    let plain = policy(vec![rule("bleu", &[("max-drop", "0.3")])]);
    assert_eq!(judge(&plain, &[number(28.0)], Some(&[number(30.0)])).verdict, Answer::Inconclusive);
}

#[test]
fn metrics_over_scores_are_recomputed_and_bootstrapped() {
    let regressor = |noise: f64| {
        let example = |i: usize| {
            let (target, error) = ((i % 17) as f64, noise * (((i * 31) % 11) as f64 - 5.0));
            Example {
                id: i.to_string(),
                target: target.to_string(),
                prediction: (target + error).to_string(),
                ..Example::default()
            }
        };
        let squared: f64 = (0..300).map(|i| (noise * (((i * 31) % 11) as f64 - 5.0)).powi(2)).sum();
        let rmse = (squared / 300.0).sqrt();
        Side {
            metrics: [("rmse".to_owned(), rmse)].into(),
            examples: (0..300).map(example).collect(),
            ..Side::default()
        }
    };
    let policy = policy(vec![rule("rmse", &[("max-increase", "0.02")])]);
    let worse = judge(&policy, &[regressor(0.12)], Some(&[regressor(0.1)]));
    assert_eq!(
        (only(&worse).verdict, only(&worse).test.as_str()),
        (Answer::Fail, "bootstrap-bca"),
        "{:?}",
        only(&worse)
    );
    assert_eq!(judge(&policy, &[regressor(0.1001)], Some(&[regressor(0.1)])).verdict, Answer::Pass);
}
