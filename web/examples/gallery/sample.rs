//! Realistic data for every page. The verdicts are the gate's own, of made-up examples.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use web::*;
use workflows::{
    evaluation::{Evaluation, FileFacts, ProviderFacts, Timing},
    gate::{self, Amount, Answer, Bound, Example, Policy, Rule, Side, Verdict},
    ids::{Forge, RepoName, Sha},
    protocol::{
        Annotation, AnnotationLevel, GpuFacts, GpuSample, Isolation, OrtFacts, RunnerFacts, StepReport, StepState,
        TelemetrySample,
    },
    run::Conclusion,
    syntax::{Diagnostic, Severity},
};

const DONE: Status = Status::Finished(Conclusion::Success);
const FAILED: Status = Status::Finished(Conclusion::Failure);

/// Name → page.
pub(crate) fn pages() -> Vec<(&'static str, String)> {
    let mut running = failed_run();
    running.run.status = Status::Running;
    running.run.finished_at = None;
    running.gate = GateView::Waiting;
    running.evaluations.clear();
    running.artifacts.truncate(1);
    running.actions = Actions { cancel: true, ..Actions::default() };
    let job = &mut running.jobs[1];
    (job.status, job.finished_at, job.summary) = (Status::Running, None, None);
    job.steps[2].state = StepState::Running { started_at: ago(3), log_start: 400 };
    job.steps[3].state = StepState::Pending;
    running.jobs[2].status = Status::Waiting;
    vec![
        ("repositories", repositories().render()),
        ("no-repositories", RepositoriesPage { now: now(), repositories: Vec::new() }.render()),
        ("runs", runs().render()),
        ("run-failed", failed_run().render()),
        ("run-passed", passed_run().render()),
        ("run-inconclusive", inconclusive_run().render()),
        ("run-running", running.render()),
        ("run-broken", broken_run().render()),
        ("job", job_page().render()),
        ("metric", metric().render()),
        ("compare", compare().render()),
        ("not-found", not_found().render()),
    ]
}

