//! The gate's answer: a sentence for everyone, then a table for those who want to know how sure it is.

use askama::Template;
use workflows::{
    gate::{Answer, Flip, RuleVerdict, Verdict},
    ids::{RepoName, Sha},
};

use crate::{format, html::Html, interval, number, status, urls};

/// Rules that hold are folded away when there are more of them than this.
const OPEN_PASSES: usize = 6;

#[derive(Template)]
#[template(path = "verdict.html")]
struct Section<'a> {
    verdict: &'a Verdict,
    repo: &'a RepoName,
    head: &'a Sha,
    base: Option<&'a Sha>,
    base_run: Option<u64>,
    /// Rows that matter, worst first; then those that are folded.
    open: Vec<Row<'a>>,
    folded: Vec<Row<'a>>,
    flips: Vec<&'a Flip>,
}

struct Row<'a> {
    rule: &'a RuleVerdict,
}

/// The section of a page that shows a verdict.
pub(crate) fn section(
    verdict: &Verdict,
    repo: &RepoName,
    head: &Sha,
    base: Option<&Sha>,
    base_run: Option<u64>,
) -> Html {
    let mut rules: Vec<&RuleVerdict> = verdict.rules.iter().collect();
    rules.sort_by_key(|rule| weight(rule.verdict));
    let passes = rules.iter().filter(|rule| rule.verdict == Answer::Pass).count();
    let is_folded = |row: &Row<'_>| row.rule.verdict == Answer::Pass && passes > OPEN_PASSES;
    let (folded, open): (Vec<_>, Vec<_>) = rules.into_iter().map(|rule| Row { rule }).partition(is_folded);
    let mut flips: Vec<&Flip> = verdict.flips.iter().collect();
    flips.sort_by_key(|flip| !flip.worse);
    let section = Section { verdict, repo, head, base, base_run, open, folded, flips };
    Html(crate::html::render(&section))
}

/// What a reader must see first comes first.
fn weight(answer: Answer) -> u8 {
    match answer {
        Answer::Fail => 0,
        Answer::Inconclusive => 1,
        Answer::NoBaseline => 2,
        Answer::Pass => 3,
    }
}

impl Section<'_> {
    fn title(&self) -> &'static str {
        match self.verdict.verdict {
            Answer::Pass if self.verdict.rules.is_empty() => "The gate passes: it has no rules",
            Answer::Pass => "The gate passes: nothing got worse than allowed",
            Answer::Fail => "The gate blocks this change",
            Answer::Inconclusive if !self.verdict.nondeterministic.is_empty() => {
                "The gate cannot tell: the same model gives other answers each time"
            }
            Answer::Inconclusive => "The gate cannot tell: there are too few examples to be sure",
            Answer::NoBaseline => "There is nothing to compare with yet",
        }
    }

    /// Why, in the words of the rules that decided; at most three.
    fn reasons(&self) -> Vec<String> {
        let decided = |rule: &&RuleVerdict| rule.verdict == self.verdict.verdict && rule.verdict != Answer::Pass;
        let mut reasons: Vec<String> =
            self.verdict.rules.iter().filter(decided).map(|rule| sentence(&rule.reason)).collect();
        // `There is no baseline.` is said once, however many rules lack one.
        reasons.dedup();
        reasons.truncate(3);
        reasons
    }

    /// Whether the row's reason stands above the table already.
    fn is_said(&self, row: &Row<'_>) -> bool {
        self.reasons().contains(&row.reason())
    }

    fn tally(&self) -> String {
        let holding = self.verdict.rules.iter().filter(|rule| rule.verdict == Answer::Pass).count();
        match self.verdict.rules.len() {
            0 => String::new(),
            1 => (if holding == 1 { "The one rule holds." } else { "The one rule does not hold." }).to_owned(),
            all => format!("{holding} of {all} rules hold."),
        }
    }

    fn advice(&self) -> &'static str {
        match self.verdict.verdict {
            Answer::Pass => "",
            Answer::Fail if self.flips.iter().any(|flip| flip.worse) => {
                "What to do: look at the examples that became wrong, mend the model, and push again."
            }
            Answer::Fail => "What to do: see the rules that failed, mend the model, and push again.",
            Answer::Inconclusive if !self.verdict.nondeterministic.is_empty() => {
                "What to do: make the evaluation deterministic (seeds, threads, execution provider), and run it again."
            }
            Answer::Inconclusive => {
                "What to do: evaluate on more examples, or allow a larger change; each row says how small a change it could have seen."
            }
            Answer::NoBaseline => {
                "What to do: let the workflow run on the base branch once; its result becomes the baseline."
            }
        }
    }

    fn has_interval(&self) -> bool {
        self.open.iter().any(|row| row.rule.interval.is_some())
    }

    /// All that changed, also what is not listed.
    fn flipped(&self) -> String {
        let listed = |worse: bool| self.flips.iter().filter(|flip| flip.worse == worse).count() as u64;
        let worse = self.verdict.flipped.worse.max(listed(true));
        let better = self.verdict.flipped.better.max(listed(false));
        let all = format::count((worse + better) as usize, "example", "examples");
        format!("{all} changed: {} newly wrong, {} newly right", number::integer(worse), number::integer(better))
    }

    fn unlisted(&self) -> Option<String> {
        let all = self.verdict.flipped.worse + self.verdict.flipped.better;
        let rest = all.saturating_sub(self.flips.len() as u64);
        (rest > 0).then(|| format!("{} more are not listed; the outcomes file has all of them.", number::integer(rest)))
    }
}

