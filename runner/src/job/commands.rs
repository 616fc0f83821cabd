//! Workflow commands: what a program says to the runner in its output, as on GitHub
//! (`::error file=a.py,line=3::message`). Commands that could change the environment from text in a
//! log (`set-env`, `add-path`) were abolished there (CVE-2020-15228) and fail the step; `set-output` does nothing here.

use workflows::protocol::{Annotation, AnnotationLevel};

/// A line that is a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// An annotation; also shown in the log.
    Annotate(Annotation),
    AddMask(String),
    Group(String),
    EndGroup,
    Debug(String),
    /// Until `::token::`, lines are text.
    StopCommands(String),
    /// Something that GitHub once did, or still does and will not for long.
    Abolished(String),
    /// What was abolished since text in a log must not change the environment: the step fails, as on GitHub.
    Refused(String),
}

/// Reads a line, without its line break. Anything else is text.
pub(super) fn parse(line: &str) -> Option<Command> {
    let body = line.trim_start().strip_prefix("::")?;
    let (head, message) = body.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let property = |wanted: &str| {
        let mut pairs = properties.split(',').filter_map(|p| p.trim().split_once('='));
        let (_, value) = pairs.find(|(key, _)| key.eq_ignore_ascii_case(wanted))?;
        Some(unescape(&value.replace("%3A", ":").replace("%2C", ","))).filter(|value| !value.is_empty())
    };
    let annotate = |level| {
        Command::Annotate(Annotation {
            path: property("file").unwrap_or_default(),
            line: property("line").and_then(|line| line.parse().ok()).unwrap_or(1),
            column: property("col").and_then(|column| column.parse().ok()),
            level,
            title: property("title"),
            message: unescape(message),
        })
    };
    let name = name.to_ascii_lowercase();
    Some(match name.as_str() {
        "error" => annotate(AnnotationLevel::Failure),
        "warning" => annotate(AnnotationLevel::Warning),
        "notice" => annotate(AnnotationLevel::Notice),
        "add-mask" => Command::AddMask(unescape(message)),
        "group" => Command::Group(unescape(message)),
        "endgroup" => Command::EndGroup,
        "debug" => Command::Debug(unescape(message)),
        "stop-commands" if !message.is_empty() => Command::StopCommands(message.to_owned()),
        "set-env" | "add-path" => Command::Refused(name),
        "set-output" | "save-state" => Command::Abolished(name),
        _ => return None,
    })
}

fn unescape(text: &str) -> String {
    text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_a_place_is_an_annotation() {
        let Some(Command::Annotate(annotation)) = parse("  ::error file=a%2Cb.py,line=3,col=7,title=Bad::no%0Agood::x")
        else {
            panic!("not an annotation")
        };
        assert_eq!((annotation.path.as_str(), annotation.line, annotation.column), ("a,b.py", 3, Some(7)));
        assert_eq!((annotation.title.as_deref(), annotation.message.as_str()), (Some("Bad"), "no\ngood::x"));
        assert_eq!(annotation.level, AnnotationLevel::Failure);
    }

    #[test]
    fn text_stays_text() {
        for line in ["", "::", "a ::error::x", "std::vec::Vec", "::unknown::x", ":error::x"] {
            assert_eq!(parse(line), None, "{line:?}");
        }
        assert_eq!(parse("::set-env name=PATH::x"), Some(Command::Refused("set-env".to_owned())));
        assert_eq!(parse("::set-output name=a::x"), Some(Command::Abolished("set-output".to_owned())));
    }
}
