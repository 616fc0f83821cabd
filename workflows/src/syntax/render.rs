//! Diagnostics for people and for GitHub's log.

use super::{Diagnostic, Severity};

/// How a diagnostic's words are made to stand out on a terminal.
pub struct Paint {
    /// Escape sequences for error, warning, note, and what is dim; and the end of each.
    colours: Option<[&'static str; 5]>,
}

impl Paint {
    pub const PLAIN: Paint = Paint { colours: None };
    pub const ANSI: Paint = Paint { colours: Some(["\x1b[1;31m", "\x1b[1;33m", "\x1b[1;36m", "\x1b[2m", "\x1b[0m"]) };

    fn severity(&self, severity: Severity, text: &str) -> String {
        let index = match severity {
            Severity::Error => 0,
            Severity::Warning => 1,
            Severity::Note => 2,
        };
        self.paint(index, text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint(3, text)
    }

    fn paint(&self, index: usize, text: &str) -> String {
        match self.colours {
            Some(colours) => format!("{}{text}{}", colours[index], colours[4]),
            None => text.to_owned(),
        }
    }
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// A diagnostic with its line of the source underlined, several lines ending in a line break:
///
/// ```text
/// error[unknown-key]: unknown key `step`
///   --> w.yml:5:5
///   |
/// 5 |     step:
///   |     ^^^^ did you mean `steps`?
/// ```
pub fn to_text(diagnostic: &Diagnostic, source: &str, paint: &Paint) -> String {
    let Diagnostic { file, line, column, length, severity, code, message, help } = diagnostic;
    let head = paint.severity(*severity, &format!("{}[{code}]", severity.as_str()));
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let bar = paint.dim("|");
    let mut text = format!("{head}: {message}\n{margin} {} {file}:{line}:{column}\n", paint.dim("-->"));
    let shown = source.lines().nth((*line as usize).saturating_sub(1)).map(|line| window(line, *column as usize));
    if let Some((shown, before)) = shown.filter(|(shown, _)| !shown.trim().is_empty()) {
        let room = shown.chars().count().saturating_sub(before).max(1);
        let marks = "^".repeat((*length as usize).clamp(1, room));
        let marks = paint.severity(*severity, &marks);
        let help = help.as_deref().unwrap_or_default();
        text.push_str(&format!("{margin} {bar}\n{} {bar} {shown}\n", paint.dim(&number)));
        text.push_str(format!("{margin} {bar} {}{marks} {help}", " ".repeat(before)).trim_end());
        text.push('\n');
    } else if let Some(help) = help {
        text.push_str(&format!("{margin} = {help}\n"));
    }
    text
}

/// The part of a long line around a column, control characters as spaces; and the characters in it
/// before the column.
fn window(line: &str, column: usize) -> (String, usize) {
    const WIDTH: usize = 110;
    let before = column.saturating_sub(1);
    let start = if before < WIDTH - 20 { 0 } else { before - 40 };
    let shown = line.chars().skip(start).take(WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    (shown, before - start)
}

/// A workflow command that GitHub shows as an annotation: `::error file=w.yml,line=5,col=5,title=…::…`
pub fn to_github(diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let help = diagnostic.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!(
        "::{level} file={},line={},col={},title={}::{}{}",
        property(&diagnostic.file),
        diagnostic.line,
        diagnostic.column,
        property(&diagnostic.code),
        data(&diagnostic.message),
        data(&help),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse;

    #[test]
    fn the_place_is_underlined() {
        let source = "on: push\njobs:\n  a:\n    runs-on: x\n    step: []\n";
        let (_, diagnostics) = parse("w.yml", source);
        let expected = "error[unknown-key]: unknown key `step`\n  --> w.yml:5:5\n  |\n5 |     step: []\n  |     ^^^^ did you mean `steps`?\n";
        assert_eq!(to_text(&diagnostics[0], source, &Paint::PLAIN), expected);
        assert!(to_text(&diagnostics[0], source, &Paint::ANSI).contains("\x1b[1;31m^^^^\x1b[0m"));
        // A file that has changed since, and a line without end.
        assert!(to_text(&diagnostics[0], "", &Paint::PLAIN).ends_with("= did you mean `steps`?\n"));
        let long = format!("{}x", " ".repeat(1000));
        let far = Diagnostic { line: 1, column: 1001, ..diagnostics[0].clone() };
        assert!(to_text(&far, &long, &Paint::PLAIN).lines().all(|line| line.len() < 130));
    }

    #[test]
    fn annotations_cannot_be_forged() {
        let (_, mut diagnostics) = parse("w.yml", "on: push\njobs: {}\n");
        diagnostics[0].message = "a\n::set-output name=x::y, 100%".to_owned();
        let command = to_github(&diagnostics[0]);
        assert_eq!(command, "::error file=w.yml,line=2,col=7,title=no-jobs::a%0A::set-output name=x::y, 100%25");
    }
}
