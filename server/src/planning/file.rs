//! One workflow file of an event: broken, not wanted, or a run.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::{Map, Value};
use workflows::{
    event::{Event, EventKind},
    ids::{Digest, JobKey},
    plan::{self, Selection},
    run::{Conclusion, Group},
    syntax::{Actions, Called, Diagnostic, Severity, Workflow, check_actions, check_calls, gather_called},
};

use crate::{
    app::App,
    digest::digest,
    draft::{Draft, conclusion_keys},
    forge::WorkflowFile,
    runs::{self, Workflows},
    store::{
        Change, keys,
        records::{Delivery, FileOutcome, Run, RunState, Text},
    },
    workflow_cache::Parsed,
};

/// Workflows that one may call, with those that they call: each one's text is a key of the same commit.
pub(super) const MOST_CALLED: usize = 20;

/// Jobs that a new run may bring into the commit that makes it; more are written by its reconciliation.
pub(super) const FIRST_JOBS: usize = 16;

/// What is the same for every file of an event.
pub(super) struct Scene<'a> {
    pub(super) app: &'a App,
    pub(super) event: &'a Event,
    pub(super) delivery: &'a Delivery,
    /// All workflow files of the commit.
    pub(super) files: &'a [WorkflowFile],
    /// Those of the repository, as the event's commit has them.
    pub(super) actions: &'a Actions,
    /// Variables of the repository.
    pub(super) vars: &'a Map<String, Value>,
    pub(super) now: Timestamp,
}

impl Scene<'_> {
    /// Adds what the file comes to, its run included, to the commit that plans the event.
    pub(super) fn plan_file(
        &self,
        file: &WorkflowFile,
        changed: Option<&[String]>,
        last_run: &mut u64,
        change: &mut Change,
    ) -> FileOutcome {
        let text = digest(file.text.as_bytes());
        let parsed = self.app.workflows.parse(&file.path, &text, &file.text);
        let remarks = self.app.config.policy.applied_to(&parsed.diagnostics);
        let valid = parsed.workflow.as_ref().filter(|_| !remarks.iter().any(Diagnostic::is_error));
        let called = valid.map(|workflow| self.called(workflow));
        let (Some(workflow), Some(Ok(called))) = (valid, &called) else {
            *last_run += 1;
            let problems = called.and_then(Result::err).unwrap_or(remarks);
            let run = self.broken(file, &text, &parsed, problems, *last_run);
            change.unput(&keys::text(&text)).put(keys::text(&text), &Text { text: file.text.clone() });
            put_new(change, &run);
            let conclusion = run.conclusion().unwrap_or(Conclusion::Failure);
            conclusion_keys(&run, &run.branch, conclusion).into_iter().for_each(|key| _ = change.mark(key));
            let diagnostics = run.problems;
            return FileOutcome::Invalid { file: file.path.clone(), number: *last_run, diagnostics };
        };
        match plan::select(workflow, self.event, changed) {
            Selection::NotSubscribed => FileOutcome::NotSubscribed { file: file.path.clone() },
            Selection::Filtered(reason) => FileOutcome::Filtered { file: file.path.clone(), reason },
            Selection::Runs => {
                *last_run += 1;
                let texts = called.keys().filter_map(|path| self.file(path)).chain([file]);
                // Two files may have one text.
                for file in texts {
                    let key = keys::text(&digest(file.text.as_bytes()));
                    change.unput(&key).put(key, &Text { text: file.text.clone() });
                }
                let workflows = Workflows { own: workflow.clone(), called: called.clone() };
                let run = self.run(file, text, &workflows, *last_run);
                self.start(run, &workflows, change);
                FileOutcome::Run { file: file.path.clone(), number: *last_run }
            }
        }
    }

    fn file(&self, uses: &str) -> Option<&WorkflowFile> {
        self.files.iter().find(|file| file.path == runs::file_of(uses))
    }

    /// The workflows that one calls; what is wrong with these, with the calls and with the actions used, if anything is.
    fn called(&self, workflow: &Workflow) -> Result<Called, Vec<Diagnostic>> {
        let mut broken = Vec::new();
        let called = gather_called(workflow, |path| {
            let file = self.file(path)?;
            let parsed = self.app.workflows.parse(&file.path, &digest(file.text.as_bytes()), &file.text);
            broken.extend(parsed.diagnostics.iter().cloned());
            parsed.workflow
        });
        broken.extend(check_calls(workflow, &|path| called.get(path).map(|called| &**called)));
        for workflow in called.values().map(|called| &**called).chain([workflow]) {
            broken.extend(check_actions(&workflow.file, workflow.steps(), self.actions));
        }
        let mut problems: Vec<Diagnostic> = Vec::new();
        for diagnostic in self.app.config.policy.applied_to(&broken) {
            // Two workflows may use one action.
            if diagnostic.is_error() && !problems.contains(&diagnostic) {
                problems.push(diagnostic);
            }
        }
        if called.len() > MOST_CALLED {
            problems.push(too_many_called(workflow, called.len()));
        }
        if problems.is_empty() { Ok(called) } else { Err(problems) }
    }

    /// The run with as many of its first jobs as fit beside it.
    fn start(&self, run: Run, workflows: &Workflows, change: &mut Change) {
        put_new(change, &run);
        change.mark(keys::open_run(&run.repo, run.number));
        if run.group.is_some() {
            return;
        }
        let (payload, vars) = (self.event.payload.clone(), self.vars.clone());
        let contexts = runs::contexts_with(self.app, &run, &workflows.own, payload, vars);
        let mut draft = Draft::new(run, vec![]);
        draft.advance(workflows, &contexts, self.now);
        if draft.run.conclusion().is_none() && draft.changed_jobs() <= FIRST_JOBS {
            // The same key twice in a commit is refused: the second put replaces the first.
            change.unput(&keys::run(&draft.run.repo, draft.run.number));
            draft.write(change, FIRST_JOBS);
        }
    }

    fn run(&self, file: &WorkflowFile, text: Digest, workflows: &Workflows, number: u64) -> Run {
        let workflow = &workflows.own;
        let mut run = self.record(file, text, workflow.display_name(), number);
        run.groups = workflow.jobs.keys().map(|job| (JobKey::new(job, None), Group::Waiting)).collect();
        let texts = workflows.called.keys().filter_map(|path| Some((path.clone(), self.file(path)?)));
        run.called = texts.map(|(path, file)| (path, digest(file.text.as_bytes()))).collect();
        let (payload, vars) = (self.event.payload.clone(), self.vars.clone());
        let contexts = runs::contexts_with(self.app, &run, workflow, payload, vars);
        crate::concurrency::assign(&mut run, workflow, &contexts, self.now);
        run
    }

    /// The run of a file that cannot be run: in the history, with what is wrong.
    fn broken(
        &self,
        file: &WorkflowFile,
        text: &Digest,
        parsed: &Parsed,
        problems: Vec<Diagnostic>,
        number: u64,
    ) -> Run {
        let name = parsed.workflow.as_ref().map_or(file.path.as_str(), |workflow| workflow.display_name());
        let (started_at, finished_at, conclusion) = (self.now, self.now, Conclusion::Failure);
        Run {
            state: RunState::Completed { started_at, finished_at, conclusion },
            problems: problems.into_iter().take(MOST_PROBLEMS).collect(),
            ..self.record(file, text.clone(), name, number)
        }
    }

    /// What every run of this event has in common: under way since now, without jobs.
    fn record(&self, file: &WorkflowFile, text: Digest, name: &str, number: u64) -> Run {
        Run {
            repo: self.event.repo.clone(),
            number,
            attempt: 1,
            event: Event { payload: Value::Null, ..self.event.clone() },
            body: self.delivery.body.clone(),
            workflow_file: file.path.clone(),
            workflow_name: name.to_owned(),
            workflow: text,
            called: IndexMap::new(),
            head: self.event.kind.head().clone(),
            branch: branch(self.event),
            title: self.event.title().to_owned(),
            created_at: self.now,
            state: RunState::InProgress { started_at: self.now },
            cancel: None,
            group: None,
            groups: IndexMap::new(),
            problems: vec![],
        }
    }
}