pub(crate) fn now() -> Timestamp {
    "2026-11-24T15:04:05Z".parse().expect("a time")
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn sha(seed: u64) -> Sha {
    let mut x = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut text = String::new();
    while text.len() < 40 {
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        text.push_str(&format!("{x:016x}"));
    }
    text[..40].parse().expect("hexadecimal")
}

fn repo() -> RepoName {
    "acme/digits".parse().expect("a name")
}

pub(crate) fn repositories() -> RepositoriesPage {
    let row =
        |name: &str, forge, status, title: &str, branch: &str, gate, metric: &str, values: &[f64], at| RepositoryRow {
            repo: name.parse().expect("a name"),
            forge,
            default_branch: "main".to_owned(),
            last_run: Some(LastRun {
                number: 12,
                title: title.to_owned(),
                branch: branch.to_owned(),
                status,
                at: ago(at),
            }),
            gate,
            trend: (!values.is_empty()).then(|| Trend { metric: metric.to_owned(), values: values.to_vec() }),
        };
    let accuracy = [0.941, 0.944, 0.943, 0.951, 0.95, 0.957, 0.956, 0.962, 0.964];
    let latency = [21.0, 20.4, 22.5, 19.8, 18.1, 18.4, 17.9, 17.2, 17.4, 16.8];
    let bleu = [31.2, 31.9, 32.0, 31.1, 30.4, 30.9];
    RepositoriesPage {
        now: now(),
        repositories: vec![
            row(
                "acme/digits",
                Forge::Local,
                FAILED,
                "Retrain on the September scans",
                "retrain",
                Some(Answer::Pass),
                "accuracy",
                &accuracy,
                75,
            ),
            row(
                "acme/defect-detector",
                Forge::Github,
                Status::Running,
                "Quantise the backbone to int8",
                "int8",
                Some(Answer::Pass),
                "latency_p50",
                &latency,
                12,
            ),
            row(
                "acme/translate",
                Forge::Github,
                DONE,
                "Bump tokenizer",
                "main",
                Some(Answer::Inconclusive),
                "bleu",
                &bleu,
                86_400 * 3,
            ),
            row(
                "acme/churn",
                Forge::Github,
                Status::Finished(Conclusion::Cancelled),
                "Add two features",
                "features",
                None,
                "",
                &[],
                86_400 * 40,
            ),
        ],
    }
}

pub(crate) fn runs() -> RunsPage {
    let row = |number: u64,
               title: &str,
               branch: &str,
               event: &str,
               actor: &str,
               status: Status,
               gate,
               headline: Option<(Option<f64>, f64)>,
               at| RunRow {
        number,
        attempt: if number == 11 { 2 } else { 1 },
        title: title.to_owned(),
        workflow: "gate".to_owned(),
        branch: branch.to_owned(),
        event: event.to_owned(),
        actor: actor.to_owned(),
        sha: sha(number),
        status,
        gate,
        headline: headline.map(|(base, head)| HeadlineMetric { metric: "accuracy".to_owned(), base, head }),
        created_at: ago(at),
        started_at: if status == Status::Queued { None } else { Some(ago(at - 2)) },
        finished_at: if status.is_live() { None } else { Some(ago(at - 9)) },
    };
    let (pass, fail) = (Some(Answer::Pass), Some(Answer::Fail));
    RunsPage {
        now: now(),
        repo: repo(),
        forge: Forge::Local,
        default_branch: "main".to_owned(),
        runs: vec![
            row(15, "Distil into a smaller network", "distil", "pull_request", "mira", Status::Queued, None, None, 4),
            row(14, "Augment with rotated digits", "augment", "pull_request", "mira", Status::Running, None, None, 31),
            row(13, "A workflow with a mistake", "typo", "pull_request", "jonas", FAILED, None, None, 62),
            row(
                12,
                "Retrain on the September scans",
                "retrain",
                "pull_request",
                "jonas",
                FAILED,
                fail,
                Some((Some(0.9644), 0.9333)),
                75,
            ),
            row(
                11,
                "Halve the hidden layer",
                "smaller",
                "pull_request",
                "mira",
                DONE,
                pass,
                Some((Some(0.9644), 0.9655)),
                140,
            ),
            row(
                10,
                "The first good model, with a title that is long enough to need a second line on a telephone",
                "main",
                "push",
                "mira",
                DONE,
                Some(Answer::NoBaseline),
                Some((None, 0.9644)),
                3_900,
            ),
            row(
                9,
                "Fewer examples to see what happens",
                "feature/very/long/branch-name-as-people-write-them",
                "pull_request",
                "jonas",
                Status::Finished(Conclusion::Neutral),
                Some(Answer::Inconclusive),
                Some((Some(0.9644), 0.9611)),
                90_000,
            ),
            row(
                8,
                "Cancelled by its author",
                "retrain",
                "workflow_dispatch",
                "jonas",
                Status::Finished(Conclusion::Cancelled),
                None,
                None,
                180_000,
            ),
            row(
                7,
                "Nightly",
                "main",
                "schedule",
                "assay",
                Status::Finished(Conclusion::TimedOut),
                None,
                None,
                4_000_000,
            ),
        ],
        filter: RunFilter::default(),
        branches: ["augment", "distil", "main", "retrain", "smaller"].map(str::to_owned).to_vec(),
        metrics: ["accuracy", "f1_macro", "latency_p50", "model_bytes"].map(str::to_owned).to_vec(),
        before: None,
        older: Some(7),
    }
}

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

fn judged(n: usize, base_wrong: &dyn Fn(usize) -> bool, head_wrong: &dyn Fn(usize) -> bool) -> Verdict {
    let base = side(n, base_wrong, "sha256:a", 4_437.0);
    let head = side(n, head_wrong, "sha256:b", 4_437.0);
    gate::judge(&policy(), &[head], Some(&[base]))
}

fn evaluation(accuracy: f64, digest: &str, bytes: u64) -> Evaluation {
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
        timing: Timing { load_ms: 3.18, run_ms: 1.94, total_ms: 7.2 },
        cached: false,
        benchmark: None,
        beside: None,
        outcomes: None,
    }
}

