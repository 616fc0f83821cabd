//! `/{owner}/{repo}/self-checks`: how often the gate raises a false alarm, as it measured itself.

use std::fmt::Write;

use askama::Template;
use jiff::Timestamp;
use workflows::{
    gate::{FalseAlarms, SelfCheck, Standing},
    ids::{RepoName, Sha},
};

use crate::{
    assets, format,
    html::{self, Html},
    number, status, urls,
};

/// The measured false-alarm rate of a repository's gate.
#[derive(Debug, Clone, Template)]
#[template(path = "self-checks.html")]
pub struct SelfChecksPage {
    pub now: Timestamp,
    pub repo: RepoName,
    pub false_alarms: FalseAlarms,
    /// Newest first; perhaps not all that were counted.
    pub checks: Vec<SelfCheckRow>,
}

/// One base, judged against itself.
#[derive(Debug, Clone)]
pub struct SelfCheckRow {
    pub head: Sha,
    pub base: Sha,
    /// That measured the base twice.
    pub run: u64,
    pub at: Timestamp,
    pub check: SelfCheck,
}

const WIDTH: f64 = 520.0;
const PAD: f64 = 10.0;

impl SelfChecksPage {
    pub fn render(&self) -> String {
        html::render(self)
    }

    fn tone(&self) -> &'static str {
        match self.false_alarms.standing {
            Standing::Unmeasured => "muted",
            Standing::Kept => "good",
            Standing::Open { .. } => "warn",
            Standing::Broken => "bad",
        }
    }

    fn title(&self) -> &'static str {
        match self.false_alarms.standing {
            Standing::Unmeasured => "Not measured yet",
            Standing::Kept => "False alarms are at most as frequent as the gate declares",
            Standing::Open { .. } => "Too few self-checks to say whether false alarms are as rare as declared",
            Standing::Broken => "False alarms are more frequent than the gate declares",
        }
    }

    /// What was counted.
    fn counted(&self) -> String {
        let FalseAlarms { alarms, of, .. } = self.false_alarms;
        let checks = format::count(of as usize, "self-check", "self-checks");
        let alarms = format::count(alarms as usize, "false alarm", "false alarms");
        match self.false_alarms.rate() {
            None => "No self-check has been made.".to_owned(),
            Some(rate) => format!("{alarms} in {checks}: {}.", percent(rate)),
        }
    }

    /// What follows from it.
    fn meaning(&self) -> String {
        let FalseAlarms { interval: (low, high), declared, .. } = self.false_alarms;
        let range = format!("between {} and {}", percent(low), percent(high));
        let declared = percent(declared);
        match self.false_alarms.standing {
            Standing::Unmeasured => String::new(),
            Standing::Kept => format!("The true rate is {range} (95 % sure), and at most {declared} is declared."),
            Standing::Open { enough } => format!(
                "The true rate is {range} (95 % sure), and at most {declared} is declared: both are possible. With {} \
                 self-checks and no further alarm it would be shown.",
                number::integer(enough)
            ),
            Standing::Broken => format!(
                "The true rate is {range} (95 % sure), and only {declared} is declared. Something that the gate takes for \
                 independent is not: look for what disturbs the measurements listed below."
            ),
        }
    }

    /// The interval as a bar, the measured rate as a dot on it, and what is declared as a shaded field.
    fn drawing(&self) -> Html {
        let FalseAlarms { interval: (low, high), declared, .. } = self.false_alarms;
        let Some(rate) = self.false_alarms.rate() else { return Html::default() };
        let most = high.max(declared) * 1.1;
        let x = |share: f64| PAD + share / most * (WIDTH - 2.0 * PAD);
        let (zero, end, from, to) = (x(0.0), x(declared), x(low), x(high));
        let mut svg = String::new();
        let _ = write!(svg, "<rect class=\"ok\" x=\"{zero:.1}\" y=\"3\" width=\"{:.1}\" height=\"22\"/>", end - zero);
        let _ =
            write!(svg, "<path class=\"zero\" d=\"M{zero:.1} 1v26\"/><path class=\"margin\" d=\"M{end:.1} 1v26\"/>");
        let _ = write!(svg, "<path class=\"bar\" d=\"M{from:.1} 14H{to:.1}M{from:.1} 10v8M{to:.1} 10v8\"/>");
        let _ = write!(svg, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"14\" r=\"4\"/>", x(rate));
        let label = format!(
            "Measured {}, between {} and {}; declared at most {}",
            percent(rate),
            percent(low),
            percent(high),
            percent(declared)
        );
        let tone = self.tone();
        Html(format!(
            "<svg class=\"interval rate {tone}\" width=\"{WIDTH}\" height=\"28\" viewBox=\"0 0 {WIDTH} 28\" role=\"img\" \
             aria-label=\"{label}\"><title>{label}</title>{svg}</svg>"
        ))
    }

    fn unlisted(&self) -> Option<String> {
        let rest = (self.false_alarms.of as usize).saturating_sub(self.checks.len());
        (rest > 0).then(|| format!("{} are counted and not listed.", format::count(rest, "older one", "older ones")))
    }
}

impl SelfCheckRow {
    fn said(&self) -> Html {
        let word = if self.check.is_false_alarm() { "false alarm" } else { "no alarm" };
        status::answer_as(self.check.verdict, word)
    }

    /// The rules that cried wolf, with the change that they saw.
    fn alarms(&self) -> String {
        let told = |rule: &workflows::gate::RuleVerdict| {
            let change =
                rule.change.map_or_else(String::new, |change| format!(" {}", number::change(&rule.metric, change)));
            format!("{}{change} ({})", rule.metric, rule.allowed)
        };
        self.check.alarms.iter().map(told).collect::<Vec<_>>().join(", ")
    }
}

/// `1.3 %`: a share for people.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent > 0.0 && percent < 0.95 { 2 } else { 1 };
    let text = format!("{percent:.digits$}");
    format!("{}\u{a0}%", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_read_as_percents() {
        for (share, text) in [(0.0, "0"), (0.05, "5"), (0.0125, "1.2"), (0.0013, "0.13"), (1.0, "100"), (0.0096, "1")] {
            assert_eq!(percent(share), format!("{text}\u{a0}%"));
        }
    }
}
