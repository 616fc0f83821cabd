//! `/{owner}/{repo}/runs/{number}`: one run: what the gate says first, then why, then how it was found out.

use askama::Template;
use jiff::Timestamp;
use workflows::{
    evaluation::Evaluation,
    gate::Verdict,
    ids::{ArtifactName, Forge, JobKey, RepoName, Sha},
    protocol::{Annotation, AnnotationLevel, Isolation, RunnerFacts, StepReport, StepState, TelemetrySample},
    syntax::{Diagnostic, Severity},
};

use crate::{
    RunHeader, Status, assets, chart, format,
    html::{Html, escape},
    number, urls, verdict,
};

/// One attempt of a run.
#[derive(Debug, Clone, Template)]
#[template(path = "run.html")]
pub struct RunPage {
    pub now: Timestamp,
    pub repo: RepoName,
    pub forge: Forge,
    pub default_branch: String,
    pub run: RunHeader,
    /// In the workflow's order.
    pub jobs: Vec<JobView>,
    pub gate: GateView,
    pub evaluations: Vec<EvaluationView>,
    pub artifacts: Vec<ArtifactView>,
    /// Remarks on the workflow file: with an error among them nothing was run.
    pub diagnostics: Vec<DiagnosticView>,
    /// Remarks of steps on places in files.
    pub annotations: Vec<Annotation>,
    /// All attempts, oldest first; shown when there is more than one.
    pub attempts: Vec<AttemptView>,
    pub actions: Actions,
    pub acceptance: Option<Acceptance>,
}

/// What is known of the gate's answer.
#[derive(Debug, Clone)]
pub enum GateView {
    /// The workflow has no `gate:`.
    None,
    /// Its jobs have not all ended.
    Waiting,
    /// They have, and there is nothing to judge: why, in one sentence.
    NotJudged(String),
    Judged {
        verdict: Box<Verdict>,
        /// The commit compared with, and the run that measured it.
        base: Option<Sha>,
        base_run: Option<u64>,
    },
}

#[derive(Debug, Clone)]
pub struct JobView {
    pub key: JobKey,
    /// Resolved display name.
    pub name: String,
    pub status: Status,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub steps: Vec<StepReport>,
    /// The sentence that goes with the conclusion, or what it is waiting for.
    pub summary: Option<String>,
    /// None while no runner has it.
    pub runner: Option<RunnerFacts>,
    /// GPUs of the runner that the job held.
    pub gpus: Vec<u32>,
    /// As the job really ran, which may be less than the runner offers.
    pub isolation: Option<Isolation>,
    /// Oldest first.
    pub telemetry: Vec<TelemetrySample>,
}

/// One evaluation of the head, and the baseline's of the same name.
#[derive(Debug, Clone)]
pub struct EvaluationView {
    pub job: JobKey,
    pub head: Evaluation,
    pub base: Option<Evaluation>,
    /// The base was evaluated by the same step, beside the head, and not by a run of its own.
    pub beside: bool,
}

#[derive(Debug, Clone)]
pub struct ArtifactView {
    pub name: ArtifactName,
    pub bytes: u64,
    /// Name of the job that made it.
    pub job: String,
}

/// A remark on a workflow file, with the line that it is about where the file could be read.
#[derive(Debug, Clone)]
pub struct DiagnosticView {
    pub diagnostic: Diagnostic,
    pub source_line: Option<String>,
}

#[derive(Debug, Clone)]
pub struct AttemptView {
    pub attempt: u32,
    pub status: Status,
    pub created_at: Timestamp,
}

/// Which buttons there are.
#[derive(Debug, Clone, Default)]
pub struct Actions {
    pub cancel: bool,
    pub rerun: bool,
    pub rerun_failed: bool,
    pub accept: bool,
    /// Sent back as the field `token` of every form, where the server wants one.
    pub form_token: Option<String>,
}

/// A named person's decision to merge in spite of a failed rule.
#[derive(Debug, Clone)]
pub struct Acceptance {
    pub by: String,
    pub at: Timestamp,
    pub reason: String,
    pub rules: Vec<String>,
}

/// A row of "all metrics": evaluation, metric, base, head, change.
pub(crate) struct MetricRow {
    pub(crate) metric: String,
    pub(crate) base: String,
    pub(crate) head: String,
    pub(crate) change: String,
}

impl RunPage {
    pub fn render(&self) -> String {
        crate::html::render(self)
    }

    fn is_live(&self) -> bool {
        self.run.status.is_live()
    }

    fn gate_section(&self) -> Html {
        match &self.gate {
            GateView::None | GateView::Waiting | GateView::NotJudged(_) => Html::default(),
            GateView::Judged { verdict, base, base_run } => {
                verdict::section(verdict, &self.repo, &self.run.sha, base.as_ref(), *base_run)
            }
        }
    }

