//! A verdict as a check run's output, and the same as one Markdown document.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{
    Acceptance, CommitRef, Context,
    escape::{code, plain},
    limits::{MAX_ANNOTATIONS, MAX_BYTES, MAX_TITLE, cut, shorten},
    text::{cells, headline, judged, next_steps, reason, several_evaluations, word},
};
use crate::{
    gate::{Answer, RuleVerdict, Verdict, number},
    protocol::{Annotation, AnnotationLevel},
};

/// The `output` of a check run, within GitHub's limits. GitHub takes 50 annotations a request and
/// appends at every update: send them once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOutput {
    pub title: String,
    pub summary: String,
    pub text: String,
    pub annotations: Vec<Annotation>,
}

impl CheckOutput {
    /// Cuts what is too long.
    pub(super) fn within_limits(title: &str, summary: String, text: String, mut annotations: Vec<Annotation>) -> Self {
        annotations.truncate(MAX_ANNOTATIONS);
        let title = shorten(&title.replace('`', ""), MAX_TITLE);
        Self { title, summary: cut(summary, MAX_BYTES), text: cut(text, MAX_BYTES), annotations }
    }
}

/// Rows that all passed are few enough to stay open.
const OPEN_ROWS: usize = 8;
const FLIPS_SHOWN: usize = 50;

/// What `assay/gate` shows on a commit.
pub fn check_run(verdict: &Verdict, context: &Context) -> CheckOutput {
    let headline = headline(verdict);
    let title = match &context.acceptance {
        None => headline.trim_end_matches('.').to_owned(),
        Some(acceptance) => format!("Accepted by {}. {}", acceptance.by, headline.trim_end_matches('.')),
    };
    CheckOutput::within_limits(
        &title,
        summary(verdict, context),
        details(verdict, context),
        annotations(verdict, context),
    )
}

/// The same as one document, for `assay compare --markdown` and for comments.
pub fn markdown(verdict: &Verdict, context: &Context) -> String {
    format!("{}\n{}", summary(verdict, context), details(verdict, context))
}

fn summary(verdict: &Verdict, context: &Context) -> String {
    let mut out = format!("**{}**\n\n", headline(verdict));
    if let Some(acceptance) = &context.acceptance {
        let Acceptance { by, at, reason, rules } = acceptance;
        let (by, reason, rules) = (plain(by), plain(reason), code(&rules.join(", ")));
        let _ = writeln!(
            out,
            "> **Accepted by {by}** at {at} for `{rules}`: {reason}. This holds for this commit alone.\n"
        );
    }
    let base = context.base.as_ref().map_or_else(|| "no baseline".to_owned(), commit);
    if !context.head.name.is_empty() {
        let _ = writeln!(out, "{base} → {}\n", commit(&context.head));
    }
    let (matter, rest) = rows(verdict);
    if !matter.is_empty() {
        table(&mut out, &matter, several_evaluations(verdict));
        let open = matter.iter().filter(|rule| rule.verdict != Answer::Pass);
        for rule in open.take(20) {
            let _ = writeln!(out, "- **{}**: {}", word(rule.verdict), plain(&reason(rule)));
        }
        out.push('\n');
    }
    let steps = next_steps(verdict, context);
    if !steps.is_empty() {
        out.push_str("### What to do\n\n");
        for step in steps {
            let _ = writeln!(out, "- {}", plain(&step));
        }
        out.push('\n');
    }
    if !rest.is_empty() {
        let _ = writeln!(out, "<details><summary>{} more rules passed</summary>\n", rest.len());
        table(&mut out, &rest, several_evaluations(verdict));
        out.push_str("</details>\n");
    }
    out
}

/// Rows to show open, and rows to fold.
fn rows(verdict: &Verdict) -> (Vec<&RuleVerdict>, Vec<&RuleVerdict>) {
    let (mut matter, mut rest): (Vec<_>, Vec<_>) = verdict.rules.iter().partition(|rule| rule.verdict != Answer::Pass);
    let rank = |rule: &&RuleVerdict| match rule.verdict {
        Answer::Fail => 0,
        Answer::Inconclusive => 1,
        Answer::NoBaseline => 2,
        Answer::Pass => 3,
    };
    matter.sort_by_key(rank);
    if verdict.rules.len() <= OPEN_ROWS {
        matter.append(&mut rest);
    }
    (matter, rest)
}

