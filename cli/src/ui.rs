//! What people see: colour and spinners on a terminal, plain lines when piped.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// Whether to colour what goes to standard output. <https://no-color.org> is respected.
pub fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// The same for what goes to standard error.
pub fn colour_stderr() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Columns of the terminal; 100 when piped.
pub fn width() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => 100,
    }
}

/// A text in one of the few styles that we use.
pub fn paint(style: Style, text: &str) -> String {
    if !colour() {
        return text.to_owned();
    }
    let code = match style {
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Good => "32",
        Style::Bad => "31",
        Style::Link => "36",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Bold,
    Dim,
    Good,
    Bad,
    Link,
}

/// Writes a line to standard output; a closed pipe is the reader's choice, not our failure.
pub fn say(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout(), "{}", line.as_ref());
}

/// Something that takes a while: a spinner on a terminal, a line when it is done otherwise.
pub struct Task {
    bar: ProgressBar,
    what: String,
}

impl Task {
    pub fn start(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner();
            bar.set_style(
                ProgressStyle::with_template("{spinner:.cyan} {prefix} {msg:.dim} {elapsed:.dim}")
                    .expect("the template is a constant")
                    .tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "]),
            );
            bar.set_prefix(what.clone());
            bar.enable_steady_tick(Duration::from_millis(90));
            bar
        } else {
            ProgressBar::hidden()
        };
        Self { bar, what }
    }

    /// What it is doing at the moment.
    pub fn note(&self, text: impl Into<String>) {
        self.bar.set_message(text.into());
    }

    pub fn done(self, result: impl AsRef<str>) {
        self.end(Style::Good, "✓", result.as_ref());
    }

    pub fn failed(self, result: impl AsRef<str>) {
        self.end(Style::Bad, "✗", result.as_ref());
    }

    /// Leaves nothing behind: what was found is said otherwise.
    pub fn vanish(self) {
        self.bar.finish_and_clear();
    }

    fn end(self, style: Style, mark: &str, result: &str) {
        self.bar.finish_and_clear();
        let result = if result.is_empty() { String::new() } else { format!("  {}", paint(Style::Dim, result)) };
        say(format!("{} {}{result}", paint(style, mark), self.what));
    }
}
