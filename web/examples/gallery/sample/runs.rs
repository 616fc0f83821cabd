//! Runs as they may end, and one of their jobs.

use web::*;
use workflows::{
    gate::Verdict,
    ids::Forge,
    protocol::{Annotation, AnnotationLevel},
    run::Conclusion,
    syntax::{Diagnostic, Severity},
};

use super::{
    DONE, FAILED, ago,
    jobs::{jobs, step},
    now, repo,
    results::{evaluation, judged},
    sha,
};

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
            beside: false,
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
