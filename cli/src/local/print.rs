//! A run as it happens, on a terminal: jobs, steps, and what they print.

use std::io::Write;

use workflows::{
    ids::JobId,
    plan::Preview,
    protocol::{JobResult, StepReport, StepState},
    run::Conclusion,
    syntax::Diagnostic,
};

use crate::ui::{self, Style, paint};

/// Writes to standard error where standard output is for one JSON document.
pub(super) struct Printer {
    to_stderr: bool,
    /// How many steps of the current job have been announced, and how many have been seen to end.
    announced: usize,
    ended: usize,
    line: Vec<u8>,
    /// Inside a `##[group]`, which a page would show folded.
    folded: bool,
    /// Jobs and how they ended, without steps and logs.
    pub(super) quiet: bool,
}

impl Printer {
    pub(super) fn new(to_stderr: bool) -> Self {
        Self { to_stderr, announced: 0, ended: 0, line: Vec::new(), folded: false, quiet: false }
    }

    pub(super) fn say(&self, line: &str) {
        // A closed pipe is the reader's choice.
        let _ = match self.to_stderr {
            true => writeln!(std::io::stderr(), "{line}"),
            false => writeln!(std::io::stdout(), "{line}"),
        };
    }

    pub(super) fn job(&mut self, name: &str) {
        (self.announced, self.ended) = (0, 0);
        self.say(&paint(Style::Bold, &format!("● {name}")));
    }

    pub(super) fn steps(&mut self, steps: &[StepReport]) {
        if self.quiet {
            return;
        }
        for (index, step) in steps.iter().enumerate() {
            if index >= self.announced && !matches!(step.state, StepState::Pending) {
                self.flush();
                self.announced = index + 1;
                if matches!(step.state, StepState::Running { .. }) {
                    self.say(&format!("  {} {}", paint(Style::Dim, "▸"), step.name));
                }
            }
            if let StepState::Finished { outcome, .. } = &step.state
                && index >= self.ended
            {
                self.flush();
                self.ended = index + 1;
                if *outcome != Conclusion::Success {
                    self.say(&format!(
                        "  {} {}",
                        mark(*outcome),
                        paint(Style::Dim, &format!("{}: {outcome}", step.name))
                    ));
                }
            }
        }
    }

    /// Prints whole lines; the rest waits for its end.
    pub(super) fn log(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.flush();
            } else {
                self.line.push(byte);
            }
        }
    }

    fn flush(&mut self) {
        if !self.line.is_empty() {
            let line = String::from_utf8_lossy(&self.line).trim_end().to_owned();
            self.line.clear();
            if let Some(line) = self.shown(&line) {
                self.say(&format!("    {line}"));
            }
        }
    }

    /// A line of the log as a person reads it; none for what a page would fold away.
    fn shown(&mut self, line: &str) -> Option<String> {
        let (level, text) = match line.strip_prefix("##[").and_then(|rest| rest.split_once(']')) {
            Some((level, text)) => (level, text),
            None => ("", line),
        };
        let hidden = self.folded || self.quiet;
        match level {
            "group" => self.folded = true,
            "endgroup" => self.folded = false,
            "error" => return (!self.quiet).then(|| paint(Style::Bad, &format!("error: {text}"))),
            "warning" if !hidden => return Some(paint(Style::Bold, &format!("warning: {text}"))),
            "notice" | "debug" if !hidden => return Some(paint(Style::Dim, &format!("{level}: {text}"))),
            _ if !hidden => return Some(paint(Style::Dim, line)),
            _ => {}
        }
        None
    }

    pub(super) fn ended(&mut self, name: &str, result: &JobResult) {
        self.flush();
        let summary = result.summary.as_deref().map(|s| format!(": {s}")).unwrap_or_default();
        self.say(&format!("{} {name} {}{summary}", mark(result.conclusion), result.conclusion));
    }

    pub(super) fn skipped(&mut self, name: &str) {
        self.say(&format!("{} {name} skipped", mark(Conclusion::Skipped)));
    }

    pub(super) fn cancelled(&mut self, name: &str, why: &str) {
        self.say(&format!("{} {name} cancelled: {why}", mark(Conclusion::Cancelled)));
    }

    pub(super) fn problem(&mut self, diagnostic: &Diagnostic) {
        let Diagnostic { file, line, column, message, .. } = diagnostic;
        self.say(&format!("{} {file}:{line}:{column}: {message}", mark(Conclusion::Failure)));
    }
}

/// What a workflow would run, a line a job.
pub(super) fn plan(plan: &Preview) {
    let Preview { workflow, file, event, reason, jobs, skipped, later, .. } = plan;
    ui::say(format!("{}  {file}, on {event}", paint(Style::Bold, workflow)));
    if let Some(reason) = reason {
        ui::say(format!("  does not run: {reason}"));
    }
    let width = jobs.iter().map(|job| job.name.chars().count()).max().unwrap_or(0);
    for job in jobs {
        let needs: Vec<&str> = job.needs.iter().map(JobId::as_str).collect();
        let after = if needs.is_empty() { String::new() } else { format!(", after {}", needs.join(", ")) };
        let name = format!("{:width$}", job.name);
        ui::say(format!("  {name}  {}", paint(Style::Dim, &format!("on {}{after}", job.runs_on.join(", ")))));
    }
    for skip in skipped {
        ui::say(format!("  {}  {}", skip.name, paint(Style::Dim, "skipped: its condition is false")));
    }
    for later in later {
        ui::say(format!("  {}  {}", later.id, paint(Style::Dim, &format!("known later: {}", later.reason))));
    }
}

fn mark(conclusion: Conclusion) -> String {
    match conclusion {
        Conclusion::Success => paint(Style::Good, "✓"),
        Conclusion::Failure | Conclusion::TimedOut | Conclusion::ActionRequired => paint(Style::Bad, "✗"),
        Conclusion::Neutral | Conclusion::Skipped | Conclusion::Cancelled => paint(Style::Dim, "○"),
    }
}
