//! Jobs, their steps and the runners that took them.

use web::*;
use workflows::{
    protocol::{GpuFacts, GpuSample, Isolation, OrtFacts, RunnerFacts, StepReport, StepState, TelemetrySample},
    run::Conclusion,
};

use super::{DONE, ago};

pub(super) fn step(name: &str, from: i64, to: i64, log: (u64, u64), conclusion: Conclusion) -> StepReport {
    let state = StepState::Finished {
        started_at: ago(from),
        finished_at: ago(to),
        log_start: log.0,
        log_end: log.1,
        outcome: conclusion,
        conclusion,
    };
    StepReport { name: name.to_owned(), state }
}

fn runner(gpu: bool) -> RunnerFacts {
    let gpus = vec![GpuFacts {
        index: 0,
        name: "NVIDIA H100 80GB HBM3".to_owned(),
        uuid: "GPU-1".to_owned(),
        memory_bytes: 85_520_809_984,
        driver: "575.57".to_owned(),
    }];
    RunnerFacts {
        name: if gpu { "gpu-03" } else { "embedded" }.to_owned(),
        labels: vec!["self-hosted".to_owned(), "linux".to_owned(), "x64".to_owned()],
        slots: 2,
        gpus: if gpu { gpus } else { Vec::new() },
        cpu: "AMD EPYC 9R14".to_owned(),
        memory_bytes: 16_500_000_000,
        isolation: if gpu { Isolation::Bubblewrap } else { Isolation::None },
        version: "0.1.0".to_owned(),
        onnxruntime: Some(OrtFacts {
            version: "1.23.2".to_owned(),
            providers: vec!["CPUExecutionProvider".to_owned()],
        }),
    }
}

fn telemetry(gpu: bool) -> Vec<TelemetrySample> {
    let sample = |i: i64| {
        let wave = ((i as f64) * 0.7).sin() * 18.0 + ((i as f64) * 1.9).cos() * 9.0;
        let ramp = (i as f64 / 8.0).min(1.0);
        TelemetrySample {
            at: ago(70 - i),
            cpu_percent: (ramp * 165.0 + wave).max(0.0) as f32,
            rss_bytes: (ramp * 310e6 + wave * 2e5 + 4e7) as u64,
            gpus: if gpu {
                vec![GpuSample {
                    index: 0,
                    utilization_percent: (ramp * 70.0 + wave) as u32,
                    memory_used_bytes: (ramp * 9e9) as u64,
                    power_milliwatts: None,
                    temperature_c: None,
                }]
            } else {
                Vec::new()
            },
        }
    };
    (0..32).map(sample).collect()
}

pub(super) fn jobs(eval: Conclusion) -> Vec<JobView> {
    let job = |key: &str, status, from, to, steps, summary: Option<&str>| JobView {
        key: key.parse().expect("a key"),
        name: key.to_owned(),
        status,
        started_at: Some(ago(from)),
        finished_at: Some(ago(to)),
        steps,
        summary: summary.map(str::to_owned),
        runner: Some(runner(false)),
        gpus: Vec::new(),
        isolation: Some(Isolation::None),
        telemetry: Vec::new(),
    };
    let ok = Conclusion::Success;
    let mut eval_job = job(
        "eval",
        Status::Finished(eval),
        72,
        67,
        vec![
            step("Check out the commit", 72, 72, (0, 120), ok),
            step("Download artifact model", 72, 71, (120, 400), ok),
            step("Evaluate model.onnx on the held-out rows", 71, 68, (400, 900), ok),
            step("Upload outcomes", 68, 67, (900, 1000), ok),
        ],
        None,
    );
    eval_job.telemetry = telemetry(true);
    eval_job.runner = Some(runner(true));
    eval_job.gpus = vec![0];
    eval_job.isolation = Some(Isolation::Bubblewrap);
    let mut skipped = job("deploy", Status::Finished(Conclusion::Skipped), 0, 0, Vec::new(), Some("needs gate"));
    (skipped.runner, skipped.started_at, skipped.finished_at) = (None, None, None);
    vec![
        job(
            "build",
            DONE,
            74,
            72,
            vec![
                step("Check out the commit", 74, 74, (0, 90), ok),
                step("python3 train.py --rows 400", 74, 73, (90, 300), ok),
                step("Upload artifact model", 73, 72, (300, 350), ok),
            ],
            None,
        ),
        eval_job,
        skipped,
    ]
}
