//! What `assay/gate` says: [`workflows::report`] has the words, this knows what they are about.

use workflows::{
    gate::{Policy, Verdict},
    ids::{Digest, Sha},
    protocol::Isolation,
    report::{self, CheckOutput, CommitRef, Context, NothingJudged, Ran, Setting, nothing_judged},
    run::Conclusion,
};

use super::{Judged, baseline::decisive, evidence::Evidence};
use crate::{
    app::App,
    store::records::{Acceptance, Binding, FileOutcome, HeadCommit, Run, SelfChecked},
};

/// What a verdict, or its absence, is about.
pub(super) struct About<'a> {
    pub(super) app: &'a App,
    pub(super) commit: &'a HeadCommit,
    pub(super) base: Option<&'a Sha>,
    /// Stands in for the base where that has no results of its own.
    pub(super) ancestor: Option<&'a Sha>,
    pub(super) setting: Setting,
}

/// What was decided beside the verdict.
pub(super) struct Decided<'a> {
    pub(super) acceptance: Option<&'a Acceptance>,
    pub(super) self_check: Option<&'a SelfChecked>,
    pub(super) binding: Binding,
}

impl About<'_> {
    fn context(&self) -> Context {
        let name = |sha: &Sha| CommitRef { name: sha.short().to_owned(), url: None };
        Context {
            head: name(&self.commit.sha),
            base: self.base.map(name),
            run_url: Some(self.app.commit_url(self.commit)),
            setting: self.setting,
            ..Context::default()
        }
    }

    pub(super) fn nothing(&self, why: &NothingJudged) -> Judged {
        let (conclusion, output) = nothing_judged(why, &self.context());
        Judged::unjudged(conclusion, output)
    }

    pub(super) fn verdict(
        &self,
        found: Found,
        verdict: Verdict,
        head: &Evidence,
        failed: &[&Run],
        decided: Decided<'_>,
    ) -> Judged {
        let Decided { acceptance, self_check, binding } = decided;
        let Found { policy, file, changed } = found;
        let mut context = Context { policy_file: Some(file), gate_changed: changed, ..self.context() };
        context.ran = head.ran.clone();
        if let (Some(ancestor), Some(base)) = (self.ancestor, self.base) {
            let (ancestor, base) = (ancestor.short(), base.short());
            context.notes.push(format!(
                "The base {base} was not evaluated for all of this: where it was not, {ancestor}, its nearest evaluated \
                 ancestor, stands in for it."
            ));
        }
        let base = decisive(&self.commit.plannings).and_then(|planning| planning.base.as_ref());
        if let (None, Some(base)) = (self.base, base) {
            let base = base.short();
            context.notes.push(format!(
                "The base {base} was not evaluated: its own runs measured nothing, and no step could measure its model beside \
                 the head's. A model that a step makes is in no commit, and is kept by the runner that evaluated it: let the workflow run on \
                 {base}, or on what comes after it."
            ));
        }
        let repetitions = self.commit.repetitions.iter().enumerate();
        context.notes.extend(repetitions.map(|(n, repetition)| {
            let (most, reason) = (policy.defaults.repetitions, &repetition.reason);
            format!("Run #{} was repeated automatically ({} of {most}): {reason}", repetition.run, n + 1)
        }));
        for run in failed {
            let word = run.conclusion().map_or("not ended", Conclusion::as_str);
            context.notes.push(format!("Run #{} ({}) ended with {word}.", run.number, run.workflow_name));
        }
        context.notes.extend(self_check.map(|checked| {
            let said = if checked.check.is_false_alarm() { "raised a false alarm" } else { "raised no false alarm" };
            format!("The gate also judged the base against itself, as it does now and then, and {said}. That decides nothing here.")
        }));
        context.acceptance = acceptance.map(of_report);
        context.bound_to = bound_to(&binding);
        let mut output = report::check_run(&verdict, &context);
        let mut conclusion = report::conclusion(&verdict, &policy.defaults);
        if let Some(acceptance) = acceptance {
            conclusion = crate::acceptance::conclusion(&verdict, &policy, acceptance);
        }
        if let Some(run) = failed.first()
            && conclusion.passes()
        {
            conclusion = Conclusion::Failure;
            output.title = format!("Run #{} did not pass; of what it evaluated: {}", run.number, output.title);
        }
        Judged {
            conclusion,
            output,
            verdict: Some(verdict),
            base: self.base.cloned(),
            acceptance: acceptance.cloned(),
            binding: Some(binding),
            repetition: None,
            self_check: None,
        }
    }
}

