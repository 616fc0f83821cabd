//! The same table on a terminal.

use std::fmt::Write;

use super::{
    Context,
    text::{cells, headline, judged, next_steps, reason, several_evaluations, word},
};
use crate::gate::{Answer, RuleVerdict, Verdict, number};

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";

fn colour_of(answer: Answer) -> &'static str {
    match answer {
        Answer::Pass => "\x1b[32m",
        Answer::Fail => "\x1b[31m",
        Answer::Inconclusive => "\x1b[33m",
        Answer::NoBaseline => "\x1b[36m",
    }
}

/// The verdict as text of at most `width` columns where that can be: the interval is left out first,
/// then the allowed change. With `colour`, ANSI escapes.
pub fn terminal(verdict: &Verdict, context: &Context, colour: bool, width: usize) -> String {
    let paint = |code: &str, text: &str| if colour { format!("{code}{text}{RESET}") } else { text.to_owned() };
    let mut out = String::new();
    let headline = clean(&headline(verdict)).replace('`', "");
    let _ = writeln!(out, "{}", paint(&format!("{BOLD}{}", colour_of(verdict.verdict)), &headline));
    if let Some(base) = &context.base {
        let _ = writeln!(out, "{}", paint(DIM, &clean(&format!("{} → {}", base.name, context.head.name))));
    }
    if !verdict.rules.is_empty() {
        out.push('\n');
        table(&mut out, verdict, width, &paint);
    }
    for rule in verdict.rules.iter().filter(|rule| rule.verdict != Answer::Pass) {
        let _ = writeln!(out, "\n{}", wrap(&reason(rule), width, ""));
    }
    let worse = verdict.flips.iter().filter(|flip| flip.worse);
    if verdict.flipped.worse + verdict.flipped.better > 0 {
        let (wrong, right) = (number::thousands(verdict.flipped.worse), number::thousands(verdict.flipped.better));
        let _ = writeln!(out, "\n{wrong} examples became wrong, {right} became right.");
        for flip in worse.take(5) {
            let said = format!("  {}: is {}, was called {}, now {}", flip.id, flip.target, flip.base, flip.head);
            let _ = writeln!(out, "{}", paint(DIM, &clean(&said)));
        }
    }
    let reused: Vec<&str> = context.ran.iter().filter(|ran| ran.reused).map(|ran| ran.evaluation.as_str()).collect();
    let reused =
        (!reused.is_empty()).then(|| format!("Reused from earlier evaluations of the same: {}", reused.join(", ")));
    for note in reused.iter().chain(&context.notes).chain(&next_steps(verdict, context)) {
        let _ = writeln!(out, "\n{}", wrap(note, width, "  "));
    }
    out
}

fn table(out: &mut String, verdict: &Verdict, width: usize, paint: &dyn Fn(&str, &str) -> String) {
    let several = several_evaluations(verdict);
    let heads = ["", "metric", "base", "head", "change", "true change", "allowed"].map(str::to_owned);
    let mut rows = vec![(None, heads)];
    let mut how = vec![String::new()];
    for rule in &verdict.rules {
        how.push(clean(&judged_in_words(rule)));
        let [metric, base, head, change, interval, allowed] = cells(rule, several);
        let row =
            [word(rule.verdict).to_owned(), metric, base, head, change, interval, allowed].map(|cell| clean(&cell));
        rows.push((Some(rule.verdict), row));
    }
    let widths: Vec<usize> =
        (0..7).map(|column| rows.iter().map(|(_, row)| row[column].chars().count()).max().unwrap_or(0)).collect();
    let total = |columns: &[usize]| columns.iter().map(|column| widths[*column] + 2).sum::<usize>();
    let layouts: [&[usize]; 3] = [&[0, 1, 2, 3, 4, 5, 6], &[0, 1, 2, 3, 4, 6], &[0, 1, 2, 3, 4]];
    let columns = layouts.into_iter().find(|columns| total(columns) <= width + 2).unwrap_or(layouts[2]);
    for ((answer, row), how) in rows.iter().zip(&how) {
        let mut line = String::new();
        for column in columns {
            let cell = &row[*column];
            let pad = " ".repeat(widths[*column] - cell.chars().count() + 2);
            let cell = match (answer, column) {
                (None, _) => paint(DIM, cell),
                (Some(answer), 0) => paint(colour_of(*answer), cell),
                (Some(_), _) => cell.clone(),
            };
            let number = (2..=4).contains(column);
            // Numbers are read from their last digit.
            let (before, after) = if number { (&pad[2..], "  ") } else { ("", pad.as_str()) };
            let _ = write!(line, "{before}{cell}{after}");
        }
        let _ = writeln!(out, "{}", line.trim_end());
        if !how.is_empty() {
            let indent = " ".repeat(widths[0] + 2);
            for line in wrap(&format!("{indent}{how}"), width.saturating_sub(indent.len()), "").lines() {
                let _ = writeln!(out, "{indent}{}", paint(DIM, line));
            }
        }
    }
}

