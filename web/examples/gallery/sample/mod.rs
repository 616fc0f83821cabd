//! Realistic data for every page. The verdicts are the gate's own, of made-up examples.

mod jobs;
mod results;
mod runs;

use jiff::{SignedDuration, Timestamp};
use web::*;
use workflows::{
    gate::{Answer, FalseAlarms, SelfCheck},
    ids::{Forge, RepoName, Sha},
    protocol::StepState,
    run::Conclusion,
};

use self::results::evaluation;
pub(crate) use self::runs::{broken_run, failed_run, inconclusive_run, job_page, passed_run};

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
        ("self-checks", self_checks(240, 3).render()),
        ("self-checks-few", self_checks(20, 0).render()),
        ("self-checks-broken", self_checks(120, 19).render()),
        ("self-checks-none", self_checks(0, 0).render()),
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

/// So many self-checks; the oldest ones, and every third of the listed ones, were false alarms.
pub(crate) fn self_checks(of: u64, alarms: u64) -> SelfChecksPage {
    let GateView::Judged { verdict, .. } = failed_run().gate else { unreachable!("the failed run is judged") };
    let failed: Vec<_> = verdict.rules.into_iter().filter(|rule| rule.verdict == Answer::Fail).take(1).collect();
    let row = |n: u64| {
        let alarm = n % 3 == 1 && n / 3 < alarms;
        SelfCheckRow {
            head: sha(200 + n),
            base: sha(100 + n),
            run: 900 - n,
            at: ago(40_000 * (n as i64 + 1)),
            check: SelfCheck {
                verdict: if alarm { Answer::Fail } else { Answer::Pass },
                alpha: 0.05,
                lines: 4,
                alarms: if alarm { failed.clone() } else { Vec::new() },
                differing: if alarm { 41 } else { 0 },
            },
        }
    };
    SelfChecksPage {
        now: now(),
        repo: repo(),
        false_alarms: FalseAlarms::of((0..of).map(|n| (0.05, n < alarms))),
        checks: (0..of.min(12)).map(row).collect(),
    }
}

pub(crate) fn not_found() -> ErrorPage {
    ErrorPage {
        status: 404,
        title: "There is no run 99 of acme/digits".to_owned(),
        message: "It may have been removed by the retention rules, or the address is mistyped.".to_owned(),
    }
}
