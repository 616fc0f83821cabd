//! A job's log, cut into its steps.

use jiff::Timestamp;
use workflows::{
    protocol::{StepReport, StepState},
    run::Conclusion,
};

use crate::{Status, ansi, html::Html, run::step_took};

/// A part of a job's log, up to its end so far.
#[derive(Debug, Clone)]
pub struct LogView {
    /// Offset of `bytes` in the log: of a long log only the end is shown.
    pub start: u64,
    pub bytes: Vec<u8>,
    /// Nothing more will come.
    pub complete: bool,
}

impl LogView {
    /// As much of a log's end as a page should hold; the raw log has all of it.
    pub const PAGE_BYTES: u64 = 1 << 20;

    /// What a page shows: all of a complete log, of a growing one the lines that have ended. The script goes on from
    /// there, and must not find half a line shown already.
    fn shown(&self) -> &[u8] {
        let lines = self.bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        if self.complete { &self.bytes } else { &self.bytes[..lines] }
    }

    /// Offset in the log of the end of what a page shows.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.shown().len() as u64
    }
}

/// One step's part of the page: its line in the list and its lines of the log.
pub(crate) struct Section {
    /// `s1`, `s2`, …; `s0` before the first step, `end` after the last.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) took: String,
    /// Offset in the log where it begins; none while it has not.
    pub(crate) start: Option<u64>,
    pub(crate) lines: Vec<Html>,
    pub(crate) is_open: bool,
}

/// A job's log on its page.
pub(crate) struct Sections {
    pub(crate) list: Vec<Section>,
    /// Classes of the style that is switched on where the shown part ends.
    pub(crate) style: String,
}

/// A job's steps with their lines. Lines before the first step belong to setting up, those after the last to
/// completing; these two appear only where there are such lines, or where the log is still to come.
pub(crate) fn sections(steps: &[StepReport], log: Option<&LogView>, job: Status, now: Timestamp) -> Sections {
    let setup = Section {
        id: "s0".to_owned(),
        name: "Set up job".to_owned(),
        status: if job.is_live() && steps.iter().all(|s| start_of(&s.state).is_none()) {
            job
        } else {
            Status::Finished(Conclusion::Success)
        },
        took: String::new(),
        start: Some(0),
        lines: Vec::new(),
        is_open: false,
    };
    let mut sections = vec![setup];
    sections.extend(steps.iter().enumerate().map(|(i, step)| {
        let status = Status::of_step(&step.state);
        Section {
            id: format!("s{}", i + 1),
            name: step.name.clone(),
            status,
            took: step_took(&step.state, now),
            start: start_of(&step.state),
            lines: Vec::new(),
            is_open: status == Status::Running || status.tone() == "bad",
        }
    }));
    sections.push(Section {
        id: "end".to_owned(),
        name: "Complete job".to_owned(),
        status: if job.is_live() { Status::Waiting } else { Status::Finished(Conclusion::Success) },
        took: String::new(),
        start: end_of(steps),
        lines: Vec::new(),
        is_open: false,
    });
    let style = log.map(|log| fill(&mut sections, log)).unwrap_or_default().classes();
    let last = sections.len() - 1;
    // Without steps there is no other place to look at.
    sections[0].is_open = steps.is_empty() || sections[0].status == Status::Running;
    let is_shown = |(i, section): &(usize, Section)| {
        !section.lines.is_empty() || (1..last).contains(i) || (*i == 0 && job.is_live())
    };
    let list = sections.into_iter().enumerate().filter(is_shown).map(|(_, section)| section).collect();
    Sections { list, style }
}

fn start_of(step: &StepState) -> Option<u64> {
    match step {
        StepState::Pending => None,
        StepState::Running { log_start, .. } | StepState::Finished { log_start, .. } => Some(*log_start),
    }
}

/// Where the last step's part ends, once all steps have ended.
fn end_of(steps: &[StepReport]) -> Option<u64> {
    let mut end = None;
    for step in steps {
        match &step.state {
            StepState::Pending | StepState::Running { .. } => return None,
            StepState::Finished { log_end, .. } => end = end.max(Some(*log_end)),
        }
    }
    end
}