/// `mcnemar-midp, n 899, 40 worse and 3 better, p 0.0001 (corrected 0.0002), could have seen 1.20 pp`
fn judged_in_words(rule: &RuleVerdict) -> String {
    let [test, n, _, p, corrected, detectable] = judged(rule);
    let p = p.map(|p| match corrected.filter(|corrected| *corrected != p) {
        Some(corrected) => format!("p {p} (corrected {corrected})"),
        None => format!("p {p}"),
    });
    let discordant = rule.discordant.map(|pairs| {
        format!("{} worse and {} better", number::thousands(pairs.worse), number::thousands(pairs.better))
    });
    let n = n.map(|n| format!("n {n}"));
    let detectable = detectable.map(|size| format!("could have seen {size}"));
    [test, n, discordant, p, detectable].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Escapes in a data set's ids must not reach the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Units that stay with their number.
const UNITS: [&str; 7] = ["pp", "%", "ms", "B", "kB", "MB", "GB"];

fn wrap(text: &str, width: usize, indent: &str) -> String {
    let text = clean(text);
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let is_unit = UNITS.contains(&word.trim_end_matches([',', '.', ';', ':', ')']));
        match words.last_mut().filter(|last| is_unit && last.ends_with(|c: char| c.is_ascii_digit())) {
            Some(number) => *number += &format!(" {word}"),
            None => words.push(word.to_owned()),
        }
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in &words {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width.max(20) {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Ran, text::sample};

    #[test]
    fn it_fits_the_width_and_keeps_the_verdict() {
        let verdict = sample(&[Answer::Fail, Answer::Pass, Answer::Inconclusive]);
        for width in [60, 80, 120] {
            let text = terminal(&verdict, &Context::default(), false, width);
            assert!(text.starts_with("Failed: 1 of 3 rules are broken: accuracy"), "{text}");
            assert!(text.lines().skip(1).all(|line| line.chars().count() <= width), "{width}:\n{text}");
            assert_eq!(text.contains("true change"), width >= 120, "{text}");
        }
    }

    #[test]
    fn a_number_and_its_unit_stay_on_one_line() {
        assert_eq!(wrap("could have seen 2.84 pp, or less", 22, ""), "could have seen\n2.84 pp, or less");
        assert_eq!(wrap("at most 95 % of them are told", 20, ""), "at most 95 % of them\nare told");
    }

    #[test]
    fn a_reused_result_is_said_to_be_one() {
        let ran = |evaluation: &str, reused| Ran { evaluation: evaluation.to_owned(), reused, ..Ran::default() };
        let context = Context { ran: vec![ran("old", true), ran("new", false)], ..Context::default() };
        let text = terminal(&sample(&[Answer::Pass]), &context, false, 100);
        assert!(text.contains("\nReused from earlier evaluations of the same: old\n"), "{text}");
    }

    #[test]
    fn escapes_come_from_us_alone() {
        let mut verdict = sample(&[Answer::Fail]);
        verdict.flips[0].id = "\x1b]0;owned\x07".to_owned();
        verdict.rules[0].metric = "\x1b[31m".to_owned();
        assert!(!terminal(&verdict, &Context::default(), false, 100).contains('\x1b'));
        assert!(terminal(&verdict, &Context::default(), true, 100).contains("\x1b[31mfail"));
    }
}
