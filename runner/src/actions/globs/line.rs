//! One line of patterns.

use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

pub(super) struct Line {
    /// It takes away what those before it gave.
    pub negative: bool,
    /// The path up to its first component with a wildcard: where its files are looked for.
    pub start: PathBuf,
    /// Relative to the base; none is the base itself.
    pattern: Option<Pattern>,
    /// With `/` at its end it names no file, but all below a directory.
    directories: bool,
}

impl Line {
    pub(super) fn parse(base: &Path, line: &str) -> Result<Self, String> {
        let text = line.trim_start_matches(['!', ' ']);
        let negative = line[..line.len() - text.len()].matches('!').count() % 2 == 1;
        let leaves = || format!("`{text}` leaves the workspace");
        let path = Path::new(text);
        let path = if path.is_absolute() { path.strip_prefix(base).map_err(|_| leaves())? } else { path };
        let mut segments = Vec::new();
        for component in path.components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => drop(segments.pop().ok_or_else(leaves)?),
                Component::Prefix(_) | Component::RootDir => return Err(leaves()),
                Component::Normal(name) => segments.push(name.to_str().ok_or("a path is not UTF-8")?),
            }
        }
        // What is named is taken with all below it: `a/**` says no more than `a`.
        while segments.last() == Some(&"**") {
            segments.pop();
        }
        let start = segments.iter().map_while(|segment| literal(segment)).fold(base.to_path_buf(), |at, s| at.join(s));
        let pattern = segments.iter().map(|segment| translate(segment)).collect::<Vec<_>>().join("/");
        let pattern = Pattern::new(&pattern).map_err(|e| format!("the pattern `{text}` is not valid: {e}"))?;
        let pattern = (!segments.is_empty()).then_some(pattern);
        Ok(Self { negative, start, pattern, directories: text.ends_with('/') })
    }

    fn matches(&self, relative: &Path) -> bool {
        let hits = |path: &Path| match &self.pattern {
            None => path.as_os_str().is_empty(),
            Some(pattern) => !path.as_os_str().is_empty() && pattern.matches_path_with(path, OPTIONS),
        };
        (!self.directories && hits(relative)) || relative.ancestors().skip(1).any(hits)
    }
}

/// Whether the lines, one after the other, take a path in the end.
pub(super) fn take(lines: &[Line], relative: &Path) -> bool {
    lines.iter().fold(false, |taken, line| if line.matches(relative) { !line.negative } else { taken })
}

/// Whether a line names what is outside by its absolute path; `hashFiles` finds nothing there, as on GitHub.
pub(super) fn is_elsewhere(base: &Path, line: &str) -> bool {
    let path = Path::new(line.trim_start_matches(['!', ' ']));
    path.is_absolute() && !path.starts_with(base)
}

/// A character of a segment, or what stands for some.
enum Part<'s> {
    Literal(char),
    /// Within `[…]`.
    Set(&'s str),
    One,
    Some,
}

fn parts(segment: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = segment;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        parts.push(match c {
            '*' => Part::Some,
            '?' => Part::One,
            '\\' if !rest.is_empty() => {
                let escaped = rest.chars().next().unwrap_or(c);
                rest = &rest[escaped.len_utf8()..];
                Part::Literal(escaped)
            }
            // One that is never closed stands for itself.
            '[' => match rest.split_once(']').filter(|(set, _)| !set.is_empty()) {
                None => Part::Literal(c),
                Some((set, after)) => {
                    rest = after;
                    Part::Set(set)
                }
            },
            _ => Part::Literal(c),
        });
    }
    parts
}

/// A segment without wildcards.
fn literal(segment: &str) -> Option<String> {
    let one = |part| match part {
        Part::Literal(c) => Some(c),
        // `[x]` is how a character is written that would be a wildcard.
        Part::Set(set) => set.chars().next().filter(|_| set.chars().count() == 1),
        Part::One | Part::Some => None,
    };
    parts(segment).into_iter().map(one).collect()
}

/// A segment in the words of the crate.
fn translate(segment: &str) -> String {
    if segment == "**" {
        return segment.to_owned();
    }
    let mut text = String::new();
    for part in parts(segment) {
        match part {
            Part::Literal(c) => text.push_str(&Pattern::escape(c.encode_utf8(&mut [0; 4]))),
            Part::Set(set) => match set.strip_prefix(['!', '^']) {
                Some(others) if !others.is_empty() => text.push_str(&format!("[!{others}]")),
                Some(_) | None => text.push_str(&format!("[{set}]")),
            },
            Part::One => text.push('?'),
            // Beside other characters `**` says no more than `*`.
            Part::Some if text.ends_with('*') => {}
            Part::Some => text.push('*'),
        }
    }
    text
}