/// Gives each line to the last section that began at or before it.
fn fill(sections: &mut [Section], log: &LogView) -> ansi::Style {
    let mut offset = log.start;
    let mut current = 0;
    let mut style = ansi::Style::default();
    for bytes in log.shown().split_inclusive(|byte| *byte == b'\n') {
        let owner =
            sections.iter().rposition(|section| section.start.is_some_and(|start| start <= offset)).unwrap_or(0);
        if owner != current {
            // No step's colours run into the next.
            style = ansi::Style::default();
            current = owner;
        }
        offset += bytes.len() as u64;
        let text = String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(bytes));
        let html = ansi::line(&mut style, &text);
        sections[owner].lines.push(Html(html));
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections_of(steps: &[StepReport], log: Option<&LogView>, job: Status, now: Timestamp) -> Vec<Section> {
        sections(steps, log, job, now).list
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn finished(name: &str, log_start: u64, log_end: u64, conclusion: Conclusion) -> StepReport {
        let state = StepState::Finished {
            started_at: at(0),
            finished_at: at(2),
            log_start,
            log_end,
            outcome: conclusion,
            conclusion,
        };
        StepReport { name: name.to_owned(), state }
    }

    fn shown(sections: &[Section]) -> Vec<(&str, Vec<&str>, bool)> {
        let lines = |s: &'_ Section| s.lines.iter().map(|l| l.0.clone()).collect::<Vec<_>>();
        sections.iter().map(|s| (s.name.as_str(), lines(s), s.is_open)).map(|(n, l, o)| (n, leak(l), o)).collect()
    }

    fn leak(lines: Vec<String>) -> Vec<&'static str> {
        lines.into_iter().map(|line| &*line.leak()).collect()
    }

    #[test]
    fn lines_go_to_the_step_that_wrote_them() {
        let steps = [finished("one", 6, 10, Conclusion::Success), finished("two", 10, 14, Conclusion::Failure)];
        let log = LogView { start: 0, bytes: b"setup\none\ntwo\nend".to_vec(), complete: true };
        let sections = sections_of(&steps, Some(&log), Status::Finished(Conclusion::Failure), at(9));
        assert_eq!(
            shown(&sections),
            [
                ("Set up job", vec!["setup"], false),
                ("one", vec!["one"], false),
                ("two", vec!["two"], true),
                ("Complete job", vec!["end"], false)
            ]
        );
        assert_eq!(sections[1].took, "2.0 s");
    }

    #[test]
    fn a_step_that_runs_gets_what_comes_and_nothing_is_shown_of_what_does_not_exist() {
        let steps = [
            finished("one", 0, 4, Conclusion::Success),
            StepReport { name: "two".to_owned(), state: StepState::Running { started_at: at(2), log_start: 4 } },
            StepReport { name: "three".to_owned(), state: StepState::Pending },
        ];
        let log = LogView { start: 0, bytes: b"one\ntwo\n\x1b[1;31mred\nha".to_vec(), complete: false };
        let sections = sections_of(&steps, Some(&log), Status::Finished(Conclusion::Cancelled), at(9));
        assert_eq!(
            shown(&sections),
            [
                ("one", vec!["one"], false),
                ("two", vec!["two", "<span class=\"b f1\">red</span>"], true),
                ("three", vec![], false)
            ]
        );
    }

    #[test]
    fn of_a_growing_log_only_whole_lines_are_shown_and_what_is_switched_on_is_known() {
        let steps =
            [StepReport { name: "one".to_owned(), state: StepState::Running { started_at: at(2), log_start: 0 } }];
        let mut log = LogView { start: 5, bytes: b"a\n\x1b[1;31mred\nha".to_vec(), complete: false };
        assert_eq!(log.end(), 5 + 13);
        assert_eq!(sections(&steps, Some(&log), Status::Running, at(9)).style, "b f1");
        log.complete = true;
        assert_eq!(log.end(), 5 + 15);
    }

    #[test]
    fn a_log_that_is_cut_at_its_start_and_no_text_at_all_is_still_shown() {
        let steps = [finished("one", 0, 10, Conclusion::Success), finished("two", 10, 14, Conclusion::Success)];
        let log = LogView { start: 8, bytes: b"e\n\xff\xfe\x00\n".to_vec(), complete: true };
        let sections = sections_of(&steps, Some(&log), Status::Finished(Conclusion::Success), at(9));
        assert_eq!(shown(&sections), [("one", vec!["e"], false), ("two", vec!["\u{fffd}\u{fffd}\u{fffd}"], false)]);
    }

    #[test]
    fn before_any_step_the_setting_up_is_what_is_looked_at() {
        let sections = sections_of(&[], None, Status::Queued, at(0));
        assert_eq!(shown(&sections), [("Set up job", vec![], true)]);
    }
}