impl Row<'_> {
    fn base(&self) -> String {
        number::optional(&self.rule.metric, self.rule.base)
    }

    fn head(&self) -> String {
        number::optional(&self.rule.metric, self.rule.head)
    }

    fn change(&self) -> String {
        self.rule.change.map_or_else(|| "–".to_owned(), |change| number::change(&self.rule.metric, change))
    }

    fn bounds(&self) -> Option<String> {
        let (low, high) = self.rule.interval?;
        let show = |bound: f64| number::change(&self.rule.metric, bound);
        Some(format!("{} to {}", show(low), show(high)))
    }

    fn drawing(&self) -> Html {
        interval::drawing(self.rule)
    }

    fn reason(&self) -> String {
        sentence(&self.rule.reason)
    }

    /// The test's name as a statistician knows it; none where nothing was tested.
    fn test(&self) -> Option<&str> {
        match self.rule.test.as_str() {
            "none" | "nondeterministic" => None,
            "tango" => Some("Tango’s score interval"),
            "tango-exact" => Some("Tango’s score, exact interval"),
            "hodges-lehmann" => Some("Hodges–Lehmann shift"),
            "quantile-bound" => Some("bound on a quantile"),
            "mcnemar-midp" => Some("mid-p McNemar test"),
            "paired-t" => Some("paired t interval"),
            "paired-t-cluster" => Some("paired t interval over groups"),
            "bootstrap-bca" => Some("BCa paired bootstrap"),
            "bootstrap-cluster" => Some("paired bootstrap over groups"),
            "bound" => Some("fixed bound"),
            "exact" => Some("counted, not estimated"),
            "identical" => Some("identical"),
            other => Some(other),
        }
    }

    fn examples(&self) -> String {
        format!("n = {}", number::integer(self.rule.n))
    }

    fn discordant(&self) -> Option<String> {
        let pairs = self.rule.discordant?;
        Some(format!("{} newly wrong, {} newly right", number::integer(pairs.worse), number::integer(pairs.better)))
    }

    fn p(&self) -> Option<String> {
        let show = |p: f64| p.is_finite().then(|| number::p_value(p));
        let p = show(self.rule.p?)?;
        match self.rule.p_adjusted.filter(|adjusted| Some(*adjusted) != self.rule.p).and_then(show) {
            Some(adjusted) => Some(format!("p {p}, corrected {adjusted}")),
            None => Some(format!("p {p}")),
        }
    }

    fn detectable(&self) -> Option<String> {
        self.rule.detectable.filter(|size| size.is_finite()).map(|size| number::size(&self.rule.metric, size))
    }
}

/// A remark as a sentence: with a full stop, and with a capital unless it begins with a name such as `f1_macro`.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let word = text.split(' ').next().unwrap_or(text);
    let is_word = word.bytes().all(|b| b.is_ascii_lowercase());
    let mut out = String::with_capacity(text.len() + 1);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if is_word => out.push(first.to_ascii_uppercase()),
        Some(first) => out.push(first),
        None => return out,
    }
    out.push_str(chars.as_str());
    if !text.ends_with(['.', '!', '?', ':']) {
        out.push('.');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_read_as_sentences() {
        assert_eq!(sentence("accuracy fell by 3 pp"), "Accuracy fell by 3 pp.");
        assert_eq!(sentence("f1_macro fell"), "f1_macro fell.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), "");
        assert_eq!(sentence("é"), "é.");
    }
}