/// What the run is listed under. A fork's branch may have the name of one of ours: `stranger:main`, as GitHub
/// shows it.
fn branch(event: &Event) -> String {
    match &event.kind {
        EventKind::PullRequest { from_fork: true, head_ref, .. } => {
            let label = event.payload.pointer("/pull_request/head/label").and_then(Value::as_str);
            let label = label.filter(|label| label.contains(':'));
            label.map_or_else(|| format!("fork:{head_ref}"), str::to_owned)
        }
        EventKind::PullRequest { .. }
        | EventKind::Push { .. }
        | EventKind::MergeGroup { .. }
        | EventKind::WorkflowDispatch { .. }
        | EventKind::RepositoryDispatch { .. }
        | EventKind::Schedule { .. } => event.branch().to_owned(),
    }
}

/// Remarks on one file that are kept; a file with more has one mistake at its root.
const MOST_PROBLEMS: usize = 100;

fn too_many_called(workflow: &Workflow, count: usize) -> Diagnostic {
    Diagnostic {
        file: workflow.file.clone(),
        line: 1,
        column: 1,
        length: 1,
        severity: Severity::Error,
        code: "too-many-called".to_owned(),
        message: format!("it calls {count} workflows, with those that they call; {MOST_CALLED} are allowed"),
        help: None,
    }
}

fn put_new(change: &mut Change, run: &Run) {
    change.put(keys::run(&run.repo, run.number), run);
    change.mark(keys::run_of(&run.repo, Some(&run.branch), None, run.number));
}