fn table(out: &mut String, rules: &[&RuleVerdict], several: bool) {
    out.push_str("| | metric | base → head | change | true change | allowed |\n|---|---|---|---|---|---|\n");
    for rule in rules {
        let [metric, base, head, change, interval, allowed] = cells(rule, several);
        let (mark, word) = (mark(rule.verdict), word(rule.verdict));
        let metric = code(&metric);
        let _ = writeln!(out, "| {mark} {word} | `{metric}` | {base} → {head} | {change} | {interval} | {allowed} |");
    }
    out.push('\n');
}

fn mark(answer: Answer) -> &'static str {
    match answer {
        Answer::Pass => "✅",
        Answer::Fail => "❌",
        Answer::Inconclusive => "❔",
        Answer::NoBaseline => "➖",
    }
}

fn details(verdict: &Verdict, context: &Context) -> String {
    let mut out = String::new();
    for note in &context.notes {
        let _ = writeln!(out, "> {}\n", plain(note));
    }
    for found in &verdict.nondeterministic {
        let (name, examples) = (code(&found.evaluation), number::thousands(found.examples));
        let _ = writeln!(
            out,
            "> `{name}` is not deterministic: the same model bytes answered {examples} examples differently.\n"
        );
    }
    flips(&mut out, verdict, context);
    ran(&mut out, context);
    statistics(&mut out, verdict);
    if !context.bound_to.is_empty() {
        out.push_str("This answer holds for nothing else than:\n\n");
        for bound in &context.bound_to {
            let _ = writeln!(out, "- {}", plain(bound));
        }
        out.push('\n');
    }
    if let Some(url) = &context.run_url {
        let _ = writeln!(out, "[The run's page]({url}) has everything.");
    }
    out
}

fn flips(out: &mut String, verdict: &Verdict, context: &Context) {
    let (worse, better) = (verdict.flipped.worse, verdict.flipped.better);
    if worse + better == 0 {
        return;
    }
    let (wrong, right) = (number::thousands(worse), number::thousands(better));
    let _ = writeln!(out, "### Flipped examples: {wrong} newly wrong, {right} newly right\n");
    for ran in &context.ran {
        if let (Some(head), Some(base)) = (&ran.head_outcomes, &ran.base_outcomes) {
            let name = code(&ran.evaluation);
            let _ = writeln!(out, "All outcomes of `{name}`: [the base's]({base}), [the head's]({head})\n");
        }
    }
    for (is_worse, all, title) in [(true, worse, "newly wrong"), (false, better, "newly right")] {
        let shown: Vec<_> = verdict.flips.iter().filter(|flip| flip.worse == is_worse).take(FLIPS_SHOWN).collect();
        if shown.is_empty() {
            continue;
        }
        let open = if is_worse { " open" } else { "" };
        let of = if (shown.len() as u64) < all { format!(", the first {}", shown.len()) } else { String::new() };
        let _ = writeln!(out, "<details{open}><summary>{} {title}{of}</summary>\n", number::thousands(all));
        out.push_str("| example | target | base said | head says |\n|---|---|---|---|\n");
        for flip in shown {
            let [id, target, base, head] = [&flip.id, &flip.target, &flip.base, &flip.head].map(|text| code(text));
            let _ = writeln!(out, "| `{id}` | `{target}` | `{base}` | `{head}` |");
        }
        out.push_str("\n</details>\n\n");
    }
}

fn ran(out: &mut String, context: &Context) {
    if context.ran.is_empty() {
        return;
    }
    out.push_str("### Where it ran\n\n| evaluation | model | data set | device | provider | isolation |\n|---|---|---|---|---|---|\n");
    for ran in &context.ran {
        let n = number::thousands(ran.n);
        let provider = if ran.runtime.is_empty() {
            ran.provider.clone()
        } else {
            format!("{}, ONNX Runtime {}", ran.provider, ran.runtime)
        };
        let _ = writeln!(
            out,
            "| `{}` | `{}` | `{}` ({n} examples) | {} | {} | {} |",
            code(&ran.evaluation),
            code(&ran.model),
            code(&ran.dataset),
            plain(&ran.device),
            plain(&provider),
            if ran.reused { "result reused".to_owned() } else { plain(&ran.isolation).to_string() }
        );
    }
    out.push('\n');
}

fn statistics(out: &mut String, verdict: &Verdict) {
    if verdict.rules.is_empty() {
        return;
    }
    out.push_str("<details><summary>How each rule was judged</summary>\n\n");
    out.push_str(
        "| metric | test | n | worse / better | p | p, corrected | detectable |\n|---|---|---|---|---|---|---|\n",
    );
    for rule in &verdict.rules {
        let [test, n, discordant, p, corrected, detectable] = judged(rule).map(|cell| cell.unwrap_or("–".to_owned()));
        let metric = code(&rule.metric);
        let _ = writeln!(out, "| `{metric}` | {test} | {n} | {discordant} | {p} | {corrected} | {detectable} |");
    }
    out.push_str(
        "\n_True change_ is where the real change lies, but for an error of alpha on each side. _Detectable_ is the \
                  smallest change for the worse that this comparison could have found.\n</details>\n\n",
    );
}