fn step(name: &str, from: i64, to: i64, log: (u64, u64), conclusion: Conclusion) -> StepReport {
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

fn jobs(eval: Conclusion) -> Vec<JobView> {
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

fn header(number: u64, title: &str, branch: &str, status: Status) -> RunHeader {
    RunHeader {
        number,
        attempt: 1,
        title: title.to_owned(),
        workflow: "gate".to_owned(),
        workflow_file: ".assay/workflows/gate.yaml".to_owned(),
        branch: branch.to_owned(),
        base_branch: Some("main".to_owned()),
        pull_request: None,
        event: "pull_request".to_owned(),
        actor: "jonas".to_owned(),
        sha: sha(number),
        status,
        created_at: ago(75),
        started_at: Some(ago(74)),
        finished_at: Some(ago(66)),
        commit_url: None,
        pull_request_url: None,
    }
}

fn run(header: RunHeader, verdict: Verdict, accuracy: f64) -> RunPage {
    RunPage {
        now: now(),
        repo: repo(),
        forge: Forge::Local,
        default_branch: "main".to_owned(),
        run: header,
        jobs: jobs(Conclusion::Success),
        gate: GateView::Judged { verdict: Box::new(verdict), base: Some(sha(10)), base_run: Some(10) },
        evaluations: vec![EvaluationView {
            job: "eval".parse().expect("a key"),
            head: evaluation(accuracy, "1c", 4_437),
            base: Some(evaluation(0.9644, "9f", 4_437)),
        }],
        artifacts: vec![
            ArtifactView { name: "model".parse().expect("a name"), bytes: 4_128, job: "build".to_owned() },
            ArtifactView { name: "outcomes".parse().expect("a name"), bytes: 12_904, job: "eval".to_owned() },
        ],
        diagnostics: Vec::new(),
        annotations: Vec::new(),
        attempts: vec![AttemptView { attempt: 1, status: DONE, created_at: ago(75) }],
        actions: Actions { rerun: true, ..Actions::default() },
        acceptance: None,
    }
}

pub(crate) fn failed_run() -> RunPage {
    let verdict = judged(899, &|i| i % 29 == 3, &|i| i % 29 == 3 && i % 5 != 0 || i % 26 == 7);
    let mut page = run(header(12, "Retrain on the September scans", "retrain", FAILED), verdict, 0.9333);
    page.attempts
        .insert(0, AttemptView { attempt: 1, status: Status::Finished(Conclusion::TimedOut), created_at: ago(4_000) });
    (page.attempts[1].attempt, page.run.attempt) = (2, 2);
    page.actions.rerun_failed = true;
    page.annotations.push(Annotation {
        path: "train.py".to_owned(),
        line: 41,
        column: None,
        level: AnnotationLevel::Warning,
        title: Some("Convergence".to_owned()),
        message: "lbfgs stopped after 200 iterations without converging; scale the data or allow more".to_owned(),
    });
    page
}

pub(crate) fn passed_run() -> RunPage {
    let verdict = judged(899, &|i| i % 29 == 3, &|i| i % 29 == 3 && i > 60);
    run(header(11, "Halve the hidden layer", "smaller", DONE), verdict, 0.9666)
}

pub(crate) fn inconclusive_run() -> RunPage {
    let verdict = judged(120, &|i| i % 29 == 3, &|i| i % 29 == 3 || i == 50 || i == 90);
    run(header(9, "Fewer examples to see what happens", "few", Status::Finished(Conclusion::Neutral)), verdict, 0.9611)
}

pub(crate) fn broken_run() -> RunPage {
    let mut page =
        run(header(13, "A workflow with a mistake", "typo", FAILED), judged(20, &|_| false, &|_| false), 0.9);
    page.gate = GateView::None;
    (page.jobs, page.evaluations, page.artifacts) = (Vec::new(), Vec::new(), Vec::new());
    let diagnostic =
        |line, column, length, severity, code: &str, message: &str, help: Option<&str>, source: &str| DiagnosticView {
            diagnostic: Diagnostic {
                file: ".assay/workflows/gate.yaml".to_owned(),
                line,
                column,
                length,
                severity,
                code: code.to_owned(),
                message: message.to_owned(),
                help: help.map(str::to_owned),
            },
            source_line: Some(source.to_owned()),
        };
    page.diagnostics = vec![
        diagnostic(
            14,
            5,
            5,
            Severity::Error,
            "unknown-key",
            "a job has no key `need`",
            Some("did you mean `needs`?"),
            "    need: build",
        ),
        diagnostic(
            22,
            23,
            7,
            Severity::Error,
            "unknown-context",
            "there is no `matrixx` in this expression",
            Some("known here: github, env, matrix, needs, steps"),
            "        run: echo ${{ matrixx.python }}",
        ),
        diagnostic(
            3,
            3,
            5,
            Severity::Warning,
            "deprecated",
            "`runs` is an old spelling of `runs-on`",
            None,
            "  runs: ubuntu-latest",
        ),
    ];
    page
}

pub(crate) fn job_page() -> JobPage {
    let page = failed_run();
    let mut job = page.jobs[1].clone();
    let log = "Runner embedded, Assay 0.1.0\n\
        \u{1b}[36m$ git checkout 3f9c2d1\u{1b}[0m\nHEAD is now at 3f9c2d1 Retrain on the September scans\n\
        \u{1b}[36m$ python3 -m pytest -q\u{1b}[0m\n\u{1b}[32m........................\u{1b}[0m\u{1b}[31mF\u{1b}[0m\u{1b}[32m...........\u{1b}[0m                         [100%]\n\
        \n=================================== FAILURES ===================================\n\
        \u{1b}[1m\u{1b}[31m_____________________________ test_shape_is_kept ______________________________\u{1b}[0m\n\
        \n    def test_shape_is_kept():\n>       assert predict(batch).shape == (8, 10)\n\u{1b}[1m\u{1b}[31mE       AssertionError: assert (8, 9) == (8, 10)\u{1b}[0m\n\
        \n\u{1b}[1m\u{1b}[31mtests/test_model.py\u{1b}[0m:17: AssertionError\n\
        \u{1b}[33m=========================== short test summary info ============================\u{1b}[0m\n\
        \u{1b}[31mFAILED\u{1b}[0m tests/test_model.py::\u{1b}[1mtest_shape_is_kept\u{1b}[0m - AssertionError: assert (8, 9) == (8, 10), which is a line that is a good deal longer than any telephone is wide\n\
        Downloading  10 %\rDownloading  60 %\rDownloading 100 %\n\
        \u{1b}[31m1 failed\u{1b}[0m, \u{1b}[32m35 passed\u{1b}[0m in 1.84s\nThe step ended with exit code 1\n";
    let (a, b, end) = (29, log.find("\u{1b}[36m$ python3").expect("it is there") as u64, log.len() as u64);
    job.steps = vec![
        step("Check out the commit", 72, 72, (a, b), Conclusion::Success),
        step("Run the tests", 71, 68, (b, end), Conclusion::Failure),
        step("Upload outcomes", 68, 68, (end, end), Conclusion::Skipped),
    ];
    (job.status, job.summary) = (FAILED, Some("Run the tests ended with exit code 1".to_owned()));
    let links = page.jobs.iter().map(|other| JobLink {
        key: other.key.clone(),
        name: other.name.clone(),
        status: if other.key == job.key { FAILED } else { other.status },
    });
    JobPage {
        now: now(),
        repo: repo(),
        forge: Forge::Local,
        run: page.run.clone(),
        jobs: links.collect(),
        job,
        log: Some(LogView { start: 0, bytes: log.as_bytes().to_vec(), complete: true }),
    }
}

pub(crate) fn metric() -> MetricPage {
    let values = [0.9411, 0.9444, 0.9433, 0.9511, 0.95, 0.9333, 0.9566, 0.9566, 0.9555, 0.9622, 0.9611, 0.9644];
    let point = |(i, value): (usize, &f64)| MetricPoint {
        sha: sha(100 + i as u64),
        title: ["Scale the inputs", "More hidden units", "Early stopping", "Clean three labels"][i % 4].to_owned(),
        run: i as u64 + 1,
        at: ago(86_400 * 2 * (12 - i as i64) + 5_000),
        value: *value,
        conclusion: if i == 5 { Conclusion::Failure } else { Conclusion::Success },
    };
    MetricPage {
        now: now(),
        repo: repo(),
        metric: "accuracy".to_owned(),
        branch: "main".to_owned(),
        metrics: ["accuracy", "f1_macro", "latency_p50", "model_bytes"].map(str::to_owned).to_vec(),
        branches: ["main", "retrain", "smaller"].map(str::to_owned).to_vec(),
        points: values.iter().enumerate().map(point).collect(),
    }
}

pub(crate) fn compare() -> ComparePage {
    let page = failed_run();
    let GateView::Judged { verdict, .. } = page.gate else { unreachable!("the failed run is judged") };
    let side = |seed, title: &str, accuracy, digest| Compared {
        sha: sha(seed),
        title: title.to_owned(),
        run: Some(seed),
        evaluations: vec![evaluation(accuracy, digest, 4_437)],
    };
    ComparePage {
        now: now(),
        repo: repo(),
        base: side(10, "The first good model", 0.9644, "9f"),
        head: side(12, "Retrain on the September scans", 0.9333, "1c"),
        verdict: Some(*verdict),
    }
}

pub(crate) fn not_found() -> ErrorPage {
    ErrorPage {
        status: 404,
        title: "There is no run 99 of acme/digits".to_owned(),
        message: "It may have been removed by the retention rules, or the address is mistyped.".to_owned(),
    }
}