fn bound_to(binding: &Binding) -> Vec<String> {
    let Binding { head, base, workflows, datasets } = binding;
    let short = |digest: &Digest| digest.hex().chars().take(12).collect::<String>();
    let base = base.as_ref().map_or_else(|| "no base".to_owned(), |base| format!("the base `{base}`"));
    let mut told = vec![format!("the head `{head}` and {base}")];
    told.extend(
        workflows.iter().map(|(file, digest)| format!("the workflow `{file}` as it ran (`{}`)", short(digest))),
    );
    told.extend(datasets.iter().map(|(of, digest)| format!("the data set of `{of}` (`{}`)", short(digest))));
    told
}

/// A decision in a report's words.
pub(crate) fn of_report(acceptance: &Acceptance) -> report::Acceptance {
    report::Acceptance {
        by: acceptance.by.name.clone(),
        at: acceptance.at.to_string(),
        reason: acceptance.reason.clone(),
        rules: acceptance.rules.iter().map(|rule| rule.metric.clone()).collect(),
    }
}

/// The policy that judges, and where it stands.
pub(super) struct Found {
    pub(super) policy: Policy,
    pub(super) file: String,
    /// The change under judgement has another one.
    pub(super) changed: bool,
}

/// Mistakes in workflow files; none where there are none.
pub(super) fn invalid_files(files: &[&FileOutcome]) -> Option<NothingJudged> {
    let mut found = Vec::new();
    for file in files {
        match file {
            FileOutcome::Invalid { diagnostics, .. } => found.extend(diagnostics.iter().cloned()),
            FileOutcome::Run { .. } | FileOutcome::NotSubscribed { .. } | FileOutcome::Filtered { .. } => {}
        }
    }
    (!found.is_empty()).then_some(NothingJudged::InvalidWorkflow(found))
}

/// Why no workflow ran.
pub(super) fn nothing_ran(files: &[&FileOutcome]) -> NothingJudged {
    let reason = |outcome: &&FileOutcome| match outcome {
        FileOutcome::NotSubscribed { file } => Some((file.clone(), "not started by this event".to_owned())),
        FileOutcome::Filtered { file, reason } => Some((file.clone(), reason.clone())),
        FileOutcome::Run { .. } | FileOutcome::Invalid { .. } => None,
    };
    NothingJudged::NoWorkflowMatched(files.iter().filter_map(reason).collect())
}

/// What the forge gave us cannot be used.
pub(super) fn unusable(reason: &str) -> Judged {
    let output = CheckOutput {
        title: "The commit cannot be judged".to_owned(),
        summary: reason.to_owned(),
        text: String::new(),
        annotations: vec![],
    };
    Judged::unjudged(Conclusion::Failure, output)
}

/// Where an evaluation ran, for people.
pub(super) fn ran(job: &str, evaluation: &workflows::evaluation::Evaluation, isolation: Isolation) -> Ran {
    let isolation = match isolation {
        Isolation::Bubblewrap => "bubblewrap",
        Isolation::None => "not isolated",
    };
    Ran {
        evaluation: evaluation.name.clone(),
        job: job.to_owned(),
        device: evaluation.provider.device.clone(),
        provider: evaluation.provider.requested.clone(),
        runtime: evaluation.provider.version.clone(),
        isolation: isolation.to_owned(),
        model: evaluation.model.path.clone(),
        dataset: evaluation.dataset.path.clone(),
        n: evaluation.n,
        reused: evaluation.cached,
        head_outcomes: None,
        base_outcomes: None,
    }
}