/// On the model's file where it is known, else on the rule's line in the workflow.
fn annotations(verdict: &Verdict, context: &Context) -> Vec<Annotation> {
    // What a step measured itself names no file of the repository, but `$ASSAY_METRICS`.
    let is_file = |path: &str| !path.is_empty() && !path.starts_with('$');
    let annotate = |rule: &RuleVerdict| {
        let model = context.ran.iter().find(|ran| ran.evaluation == rule.evaluation && is_file(&ran.model));
        let (path, line) = match (model, &context.policy_file) {
            (Some(ran), _) => (ran.model.clone(), 1),
            (None, Some(file)) => (file.clone(), rule.line.max(1)),
            (None, None) => return None,
        };
        let title = Some(shorten(&format!("{}: {}", rule.metric, rule.allowed), MAX_TITLE));
        let message = shorten(&rule.reason, 4000);
        Some(Annotation { path, line, column: None, level: AnnotationLevel::Failure, title, message })
    };
    verdict.rules.iter().filter(|rule| rule.verdict == Answer::Fail).filter_map(annotate).collect()
}

fn commit(commit: &CommitRef) -> String {
    let name = code(&commit.name);
    match &commit.url {
        Some(url) => format!("[`{name}`]({url})"),
        None => format!("`{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gate::Flip, report::text::sample};

    fn context() -> Context {
        Context {
            head: CommitRef { name: "bbbbbbb".to_owned(), url: Some("http://localhost/b".to_owned()) },
            base: Some(CommitRef { name: "aaaaaaa".to_owned(), url: None }),
            policy_file: Some(".assay/workflows/ci.yml".to_owned()),
            ..Context::default()
        }
    }

    #[test]
    fn a_failing_rule_is_told_first_and_annotated() {
        let output = check_run(&sample(&[Answer::Pass, Answer::Fail]), &context());
        assert_eq!(output.title, "Failed: 1 of 2 rules are broken: f1_macro −5.00 pp (max-drop: 0.5pp)");
        assert!(output.summary.starts_with("**Failed: 1 of 2 rules are broken"), "{}", output.summary);
        let (fail, pass) = (output.summary.find("❌").unwrap(), output.summary.find("✅").unwrap());
        assert!(fail < pass);
        assert_eq!((output.annotations[0].path.as_str(), output.annotations[0].line), (".assay/workflows/ci.yml", 12));
        assert!(output.text.contains("60 newly wrong, 10 newly right"));
    }

    #[test]
    fn rows_that_passed_are_folded_where_there_are_many() {
        let mut answers = vec![Answer::Pass; 30];
        answers.push(Answer::Inconclusive);
        let summary = check_run(&sample(&answers), &context()).summary;
        assert!(summary.contains("<details><summary>30 more rules passed</summary>"));
        assert!(summary.find("cannot tell").unwrap() < summary.find("<details>").unwrap());
    }

    #[test]
    fn hostile_names_stay_in_their_cells() {
        let mut verdict = sample(&[Answer::Fail]);
        let evil = "a|b`</details><script>@everyone\n|x".to_owned();
        verdict.flips = vec![Flip { id: evil.clone(), target: evil.clone(), ..verdict.flips[0].clone() }];
        verdict.rules[0].reason = evil;
        let output = check_run(&verdict, &context());
        assert!(output.text.contains("| `a\\|b'</details><script>@everyone \\|x` |"), "{}", output.text);
        assert!(!output.summary.contains("<script>") && !output.summary.contains("@everyone"));
    }

    #[test]
    fn limits_hold_for_the_largest_verdicts() {
        let mut verdict = sample(&vec![Answer::Fail; 2000]);
        let long = "漢".repeat(500);
        verdict.rules.iter_mut().for_each(|rule| rule.reason.clone_from(&long));
        verdict.flips = (0..5000).map(|i| Flip { id: format!("{long}{i}"), ..verdict.flips[0].clone() }).collect();
        let output = check_run(&verdict, &context());
        assert!(output.title.chars().count() <= MAX_TITLE);
        assert!(output.summary.len() <= MAX_BYTES && output.text.len() <= MAX_BYTES);
        assert!(output.summary.contains("Cut here") && output.annotations.len() == MAX_ANNOTATIONS);
    }
}
