//! How far something has come, as an icon *and* a word: never by colour alone.

use workflows::{gate::Answer, protocol::StepState, run::Conclusion};

use crate::html::Html;

/// How far a run, a job or a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// For other jobs to end.
    Waiting,
    /// For a runner.
    Queued,
    Running,
    Finished(Conclusion),
}

impl Status {
    /// Whether the page that shows it must look again.
    pub fn is_live(self) -> bool {
        match self {
            Status::Waiting | Status::Queued | Status::Running => true,
            Status::Finished(_) => false,
        }
    }

    pub(crate) fn of_step(step: &StepState) -> Self {
        match step {
            StepState::Pending => Status::Waiting,
            StepState::Running { .. } => Status::Running,
            StepState::Finished { conclusion, .. } => Status::Finished(*conclusion),
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Status::Waiting => "Waiting",
            Status::Queued => "Queued",
            Status::Running => "Running",
            Status::Finished(Conclusion::Success) => "Passed",
            Status::Finished(Conclusion::Failure) => "Failed",
            Status::Finished(Conclusion::Neutral) => "Neutral",
            Status::Finished(Conclusion::Cancelled) => "Cancelled",
            Status::Finished(Conclusion::Skipped) => "Skipped",
            Status::Finished(Conclusion::TimedOut) => "Timed out",
            Status::Finished(Conclusion::ActionRequired) => "Needs action",
        }
    }

    /// The class that colours it.
    pub(crate) fn tone(self) -> &'static str {
        match self {
            Status::Waiting | Status::Queued => "muted",
            Status::Running => "busy",
            Status::Finished(Conclusion::Success) => "good",
            Status::Finished(Conclusion::Failure | Conclusion::TimedOut) => "bad",
            Status::Finished(Conclusion::ActionRequired) => "warn",
            Status::Finished(Conclusion::Neutral | Conclusion::Cancelled | Conclusion::Skipped) => "muted",
        }
    }

    fn shape(self) -> Shape {
        match self {
            Status::Waiting | Status::Queued => Shape::Clock,
            Status::Running => Shape::Spinner,
            Status::Finished(Conclusion::Success) => Shape::Check,
            Status::Finished(Conclusion::Failure) => Shape::Cross,
            Status::Finished(Conclusion::TimedOut) => Shape::Clock,
            Status::Finished(Conclusion::ActionRequired) => Shape::Bang,
            Status::Finished(Conclusion::Neutral) => Shape::Dash,
            Status::Finished(Conclusion::Cancelled | Conclusion::Skipped) => Shape::Slash,
        }
    }

    /// The icon alone, with the word for those who cannot see it.
    pub(crate) fn icon(self) -> Html {
        icon(self.shape(), self.tone(), Some(self.word()))
    }

    /// Icon and word.
    pub(crate) fn badge(self) -> Html {
        badge(self.shape(), self.tone(), self.word())
    }
}

/// The gate's answers, in the same manner.
pub(crate) fn answer_word(answer: Answer) -> &'static str {
    match answer {
        Answer::Pass => "Pass",
        Answer::Fail => "Fail",
        Answer::Inconclusive => "Inconclusive",
        Answer::NoBaseline => "No baseline",
    }
}

pub(crate) fn answer_tone(answer: Answer) -> &'static str {
    match answer {
        Answer::Pass => "good",
        Answer::Fail => "bad",
        Answer::Inconclusive => "warn",
        Answer::NoBaseline => "muted",
    }
}

fn answer_shape(answer: Answer) -> Shape {
    match answer {
        Answer::Pass => Shape::Check,
        Answer::Fail => Shape::Cross,
        Answer::Inconclusive => Shape::Question,
        Answer::NoBaseline => Shape::Dash,
    }
}

pub(crate) fn answer_badge(answer: Answer) -> Html {
    badge(answer_shape(answer), answer_tone(answer), answer_word(answer))
}

/// The answer in other words than its own.
pub(crate) fn answer_as(answer: Answer, word: &str) -> Html {
    badge(answer_shape(answer), answer_tone(answer), word)
}

pub(crate) fn answer_icon(answer: Answer) -> Html {
    icon(answer_shape(answer), answer_tone(answer), None)
}

#[derive(Clone, Copy)]
enum Shape {
    Check,
    Cross,
    Dash,
    Slash,
    Question,
    Bang,
    Clock,
    Spinner,
}

fn badge(shape: Shape, tone: &str, word: &str) -> Html {
    Html(format!("<span class=\"badge {tone}\">{}{word}</span>", icon(shape, tone, None)))
}

/// A 16×16 drawing in the tone's colour; `.cut` is drawn in the background's colour.
fn icon(shape: Shape, tone: &str, label: Option<&str>) -> Html {
    let disc = "<circle cx=\"8\" cy=\"8\" r=\"7\" fill=\"currentColor\"/>";
    let ring = "<circle cx=\"8\" cy=\"8\" r=\"6.1\" class=\"line\"/>";
    let inner = match shape {
        Shape::Check => format!("{disc}<path class=\"cut\" d=\"M4.8 8.4l2.2 2.2 4.3-4.9\"/>"),
        Shape::Cross => format!("{disc}<path class=\"cut\" d=\"M5.4 5.4l5.2 5.2m0-5.2l-5.2 5.2\"/>"),
        Shape::Dash => format!("{disc}<path class=\"cut\" d=\"M4.9 8h6.2\"/>"),
        Shape::Bang => format!("{disc}<path class=\"cut\" d=\"M8 4.4v4.4m0 2.4v.2\"/>"),
        Shape::Question => {
            format!("{disc}<path class=\"cut\" d=\"M6 6.3a2 2 0 1 1 3.1 1.7c-.7.4-1.1.8-1.1 1.5m0 1.9v.2\"/>")
        }
        Shape::Slash => format!("{ring}<path class=\"line\" d=\"M4.3 11.7l7.4-7.4\"/>"),
        Shape::Clock => format!("{ring}<path class=\"line\" d=\"M8 4.8v3.4l2.3 1.4\"/>"),
        Shape::Spinner => {
            format!("<g class=\"track\">{ring}</g><path class=\"line spin\" d=\"M8 1.9a6.1 6.1 0 0 1 6.1 6.1\"/>")
        }
    };
    let naming = match label {
        Some(label) => format!("role=\"img\" aria-label=\"{label}\""),
        None => "aria-hidden=\"true\"".to_owned(),
    };
    let title = label.map(|label| format!("<title>{label}</title>")).unwrap_or_default();
    Html(format!(
        "<svg class=\"icon {tone}\" width=\"16\" height=\"16\" viewBox=\"0 0 16 16\" {naming}>{title}{inner}</svg>"
    ))
}
