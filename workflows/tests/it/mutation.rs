//! Damaged workflows and expressions: for a minute, whatever becomes of them, nothing panics and all ends.
//!
//! The same as the targets in `workflows/fuzz`, for machines without cargo-fuzz, and weaker: damage is made
//! blindly, not guided by coverage. `ASSAY_SMOKE_SECONDS=5` makes it look for less.

use std::time::{Duration, Instant};

use serde_json::json;
use workflows::{
    expr::{Environment, condition, evaluate, interpolate},
    syntax::{Paint, parse, to_text},
};

use crate::vectors::{files, folder};

/// SplitMix64 (Steele, Lea and Flood, 2014): the same damage in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// What is put where something was: the characters that mean something to YAML or to expressions.
const PIECES: [&str; 24] = [
    "", "\n", " ", "\t", ":", ": ", "- ", "#", "'", "\"", "[", "]", "{", "}", "&a ", "*a", "|\n", "!!str ", "${{ ",
    " }}", "(", ")", "\u{feff}", "é",
];

/// A text with a few pieces of it cut out, doubled or replaced.
fn damaged(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(4) {
        let from = random.below(chars.len() + 1);
        let to = (from + random.below(8)).min(chars.len());
        let piece: Vec<char> = match random.below(3) {
            0 => PIECES[random.below(PIECES.len())].chars().collect(),
            1 => chars[from..to].iter().chain(&chars[from..to]).copied().collect(),
            _ => {
                let other = random.below(chars.len() + 1);
                chars[other..(other + random.below(40)).min(chars.len())].to_vec()
            }
        };
        chars.splice(from..to, piece);
    }
    chars.into_iter().collect()
}

fn time() -> Duration {
    let seconds = std::env::var("ASSAY_SMOKE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// The reference's own examples, and GitHub's vectors where they are.
pub(crate) fn seeds(name: &str) -> Vec<String> {
    let mut seeds: Vec<String> = include_str!("../../../docs/workflow-language.md")
        .split("```")
        .filter(|block| block.starts_with("yaml") || block.starts_with("expressions"))
        .map(str::to_owned)
        .collect();
    if let Some(folder) = folder(name) {
        seeds.extend(files(&folder).into_iter().map(|(_, text)| text));
    }
    // A file of megabytes is another test's matter; here it would be the only one.
    seeds.retain(|seed| seed.len() < 64 << 10);
    seeds
}

#[test]
fn damaged_workflows_are_read_to_their_end() {
    let (seeds, mut random, mut count) = (seeds("workflows"), Random(1), 0_u64);
    let start = Instant::now();
    while start.elapsed() < time() {
        let text = damaged(&seeds[random.below(seeds.len())], &mut random);
        let (workflow, diagnostics) = parse("w.yml", &text);
        assert!(workflow.is_some() || !diagnostics.is_empty(), "nothing is said of {text:?}");
        for diagnostic in diagnostics.iter().take(20) {
            assert!(!to_text(diagnostic, &text, &Paint::PLAIN).is_empty());
        }
        same_with_the_parser(&text);
        count += 1;
    }
    println!("{count} damaged workflows in {:?}", start.elapsed());
    assert!(count > 0);
}

/// Most files are read without the YAML parser: what is read must be the same with it. A file with a carriage return is
/// always the parser's.
fn same_with_the_parser(text: &str) {
    let below = |comment: &str| parse("w.yml", &format!("{comment}\n{text}"));
    assert_eq!(format!("{:?}", below("#")), format!("{:?}", below("#\r")), "{text:?}");
}

#[test]
fn whole_workflows_are_read_as_by_the_parser() {
    seeds("workflows").iter().for_each(|text| same_with_the_parser(text));
}

#[test]
fn damaged_expressions_are_evaluated_to_their_end() {
    let lines = seeds("expressions").join("\n");
    let seeds: Vec<&str> = lines.lines().filter(|line| !line.trim().is_empty()).collect();
    let contexts = [("github".to_owned(), json!({"ref": "r", "event": {"labels": [{"name": "a"}, 1, [2]]}}))];
    let environment = Environment { contexts: contexts.into_iter().collect(), ..Environment::default() };
    let (mut random, mut count) = (Random(2), 0_u64);
    let start = Instant::now();
    while start.elapsed() < time() {
        let text = damaged(seeds[random.below(seeds.len())], &mut random);
        if let Err(error) = evaluate(&text, &environment) {
            assert!(error.offset <= text.len(), "{error:?} of {text:?}");
        }
        let _ = (interpolate(&text, &environment), condition(Some(&text), &environment));
        count += 1;
    }
    println!("{count} damaged expressions in {:?}", start.elapsed());
    assert!(count > 0);
}
