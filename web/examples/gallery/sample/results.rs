//! Evaluations, and verdicts of the gate's own over made-up examples.

use std::collections::BTreeMap;

use workflows::{
    evaluation::{Evaluation, FileFacts, ProviderFacts, Timing},
    gate::{self, Amount, Bound, Example, Policy, Rule, Side, Verdict},
};

/// One side of a comparison: `wrong` lists examples (of `n`) that the model gets wrong.
fn side(n: usize, is_wrong: &dyn Fn(usize) -> bool, model: &str, bytes: f64) -> Side {
    let example = |i: usize| {
        let target = (i * 7 % 10).to_string();
        let prediction = if is_wrong(i) { ((i * 7 + 1 + i % 3) % 10).to_string() } else { target.clone() };
        Example {
            id: format!("test/{i:04}.png"),
            values: BTreeMap::from([("accuracy".to_owned(), f64::from(u8::from(!is_wrong(i))))]),
            target,
            prediction,
            score: None,
            group: None,
            slice: None,
        }
    };
    let right = (0..n).filter(|i| !is_wrong(*i)).count() as f64 / n as f64;
    Side {
        name: "eval".to_owned(),
        model: model.to_owned(),
        metrics: BTreeMap::from([
            ("accuracy".to_owned(), right),
            ("f1_macro".to_owned(), right - 0.0009),
            ("model_bytes".to_owned(), bytes),
        ]),
        examples: (0..n).map(example).collect(),
        ..Side::default()
    }
}

fn policy() -> Policy {
    let bound = |text: &str| Amount::parse(text).expect("an amount");
    let rule = |metric: &str, bounds: Vec<Bound>| Rule {
        metric: metric.to_owned(),
        bounds,
        ..serde_json::from_str(r#"{"metric":"","bounds":[]}"#).expect("defaults")
    };
    Policy {
        rules: vec![
            rule("accuracy", vec![Bound::MaxDrop(bound("1pp"))]),
            rule("f1_macro", vec![Bound::Min(bound("0.90"))]),
            rule("model_bytes", vec![Bound::MaxIncrease(bound("5%"))]),
        ],
        ..Policy::default()
    }
}

pub(super) fn judged(n: usize, base_wrong: &dyn Fn(usize) -> bool, head_wrong: &dyn Fn(usize) -> bool) -> Verdict {
    let base = side(n, base_wrong, "sha256:a", 4_437.0);
    let head = side(n, head_wrong, "sha256:b", 4_437.0);
    gate::judge(&policy(), &[head], Some(&[base]))
}

pub(super) fn evaluation(accuracy: f64, digest: &str, bytes: u64) -> Evaluation {
    let file = |path: &str, digest: &str, bytes| FileFacts {
        path: path.to_owned(),
        digest: format!("sha256:{}", digest.repeat(32)).parse().expect("a digest"),
        bytes,
    };
    let metrics = [
        ("accuracy", accuracy),
        ("balanced_accuracy", accuracy - 0.0006),
        ("f1_macro", accuracy - 0.0009),
        ("log_loss", 2.0 - 1.9 * accuracy),
        ("precision_macro", accuracy + 0.0004),
        ("recall_macro", accuracy - 0.0006),
    ];
    Evaluation {
        name: "eval".to_owned(),
        task: "classification".to_owned(),
        n: 899,
        metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
        per_class: BTreeMap::new(),
        confusion: BTreeMap::new(),
        slices: BTreeMap::from([(
            "thin strokes".to_owned(),
            BTreeMap::from([("accuracy".to_owned(), accuracy - 0.021)]),
        )]),
        model: file("model.onnx", digest, bytes),
        dataset: file("data/test.npz", "5e", 461_312),
        provider: ProviderFacts {
            requested: "cpu".to_owned(),
            nodes: BTreeMap::from([("CPUExecutionProvider".to_owned(), 7)]),
            device: "AMD EPYC 9R14".to_owned(),
            version: "1.23.2".to_owned(),
            threads: 2,
        },
        timing: Timing { load_ms: 3.18, run_ms: 1.94, answer_ms: 2.01, total_ms: 7.2 },
        cached: false,
        benchmark: None,
        beside: None,
        self_check: None,
        outcomes: None,
    }
}
