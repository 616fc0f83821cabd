//! What the forge should show of a commit.

use std::fmt::Write;

use workflows::{
    protocol::{Annotation, AnnotationLevel, JobResult, StepState},
    run::{Conclusion, Group, JobState},
};

use crate::{
    acceptance,
    app::App,
    digest::beginning,
    forge::{CheckRun, CheckState},
    gate, runs,
    store::{
        keys,
        records::{FileOutcome, Gate, HeadCommit, Job, JobRef, Run},
    },
};

/// GitHub's limits: characters of a title, bytes of a summary.
const TITLE_CHARS: usize = 255;
const SUMMARY_BYTES: usize = 60_000;

/// One check run per job that there is, or that came to nothing; then the gate's.
pub(super) async fn checks(app: &App, commit: &HeadCommit) -> anyhow::Result<Vec<CheckRun>> {
    let mut checks = Vec::new();
    for file in commit.plannings.iter().flat_map(|planning| &planning.files) {
        let FileOutcome::Run { number, .. } = file else { continue };
        let Some(run) = app.store.get::<Run>(&keys::run(&commit.repo, *number)).await? else { continue };
        checks.extend(of_run(app, &run.record).await?);
    }
    checks.push(of_gate(app, commit));
    Ok(checks)
}

async fn of_run(app: &App, run: &Run) -> anyhow::Result<Vec<CheckRun>> {
    let jobs = runs::jobs(app, run).await?;
    let mut checks: Vec<CheckRun> = jobs.iter().map(|job| of_job(app, run, &job.record)).collect();
    for (id, group) in &run.groups {
        let (name, at, conclusion, title, annotations) = match group {
            Group::Waiting | Group::Expanded { .. } | Group::Called { .. } => continue,
            Group::Cancelled { at } => {
                let reason = run.dropped_for(id).unwrap_or_else(|| "Cancelled".to_owned());
                (id.to_string(), *at, Conclusion::Cancelled, reason, vec![])
            }
            Group::Skipped { name, at } => (name.clone(), *at, Conclusion::Skipped, "Skipped".to_owned(), vec![]),
            Group::Invalid { diagnostic, at } => {
                let annotation = Annotation {
                    path: diagnostic.file.clone(),
                    line: diagnostic.line.max(1),
                    column: Some(diagnostic.column.max(1)),
                    level: AnnotationLevel::Failure,
                    title: Some(diagnostic.code.clone()),
                    message: diagnostic.message.clone(),
                };
                (id.to_string(), *at, Conclusion::Failure, diagnostic.message.clone(), vec![annotation])
            }
        };
        let state = CheckState::Completed { started_at: at, completed_at: at, conclusion };
        let id = JobRef { repo: run.repo.clone(), run: run.number, attempt: run.attempt, key: id.clone() };
        checks.push(CheckRun {
            repo: run.repo.clone(),
            head: run.head.clone(),
            name: check_name(run, &name),
            external_id: id.external_id(),
            details_url: app.run_url(&run.repo, run.number),
            state,
            title: cut(&title),
            summary: title,
            text: None,
            annotations,
            actions: vec![],
        });
    }
    Ok(checks)
}

fn check_name(run: &Run, job: &str) -> String {
    format!("{} / {job}", run.workflow_name)
}

fn of_job(app: &App, run: &Run, job: &Job) -> CheckRun {
    let (state, word) = match &job.life.state {
        JobState::Waiting if job.life.asks().is_some() => {
            (CheckState::Queued, "Waits for its concurrency group".to_owned())
        }
        JobState::Waiting | JobState::Queued { .. } => (CheckState::Queued, "Waits for a runner".to_owned()),
        JobState::Running { started_at, runner } => {
            (CheckState::InProgress { started_at: *started_at }, format!("Runs on {runner}"))
        }
        JobState::Completed { started_at, finished_at, conclusion } => {
            let started_at = started_at.unwrap_or(*finished_at);
            let state = CheckState::Completed { started_at, completed_at: *finished_at, conclusion: *conclusion };
            (state, ended(job, *conclusion))
        }
    };
    CheckRun {
        repo: run.repo.clone(),
        head: run.head.clone(),
        name: check_name(run, &job.planned.name),
        external_id: job.id.external_id(),
        details_url: format!("{}/jobs/{}", app.run_url(&run.repo, run.number), job.id.key),
        state,
        title: cut(&word),
        summary: summary(job, &word),
        text: None,
        annotations: job.result.as_ref().map(|result| result.annotations.clone()).unwrap_or_default(),
        actions: vec![],
    }
}

