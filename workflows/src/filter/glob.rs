/// One pattern, compiled.
#[derive(Debug, Clone)]
pub struct Glob {
    atoms: Vec<(Atom, Repeat)>,
}

/// Why a pattern cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidGlob(String);

#[derive(Debug, Clone, PartialEq)]
enum Atom {
    Char(char),
    /// Ranges, both ends included.
    Set(Vec<(char, char)>),
    /// Any character but `/`.
    NotSlash,
    Any,
    /// `**/` at the start of a part: no directories, or some.
    Directories,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Once,
    Optional,
    OneOrMore,
    ZeroOrMore,
}

impl Glob {
    pub fn new(pattern: &str) -> Result<Self, InvalidGlob> {
        let mut atoms: Vec<(Atom, Repeat)> = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '*' if chars.next_if_eq(&'*').is_some() => {
                    // `a/**/b` takes `a/b` too, and `**/b` no `ab`.
                    let starts_part = matches!(atoms.last(), None | Some((Atom::Char('/'), Repeat::Once)));
                    if starts_part && chars.next_if_eq(&'/').is_some() {
                        atoms.push((Atom::Directories, Repeat::Once));
                    } else {
                        atoms.push((Atom::Any, Repeat::ZeroOrMore));
                    }
                }
                '*' => atoms.push((Atom::NotSlash, Repeat::ZeroOrMore)),
                '?' | '+' => {
                    let repeat = if c == '?' { Repeat::Optional } else { Repeat::OneOrMore };
                    match atoms.last_mut() {
                        Some((Atom::Char(_) | Atom::Set(_), previous @ Repeat::Once)) => *previous = repeat,
                        Some(_) | None => {
                            return Err(InvalidGlob(format!("`{c}` follows no character that it repeats")));
                        }
                    }
                }
                '[' => atoms.push((set(&mut chars)?, Repeat::Once)),
                '\\' => match chars.next() {
                    Some(next) => atoms.push((Atom::Char(next), Repeat::Once)),
                    None => return Err(InvalidGlob("the pattern ends with `\\`".to_owned())),
                },
                c => atoms.push((Atom::Char(c), Repeat::Once)),
            }
        }
        Ok(Self { atoms })
    }

    /// Whether the whole name matches. Follows all ways at once, so that time grows with pattern × name
    /// and no pattern is exponential.
    pub fn matches(&self, name: &str) -> bool {
        let mut here = States::new(self.atoms.len());
        here.at[0] = true;
        self.skip(&mut here);
        for c in name.chars() {
            let mut next = States::new(self.atoms.len());
            for (index, (atom, repeat)) in self.atoms.iter().enumerate() {
                if *atom == Atom::Directories {
                    if here.at[index] || here.inside[index] {
                        next.inside[index] = true;
                        next.at[index + 1] |= c == '/';
                    }
                } else if (here.at[index] || here.inside[index]) && atom.takes(c) {
                    match repeat {
                        Repeat::Once | Repeat::Optional => next.at[index + 1] = true,
                        Repeat::OneOrMore | Repeat::ZeroOrMore => {
                            next.inside[index] = true;
                            next.at[index + 1] = true;
                        }
                    }
                }
            }
            self.skip(&mut next);
            here = next;
        }
        here.at[self.atoms.len()]
    }

    /// From before an atom that may be absent, one is also after it.
    fn skip(&self, states: &mut States) {
        for (index, (atom, repeat)) in self.atoms.iter().enumerate() {
            let may_be_absent = *atom == Atom::Directories || matches!(repeat, Repeat::Optional | Repeat::ZeroOrMore);
            if states.at[index] && may_be_absent {
                states.at[index + 1] = true;
            }
        }
    }
}

/// Where in a pattern one may be.
struct States {
    /// Before the atom of this index.
    at: Vec<bool>,
    /// Within an atom that repeats, after at least one character.
    inside: Vec<bool>,
}

impl States {
    fn new(atoms: usize) -> Self {
        Self { at: vec![false; atoms + 1], inside: vec![false; atoms + 1] }
    }
}

impl Atom {
    fn takes(&self, c: char) -> bool {
        match self {
            Atom::Char(own) => *own == c,
            Atom::Set(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)),
            Atom::NotSlash => c != '/',
            Atom::Any | Atom::Directories => true,
        }
    }
}

fn set(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Atom, InvalidGlob> {
    let unclosed = || InvalidGlob("`[` is not closed".to_owned());
    let mut ranges = Vec::new();
    loop {
        let first = match chars.next().ok_or_else(unclosed)? {
            ']' => break,
            '\\' => chars.next().ok_or_else(unclosed)?,
            c => c,
        };
        let mut ahead = chars.clone();
        if ahead.next() == Some('-') && ahead.peek().is_some_and(|last| *last != ']') {
            chars.next();
            let last = chars.next().ok_or_else(unclosed)?;
            if last < first {
                return Err(InvalidGlob(format!("`{first}-{last}` runs backwards")));
            }
            ranges.push((first, last));
        } else {
            ranges.push((first, first));
        }
    }
    if ranges.is_empty() { Err(InvalidGlob("`[]` takes no character".to_owned())) } else { Ok(Atom::Set(ranges)) }
}