    fn metric_url(&self, metric: &str) -> String {
        urls::metric(&self.repo, metric, &self.run.branch)
    }

    fn has_runner(&self) -> bool {
        self.ran_jobs().next().is_some()
    }

    fn has_telemetry(&self) -> bool {
        self.jobs.iter().any(|job| job.telemetry.len() > 1)
    }

    fn ran_jobs(&self) -> impl Iterator<Item = &JobView> {
        self.jobs.iter().filter(|job| job.runner.is_some())
    }

    /// The workflow cannot run.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.diagnostic.severity == Severity::Error)
    }
}

impl JobView {
    pub(crate) fn took(&self, now: Timestamp) -> String {
        format::elapsed(self.started_at, self.finished_at, now)
    }

    /// Steps that the list on the run's page opens with: those of a job that failed or is at work.
    fn is_open(&self) -> bool {
        self.status == Status::Running || self.status.tone() == "bad"
    }

    fn charts(&self) -> Vec<chart::Telemetry> {
        chart::telemetry(&self.telemetry)
    }

    fn isolation_badge(&self) -> Html {
        let isolation = self.isolation.or(self.runner.as_ref().map(|runner| runner.isolation));
        Html(match isolation {
            Some(Isolation::Bubblewrap) => "bubblewrap (own namespaces)".to_owned(),
            Some(Isolation::None) => {
                "<span class=\"warn\">not isolated</span> <span class=\"muted\">(process group and limits only)</span>"
                    .to_owned()
            }
            None => "not known".to_owned(),
        })
    }

    fn gpu_names(&self) -> Vec<String> {
        let Some(runner) = &self.runner else { return Vec::new() };
        let held = |index: &u32| runner.gpus.iter().find(|gpu| gpu.index == *index);
        self.gpus.iter().filter_map(held).map(|gpu| gpu.name.clone()).collect()
    }
}

pub(crate) fn step_took(step: &StepState, now: Timestamp) -> String {
    match step {
        StepState::Pending => String::new(),
        StepState::Running { started_at, .. } => format::duration(*started_at, now),
        StepState::Finished { started_at, finished_at, .. } => format::duration(*started_at, *finished_at),
    }
}

impl EvaluationView {
    pub(crate) fn metrics(&self) -> Vec<MetricRow> {
        rows(&self.head, self.base.as_ref())
    }

    fn nodes(&self) -> String {
        let nodes = &self.head.provider.nodes;
        let texts: Vec<String> =
            nodes.iter().map(|(provider, n)| format!("{provider} {}", number::integer(*n))).collect();
        if texts.is_empty() { "not known".to_owned() } else { texts.join(", ") }
    }
}

/// All metrics of both sides, in the head's order (by name), slices after them.
pub(crate) fn rows(head: &Evaluation, base: Option<&Evaluation>) -> Vec<MetricRow> {
    let row = |metric: String, head: f64, base: Option<f64>| MetricRow {
        base: number::optional(&metric, base),
        head: number::value(&metric, head),
        change: base.map(|base| number::change(&metric, head - base)).unwrap_or_else(|| "–".to_owned()),
        metric,
    };
    let whole = head
        .metrics
        .iter()
        .map(|(metric, value)| row(metric.clone(), *value, base.and_then(|base| base.metrics.get(metric)).copied()));
    let slices = head.slices.iter().flat_map(|(slice, metrics)| {
        metrics.iter().map(move |(metric, value)| {
            let base = base.and_then(|base| base.slices.get(slice)?.get(metric)).copied();
            row(format!("{metric}[slice={slice}]"), *value, base)
        })
    });
    whole.chain(slices).collect()
}

impl DiagnosticView {
    fn severity(&self) -> &'static str {
        match self.diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }

    /// The line with the marked characters emphasised.
    fn snippet(&self) -> Option<Html> {
        let line = self.source_line.as_deref()?;
        let from = self.diagnostic.column.saturating_sub(1) as usize;
        let length = self.diagnostic.length.max(1) as usize;
        let part = |skip: usize, take: usize| escape(&line.chars().skip(skip).take(take).collect::<String>());
        let (before, marked, after) = (part(0, from), part(from, length), part(from + length, usize::MAX));
        Some(Html(format!("{before}<mark>{marked}</mark>{after}")))
    }
}

/// A file's size for people.
pub(crate) fn size(bytes: u64) -> String {
    number::bytes(bytes as f64)
}

pub(crate) fn level(annotation: &Annotation) -> &'static str {
    match annotation.level {
        AnnotationLevel::Notice => "note",
        AnnotationLevel::Warning => "warning",
        AnnotationLevel::Failure => "error",
    }
}
