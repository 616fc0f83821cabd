//! The keys of a mapping: unknown ones, doubled ones, and those that are missing.

use std::{borrow::Cow, collections::HashSet};

use super::Checker;
use crate::{
    expr::{self, shortened},
    syntax::{
        is_insert,
        schema::{Keys, Shape},
        scope::Scope,
        yaml::Node,
    },
};

impl Checker<'_, '_> {
    pub(super) fn any_mapping(&mut self, entries: &[(Node, Node)], scope: Scope) {
        let mut seen = Seen::among(entries.len());
        for (key, value) in entries {
            if self.key(key, &mut seen, scope).is_some() {
                self.node(value, &Shape::Any, scope);
            }
        }
    }

    /// The key's name; none where it is no name, was there before, or is an expression.
    fn key<'n>(&mut self, key: &'n Node, seen: &mut Seen<'n>, scope: Scope) -> Option<Cow<'n, str>> {
        let Some(name) = key.text() else {
            self.error(key, "unexpected-key", "a key is a word, not a list or a mapping".to_owned());
            return None;
        };
        if expr::has_expression(&name) {
            if !is_insert(&name) || scope.is_empty() {
                self.template(key, &name, scope);
            }
            return None;
        }
        if !seen.insert(name.clone()) {
            let message = format!("`{}` is already defined in this mapping", shortened(&name));
            self.error(key, "duplicate-key", message);
            return None;
        }
        Some(name)
    }

    pub(super) fn mapping(&mut self, node: &Node, entries: &[(Node, Node)], kinds: &'static [Keys], scope: Scope) {
        let mut kinds = Possible { all: kinds, bits: (1 << kinds.len()) - 1 };
        let mut seen = Seen::among(entries.len());
        let mut computed = false;
        for (key, value) in entries {
            let Some(name) = self.key(key, &mut seen, scope) else {
                if let Some(name) = key.text().filter(|name| expr::has_expression(name)) {
                    // What it adds is known when it is evaluated; its value is one of the mapping's all the same. Where no
                    // expression may stand it is a key like others, of which there are none.
                    computed |= is_insert(&name) || !scope.is_empty();
                    let loose = kinds.all.iter().all(|keys| keys.known.is_empty());
                    match kinds.all.iter().find_map(|keys| keys.others).filter(|_| loose) {
                        Some(others) if !is_insert(&name) || !scope.is_empty() => self.node(value, others, scope),
                        None if !scope.is_empty() => self.node(value, &Shape::Any, scope),
                        Some(_) | None => {}
                    }
                }
                continue;
            };
            if let Some(shape) = kinds.iter().find_map(|keys| keys.shape(&name)) {
                kinds.narrow(&name);
                self.node(value, shape, scope);
            } else if let Some(others) = kinds.iter().find_map(|keys| keys.others) {
                if name.is_empty() {
                    self.error(key, "unexpected-value", "a key must not be empty".to_owned());
                }
                self.node(value, others, scope);
            } else {
                self.unknown_key(key, &name, kinds);
            }
        }
        let mut left = kinds.iter();
        match (left.next(), left.next()) {
            (Some(keys), None) if !computed => {
                for required in keys.required {
                    if !seen.contains(required) {
                        self.error(node, "missing-key", format!("`{required}` is required here and missing"));
                    }
                }
            }
            (_, None) => {}
            (_, Some(_)) => {
                let names = kinds.marks().join(", ");
                self.error(node, "missing-key", format!("one of these is required here: {names}"));
            }
        }
    }

    fn unknown_key(&mut self, key: &Node, name: &str, kinds: Possible) {
        let of_other = kinds.all.iter().any(|keys| keys.shape(name).is_some());
        let chosen = kinds.marks();
        let known = || kinds.iter().flat_map(|keys| keys.known).map(|(name, _)| *name);
        let mut diagnostic =
            self.sink.make(key.at, key.length, "unknown-key", format!("unknown key `{}`", shortened(name)));
        diagnostic.help = Some(if name == "true" && known().any(|key| key == "on") {
            "did you mean `on`? A tool that reads YAML 1.1 takes it for a boolean, and writes it back so".to_owned()
        } else if name == "<<" {
            "merge keys are not part of the language; repeat the keys, or use an alias for the whole value".to_owned()
        } else if of_other && !chosen.is_empty() {
            format!("`{name}` cannot stand beside {}", chosen.join(" or "))
        } else if let Some(near) = self.sink.nearest(name, known()) {
            format!("did you mean `{near}`?")
        } else {
            let mut names: Vec<&str> = known().collect();
            names.sort_unstable();
            names.dedup();
            format!("known here are: {}", names.join(", "))
        });
        self.sink.push(diagnostic);
    }
}

/// Which kinds a mapping may still be, after the keys that were read.
#[derive(Clone, Copy)]
struct Possible {
    all: &'static [Keys],
    /// One for each of them.
    bits: u32,
}

impl Possible {
    fn iter(self) -> impl Iterator<Item = &'static Keys> {
        self.all.iter().enumerate().filter(move |(index, _)| self.bits >> index & 1 == 1).map(|(_, keys)| keys)
    }

    /// Those that know the key.
    fn narrow(&mut self, name: &str) {
        // Most mappings are of one kind, and one that knows the key is left.
        if self.bits.count_ones() > 1 {
            let knows = |index: usize| self.all[index].shape(name).is_some();
            self.bits = (0..self.all.len())
                .filter(|index| self.bits >> index & 1 == 1 && knows(*index))
                .fold(0, |bits, index| bits | 1 << index);
        }
    }

    /// The key that tells each kind, for people.
    fn marks(self) -> Vec<String> {
        self.iter().filter_map(|keys| keys.required.first()).map(|name| format!("`{name}`")).collect()
    }
}

/// The keys of one mapping, compared without case, as on GitHub.
///
/// Almost every mapping has a handful of keys: comparing them is faster than hashing copies in one
/// case. A hostile one has a hundred thousand.
struct Seen<'n> {
    few: Vec<Cow<'n, str>>,
    many: HashSet<String>,
}

impl<'n> Seen<'n> {
    const FEW: usize = 16;

    /// Nothing yet, of a mapping with so many keys.
    fn among(keys: usize) -> Self {
        Self { few: Vec::with_capacity(keys.min(Self::FEW)), many: HashSet::new() }
    }

    /// False where the key was there before.
    fn insert(&mut self, name: Cow<'n, str>) -> bool {
        if self.contains(&name) {
            return false;
        }
        if self.few.len() < Self::FEW {
            self.few.push(name);
        } else {
            self.many.insert(expr::folded(&name));
        }
        true
    }

    fn contains(&self, name: &str) -> bool {
        let is_ascii = name.is_ascii();
        let same = |each: &Cow<'_, str>| match is_ascii {
            true => each.eq_ignore_ascii_case(name),
            false => expr::equal_ignoring_case(each, name),
        };
        self.few.iter().any(same) || (!self.many.is_empty() && self.many.contains(&expr::folded(name)))
    }
}