fn ended(job: &Job, conclusion: Conclusion) -> String {
    let own = job.result.as_ref().and_then(|result| result.summary.clone());
    own.or(job.life.cancel.clone()).unwrap_or_else(|| match conclusion {
        Conclusion::Success => "Passed".to_owned(),
        Conclusion::Failure => "Failed".to_owned(),
        Conclusion::Neutral => "Ended without a verdict".to_owned(),
        Conclusion::Cancelled => "Cancelled".to_owned(),
        Conclusion::Skipped => "Skipped".to_owned(),
        Conclusion::TimedOut => format!("Ran longer than {} minutes", job.planned.timeout_minutes),
        Conclusion::ActionRequired => "Needs action".to_owned(),
    })
}

/// Steps and metrics, as far as they fit.
fn summary(job: &Job, word: &str) -> String {
    let mut text = format!("{word}\n");
    if matches!(job.life.state, JobState::Completed { .. }) {
        steps(&mut text, job);
        if let Some(result) = &job.result {
            metrics(&mut text, result);
        }
    }
    beginning(&text, SUMMARY_BYTES).to_owned()
}

fn steps(text: &mut String, job: &Job) {
    if job.steps.is_empty() {
        return;
    }
    text.push_str("\n| step | |\n|---|---|\n");
    for step in &job.steps {
        let word = match &step.state {
            StepState::Pending => "not run",
            StepState::Running { .. } => "not ended",
            StepState::Finished { conclusion, .. } => conclusion.as_str(),
        };
        let _ = writeln!(text, "| {} | {word} |", cell(&step.name));
    }
}

fn metrics(text: &mut String, result: &JobResult) {
    for evaluation in &result.evaluations {
        let _ = write!(
            text,
            "\n**{}** on {} examples\n\n| metric | value |\n|---|---|\n",
            cell(&evaluation.name),
            evaluation.n
        );
        for (metric, value) in &evaluation.metrics {
            let _ = writeln!(text, "| {} | {value} |", cell(metric));
        }
    }
}

/// Names come from workflows: no table, tag or mention is made of them.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().take(200) {
        match c {
            '|' => out.push_str("\\|"),
            '<' => out.push_str("&lt;"),
            '@' => out.push_str("@\u{200b}"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn of_gate(app: &App, commit: &HeadCommit) -> CheckRun {
    let actions = match &commit.gate {
        Gate::Pending { .. } => vec![],
        Gate::Concluded(report) => acceptance::buttons(report),
    };
    let (state, title, summary, text, annotations) = match &commit.gate {
        Gate::Pending { .. } => {
            let summary = "The gate is judged when every run of this commit has ended, and those of its base.";
            (CheckState::Queued, "Waits for the jobs".to_owned(), summary.to_owned(), None, vec![])
        }
        Gate::Concluded(report) => {
            let conclusion = report.conclusion;
            let state = CheckState::Completed { started_at: report.since, completed_at: report.at, conclusion };
            (state, report.title.clone(), report.summary.clone(), report.text.clone(), report.annotations.clone())
        }
    };
    CheckRun {
        repo: commit.repo.clone(),
        head: commit.sha.clone(),
        name: gate::CHECK_NAME.to_owned(),
        external_id: gate::external_id(commit),
        details_url: app.commit_url(commit),
        state,
        title: cut(&title),
        summary,
        text,
        annotations,
        actions,
    }
}

fn cut(title: &str) -> String {
    match title.chars().count() <= TITLE_CHARS {
        true => title.to_owned(),
        false => title.chars().take(TITLE_CHARS - 1).chain(['…']).collect(),
    }
}
