//! What nobody should send, and the sentence that whoever did is told.

use super::{classifier, drop_of, only, policy, rule};
use crate::{
    evaluation::Outcomes,
    gate::{Answer, Example, Policy, Side, judge},
};

/// The answer and its reason for a head and a base under "a drop of 1 pp is allowed".
fn told(head: Side, base: Side) -> (Answer, String) {
    let verdict = judge(&drop_of("1pp"), &[head], Some(&[base]));
    (only(&verdict).verdict, only(&verdict).reason.clone())
}

fn with_examples(change: impl Fn(&mut Vec<Example>)) -> Side {
    let mut side = classifier(100, |i| i % 10 != 0);
    change(&mut side.examples);
    side
}

fn whole() -> Side {
    with_examples(|_| {})
}

#[track_caller]
fn says(got: &(Answer, String), answer: Answer, reason: &str) {
    assert_eq!((got.0, got.1.as_str()), (answer, reason));
}

#[test]
fn ids_that_have_nothing_in_common() {
    let other = with_examples(|examples| examples.iter_mut().for_each(|example| example.id.insert(0, 'x')));
    says(&told(other, whole()), Answer::NoBaseline, "head and base have no example in common");
}

#[test]
fn ids_that_are_there_twice() {
    let doubled = || with_examples(|examples| examples[1].id = "0".to_owned());
    says(&told(doubled(), whole()), Answer::Fail, "the head has two examples with the id `0`");
    says(&told(whole(), doubled()), Answer::NoBaseline, "the base has two examples with the id `0`");
}

#[test]
fn ids_in_another_order() {
    let worse = || classifier(100, |i| i % 10 != 0 && i % 7 != 0);
    let mut reversed = worse();
    reversed.examples.reverse();
    let (got, expected) = (told(reversed, whole()), told(worse(), whole()));
    says(&got, expected.0, &expected.1);
    assert!(expected.1.starts_with("accuracy fell from 0.9000"), "{}", expected.1);
}

#[test]
fn scores_that_are_no_numbers() {
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let example = || {
            with_examples(|examples| {
                examples[3].values.insert("accuracy".to_owned(), wrong);
            })
        };
        let reason = |side: &str| format!("the {side}'s accuracy of example `3` is not a finite number");
        says(&told(example(), whole()), Answer::Fail, &reason("head"));
        says(&told(whole(), example()), Answer::NoBaseline, &reason("base"));
        let metric = || Side { metrics: [("accuracy".to_owned(), wrong)].into(), ..whole() };
        says(&told(metric(), whole()), Answer::Fail, "the head's value is not a finite number");
        says(&told(whole(), metric()), Answer::NoBaseline, "the base's value is not a finite number");
    }
}

#[test]
fn a_side_without_examples() {
    let empty = || with_examples(Vec::clear);
    let reason = "the head has no outcome for 100 of the base's examples (first: `0`)";
    says(&told(empty(), whole()), Answer::Fail, reason);
    let reason = "the base has no outcome for some of the head's examples (first: `0`)";
    says(&told(whole(), empty()), Answer::NoBaseline, reason);
}

/// Examples with one score each.
fn scored(score: impl Fn(usize) -> f64) -> Side {
    let value = |i: usize| [("bleu".to_owned(), score(i))].into();
    let examples: Vec<Example> =
        (0..50).map(|i| Example { id: i.to_string(), values: value(i), ..Example::default() }).collect();
    let mean = (0..50).map(&score).sum::<f64>() / 50.0;
    Side { metrics: [("bleu".to_owned(), mean)].into(), examples, ..Side::default() }
}

#[test]
fn differences_that_do_not_vary() {
    let judged = |allowed: &str| {
        let policy = policy(vec![rule("bleu", &[("max-drop", allowed)])]);
        let verdict = judge(&policy, &[scored(|i| i as f64 - 0.5)], Some(&[scored(|i| i as f64)]));
        (only(&verdict).verdict, only(&verdict).reason.clone())
    };
    let fell = "bleu fell from 24.500 to 24.000, by 0.500; with 95 % confidence the truth is";
    let reason = format!("{fell} at least a drop of 0.500, and a drop of 0.250 is allowed");
    says(&judged("0.25"), Answer::Fail, &reason);
    let reason = format!("{fell} no worse than a drop of 0.500, and a drop of 0.750 is allowed");
    says(&judged("0.75"), Answer::Pass, &reason);
}

