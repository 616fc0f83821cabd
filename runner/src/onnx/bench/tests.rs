//! On the real runtime, with the real models of `examples/digits`.

use std::path::Path;

use super::*;
use crate::onnx::runtime::runtime;

fn digits(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits").join(model)
}

/// Runs as many queries as are asked for, however fast they are.
fn run(settings: &BenchSettings) -> Result<Evaluation, EvalError> {
    let settings = BenchSettings { least_block: Duration::ZERO, ..settings.clone() };
    bench(runtime(&|line| eprintln!("{line}")).unwrap(), &settings)
}

#[test]
fn head_and_base_take_turns_block_by_block() {
    let settings = BenchSettings {
        against: Some(digits("variants/smaller.onnx")),
        queries: 600,
        blocks: 10,
        percentile: Some(99.0),
        ..BenchSettings::new(digits("model.onnx"))
    };
    let head = run(&settings).unwrap();
    let base = &head.beside.as_ref().unwrap().evaluation;
    for side in [&head, base] {
        let benchmark = side.benchmark.as_ref().unwrap();
        assert_eq!((side.n, benchmark.blocks["latency_p50"].len()), (600, 10));
        let [p50, p90, p99] = ["latency_p50", "latency_p90", "latency_p99"].map(|name| side.metrics[name]);
        assert!(0.0 < p50 && p50 <= p90 && p90 <= p99, "{:?}", side.metrics);
        assert!(side.metrics["throughput"] > 0.0 && side.metrics["process_memory_bytes"] > 1e6);
        // 60 queries have no 99th percentile of their own.
        assert!(benchmark.blocks.contains_key("latency_p90") && !benchmark.blocks.contains_key("latency_p99"));
        assert_eq!(side.provider.nodes.keys().collect::<Vec<_>>(), ["CPUExecutionProvider"]);
    }
    assert_eq!(head.benchmark.as_ref().unwrap().samples["latency"].len(), 600);
    assert_eq!(head.like(), base.like());
    assert_ne!(head.model.digest, base.model.digest);
    // What the gate reads of it.
    let side = workflows::compare::side("job", &head, None);
    assert_eq!((side.blocks["latency_p50"].len(), side.samples["latency"].len()), (10, 600));
    let beside = workflows::compare::side_beside("job", &head, None).unwrap();
    assert_eq!(beside.blocks["latency_p50"].len(), 10);
    // Alone, a benchmark's blocks ran beside no others.
    let alone = Evaluation { beside: None, ..head };
    assert!(workflows::compare::side("job", &alone, None).blocks.is_empty());
    assert!(workflows::compare::side_beside("job", &alone, None).is_none());
}

#[test]
fn a_fast_model_is_asked_more_so_that_a_block_is_no_blink() {
    let settings = BenchSettings {
        queries: 4,
        blocks: 2,
        least_block: Duration::from_millis(50),
        ..BenchSettings::new(digits("model.onnx"))
    };
    let evaluation = bench(runtime(&|_| ()).unwrap(), &settings).unwrap();
    assert!(evaluation.n > 4 && evaluation.timing.run_ms >= 100.0, "{:?}", evaluation.timing);
}

#[test]
fn offline_counts_samples_and_sessions_share_the_work() {
    let settings = BenchSettings {
        scenario: Scenario::Offline,
        batch: 8,
        sessions: 2,
        queries: 200,
        blocks: 4,
        ..BenchSettings::new(digits("model.onnx"))
    };
    let evaluation = run(&settings).unwrap();
    assert_eq!(evaluation.n, 200);
    let wall = evaluation.timing.run_ms / 1e3;
    assert!((evaluation.metrics["throughput"] * wall / 1600.0 - 1.0).abs() < 1e-6, "{:?}", evaluation.metrics);
}

#[test]
fn server_latency_counts_from_arrival() {
    let settings = BenchSettings {
        scenario: Scenario::Server,
        rate: Some(2000.0),
        queries: 400,
        blocks: 4,
        ..BenchSettings::new(digits("model.onnx"))
    };
    let evaluation = run(&settings).unwrap();
    // 400 arrivals at 2,000 a second cannot be over sooner than about 200 ms; the model itself needs far less.
    assert!(evaluation.timing.run_ms > 100.0, "{:?}", evaluation.timing);
    assert_eq!(evaluation.n, 400);
    assert_eq!(evaluation.task, "benchmark server");
}

#[track_caller]
fn refused(change: impl FnOnce(&mut BenchSettings), reason: &str) {
    let mut settings = BenchSettings::new(digits("model.onnx"));
    change(&mut settings);
    let error = run(&settings).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn what_cannot_be_measured_is_refused_before_it_begins() {
    refused(
        |settings| {
            settings.queries = 458;
            settings.percentile = Some(99.0);
        },
        "p99 cannot be claimed from 458 queries: at 99 % confidence it takes 459",
    );
    refused(|settings| settings.scenario = Scenario::Server, "needs a `rate`");
    refused(|settings| settings.rate = Some(5.0), "single-stream has none");
    refused(|settings| settings.sessions = 2, "one query at a time");
    refused(|settings| settings.queries = 3, "cannot fill 24 blocks");
    refused(|settings| settings.percentile = Some(100.0), "from 50 to below 100");
    refused(|settings| settings.threads = 1_000_000, "threads must be");
    refused(|settings| settings.model = digits("heldout.npz"), "not an ONNX model");
}

#[test]
fn a_disturbed_block_is_repeated_a_bounded_number_of_times() {
    let noisy = ["another".to_owned()];
    let mut again = Again { left: 2, repeated: 0, stayed: Vec::new() };
    assert!(!again.again(&[]));
    assert!(again.again(&noisy) && again.again(&noisy));
    assert!(!again.again(&noisy) && !again.again(&noisy));
    assert_eq!(
        again.told(),
        ["2 blocks were disturbed and repeated", "2 blocks stayed disturbed; the last because another"]
    );
    assert!(Again { left: 2, repeated: 0, stayed: Vec::new() }.told().is_empty());
}

#[test]
fn shapes_are_read_as_people_write_them() {
    assert_eq!(parse_shape("image=1x3x224x224"), Ok(("image".to_owned(), vec![1, 3, 224, 224])));
    for wrong in ["image", "image=", "image=1x0", "image=1xN"] {
        assert!(parse_shape(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_gpu_is_timed_where_there_is_one() {
    let runtime = runtime(&|_| ()).unwrap();
    for (provider, name) in
        [(Provider::Cuda, "CUDAExecutionProvider"), (Provider::Tensorrt, "TensorrtExecutionProvider")]
    {
        let settings = BenchSettings { provider, ..BenchSettings::new(digits("variants/smaller.onnx")) };
        if crate::onnx::gpu_name(0).is_none() || !runtime.providers().iter().any(|provider| provider == name) {
            eprintln!("timing on {provider} is skipped for lack of a device; the refusal is tested instead");
            let error = bench(runtime, &settings).unwrap_err();
            assert_eq!(error.exit_code(), 3);
            assert!(error.to_string().contains(&format!("provider {provider} was demanded")), "{error}");
            continue;
        }
        let evaluation = bench(runtime, &settings).unwrap();
        assert!(!evaluation.provider.nodes.contains_key("CPUExecutionProvider"), "{:?}", evaluation.provider);
        assert!(evaluation.metrics["latency_p99"] > 0.0);
    }
}
