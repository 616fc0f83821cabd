//! `assay/gate` where no verdict was reached: a required check must never hang.

use std::fmt::Write;

use super::{CheckOutput, Context, escape::plain};
use crate::{
    protocol::{Annotation, AnnotationLevel},
    run::Conclusion,
    syntax::{Diagnostic, Severity},
};

/// Why there is no verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum NothingJudged {
    /// A workflow file is wrong; these are its diagnostics.
    InvalidWorkflow(Vec<Diagnostic>),
    /// No workflow runs for this event: (file, the reason), empty where the repository has none.
    NoWorkflowMatched(Vec<(String, String)>),
    /// The workflow ran, and has no `gate:` section on the base branch.
    NoGate { gate_on_head: bool },
    /// A job ended before its evaluation did.
    JobFailed { job: String, conclusion: Conclusion, summary: Option<String> },
    /// All jobs succeeded or were skipped, and none evaluated anything.
    NothingEvaluated,
    /// The run was cancelled.
    Cancelled(String),
}

/// How the check run concludes, and what it says.
pub fn nothing_judged(why: &NothingJudged, context: &Context) -> (Conclusion, CheckOutput) {
    let (conclusion, title, mut body, annotations) = match why {
        NothingJudged::InvalidWorkflow(diagnostics) => invalid(diagnostics),
        NothingJudged::NoWorkflowMatched(reasons) => {
            let mut body = "No workflow runs for this change, so there is nothing to judge.\n\n".to_owned();
            for (file, reason) in reasons {
                let _ = writeln!(body, "- `{}`: {}", plain(file), plain(reason));
            }
            (Conclusion::Skipped, "Skipped: no workflow runs for this change".to_owned(), body, Vec::new())
        }
        NothingJudged::NoGate { gate_on_head } => {
            let mut body = "The workflow on the base branch has no `gate:` section, so nothing is judged.\n".to_owned();
            if *gate_on_head {
                body.push_str("\nThis change adds one: it judges from its merge on.\n");
            }
            (Conclusion::Neutral, "No gate: the base branch's workflow has none".to_owned(), body, Vec::new())
        }
        NothingJudged::JobFailed { job, conclusion, summary } => {
            let job = plain(job);
            let mut body = format!("The job `{job}` ended with `{conclusion}`, so there is nothing to judge.\n");
            if let Some(summary) = summary {
                let _ = write!(body, "\n> {}\n", plain(summary));
            }
            body.push_str("\nMend the job, or run it again if the machine was at fault.\n");
            let title = format!("Not judged: the job {job} ended with {conclusion}");
            (Conclusion::Failure, title, body, Vec::new())
        }
        NothingJudged::NothingEvaluated => {
            let body = "The gate has rules, and no job evaluated a model.\n\nAdd a step that `uses: assay/eval@v1`, or remove the \
                        `gate:` section.\n";
            (Conclusion::Failure, "Not judged: no job evaluated a model".to_owned(), body.to_owned(), Vec::new())
        }
        NothingJudged::Cancelled(reason) => {
            let body = format!("The run was cancelled before its verdict: {}\n", plain(reason));
            (Conclusion::Cancelled, "Cancelled before a verdict".to_owned(), body, Vec::new())
        }
    };
    if let Some(url) = &context.run_url {
        let _ = writeln!(body, "\n[The run's page]({url})");
    }
    (conclusion, CheckOutput::within_limits(&title, body, String::new(), annotations))
}

fn invalid(diagnostics: &[Diagnostic]) -> (Conclusion, String, String, Vec<Annotation>) {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let mut files: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.file.as_str()).collect();
    files.dedup();
    let (errors, them) =
        if errors == 1 { ("1 mistake".to_owned(), "it") } else { (format!("{errors} mistakes"), "them") };
    let title = format!("Invalid workflow: {errors} in {}", files.join(", "));
    let mut body = format!("The workflow cannot run: {errors}. `assay check` shows {them} before a push.\n\n");
    for diagnostic in diagnostics {
        let Diagnostic { file, line, column, message, help, .. } = diagnostic;
        let help = help.as_ref().map_or_else(String::new, |help| format!(" ({})", plain(help)));
        let _ = writeln!(body, "- `{}:{line}:{column}` {}{help}", plain(file), plain(message));
    }
    let annotate = |diagnostic: &Diagnostic| Annotation {
        path: diagnostic.file.clone(),
        line: diagnostic.line.max(1),
        column: Some(diagnostic.column.max(1)),
        level: match diagnostic.severity {
            Severity::Error => AnnotationLevel::Failure,
            Severity::Warning => AnnotationLevel::Warning,
            Severity::Note => AnnotationLevel::Notice,
        },
        title: Some(diagnostic.code.clone()),
        message: match &diagnostic.help {
            Some(help) => format!("{}; {help}", diagnostic.message),
            None => diagnostic.message.clone(),
        },
    };
    (Conclusion::Failure, title, body, diagnostics.iter().map(annotate).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(line: u32) -> Diagnostic {
        Diagnostic {
            file: ".assay/workflows/ci.yml".to_owned(),
            line,
            column: 3,
            length: 4,
            severity: Severity::Error,
            code: "unknown-key".to_owned(),
            message: "there is no key `stpes`".to_owned(),
            help: Some("did you mean `steps`?".to_owned()),
        }
    }

    #[test]
    fn an_invalid_workflow_is_annotated_where_it_is_wrong() {
        let why = NothingJudged::InvalidWorkflow(vec![diagnostic(7), diagnostic(9)]);
        let (conclusion, output) = nothing_judged(&why, &Context::default());
        assert_eq!(conclusion, Conclusion::Failure);
        assert_eq!(output.title, "Invalid workflow: 2 mistakes in .assay/workflows/ci.yml");
        assert_eq!((output.annotations[1].line, output.annotations[1].column), (9, Some(3)));
        assert!(
            output.summary.contains("`.assay/workflows/ci.yml:7:3` there is no key `stpes` (did you mean `steps`?)")
        );
    }

    #[test]
    fn every_reason_concludes() {
        let job = |conclusion| NothingJudged::JobFailed { job: "eval".to_owned(), conclusion, summary: None };
        let check = |why: NothingJudged, expected: Conclusion| {
            let (conclusion, output) = nothing_judged(&why, &Context::default());
            assert_eq!(conclusion, expected);
            assert!(!output.title.is_empty() && !output.summary.is_empty());
        };
        check(NothingJudged::NoWorkflowMatched(vec![("a.yml".into(), "no path matches".into())]), Conclusion::Skipped);
        check(NothingJudged::NoGate { gate_on_head: true }, Conclusion::Neutral);
        check(job(Conclusion::TimedOut), Conclusion::Failure);
        check(NothingJudged::NothingEvaluated, Conclusion::Failure);
        check(NothingJudged::Cancelled("a newer push".into()), Conclusion::Cancelled);
    }
}