#[test]
fn a_metric_that_is_constant() {
    let policy = policy(vec![rule("bleu", &[("max-drop", "0")])]);
    let verdict = judge(&policy, &[scored(|_| 1.0)], Some(&[scored(|_| 1.0)]));
    let got = (only(&verdict).verdict, only(&verdict).reason.clone());
    says(&got, Answer::Pass, "identical: none of 50 examples changed, and bleu is 1.0000 on both");
}

#[test]
fn other_wrong_answers_and_other_confidences_are_no_discordant_examples() {
    let head = with_examples(|examples| {
        examples.iter_mut().for_each(|example| example.score = Some(0.7));
        // Wrong before, wrong in another way now.
        examples[0].prediction = "2".to_owned();
    });
    let verdict = judge(&drop_of("0"), &[head], Some(&[whole()]));
    let got = (only(&verdict).verdict, only(&verdict).reason.clone());
    says(&got, Answer::Pass, "identical: none of 100 examples changed, and accuracy is 0.9000 on both");
    let surer = with_examples(|examples| examples.iter_mut().for_each(|example| example.score = Some(0.9)));
    let policy = policy(vec![rule("f1_macro", &[("max-drop", "0")])]);
    let verdict = judge(&policy, &[surer], Some(&[whole()]));
    assert_eq!((only(&verdict).verdict, only(&verdict).test.as_str()), (Answer::Pass, "identical"));
}

#[test]
fn outcomes_of_another_schema_version() {
    let digest = "a".repeat(64);
    let text = format!(r#"{{"schema":2,"task":"t","model":"sha256:{digest}","dataset":"sha256:{digest}"}}"#);
    let error = Outcomes::parse(&text).unwrap_err();
    assert_eq!(error.to_string(), "line 1: schema 2 is not the one this version reads (1)");
}

#[test]
fn a_metric_that_nobody_reports() {
    let judged = |metric: &str| {
        let verdict = judge(&policy(vec![rule(metric, &[("max-drop", "1pp")])]), &[whole()], Some(&[whole()]));
        (only(&verdict).verdict, only(&verdict).reason.clone())
    };
    let there = "accuracy, accuracy[slice=day], accuracy[slice=night], balanced_accuracy, f1_macro, f1_weighted, \
                 matthews_corrcoef, precision_macro, recall_macro";
    says(&judged("acuracy"), Answer::Fail, &format!("no evaluation reports `acuracy`; there are {there}"));
    let reason = format!("no evaluation or job `gpu` reports `accuracy`; evaluations are eval, metrics are {there}");
    says(&judged("gpu/accuracy"), Answer::Fail, &reason);
}

#[track_caller]
fn refused(metric: &str, fields: &[(&str, &str)], message: &str) {
    let fields: Vec<(String, String)> = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let errors = Policy::rule(metric, &fields).unwrap_err();
    let told: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(told, [message]);
}

#[test]
fn rules_that_contradict_themselves() {
    refused("accuracy", &[("min", "0.9"), ("max", "0.8")], "no value is at least 0.9 and at most 0.8");
    refused("accuracy", &[("max-increase", "1pp")], "an increase of `accuracy` is an improvement");
    refused("latency_p50", &[("max-drop", "1ms")], "a drop of `latency_p50` is an improvement");
    refused("accuracy", &[("max-drop", "-1pp")], "an allowed change cannot be negative: -1pp");
}

#[test]
fn units_that_do_not_fit_the_metric() {
    let message = "percentage points do not fit `latency_p50`, which is no share";
    refused("latency_p50", &[("max-increase", "1pp")], message);
    refused("accuracy", &[("max-drop", "5ms")], "`accuracy` is not a time");
    refused("latency_p50", &[("max", "5MB")], "`latency_p50` is not a size in bytes");
    let message = "`min` is a bound on the value itself, and 90% would be of the base's value";
    refused("accuracy", &[("min", "90%")], message);
    let message = "`much` is not an amount; write a number, or a number with pp, %, ms, s, kB, MB or GB, such as 0.5pp \
                   or 20ms";
    refused("accuracy", &[("min", "much")], message);
}
