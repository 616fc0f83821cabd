//! `on:`: a word, a list of words, or a mapping; and what each event may say.

mod events;
mod inputs;

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{
    Located, PullRequestTrigger, RefFilters, Severity, Triggers, WorkflowCall,
    diagnostic::Sink,
    yaml::{Kind, Node},
};
use crate::{
    cron::Cron,
    expr::{self, shortened},
};
use events::{EVENTS, EventKeys};

/// Reads `on:`.
pub(super) fn read(node: &Node, sink: &mut Sink<'_>) -> Triggers {
    let mut reader = Reader { sink, triggers: Triggers::default() };
    match &node.kind {
        Kind::Scalar { .. } => reader.word(node),
        Kind::Sequence(items) => {
            for item in items {
                match item.kind {
                    Kind::Scalar { .. } => reader.word(item),
                    Kind::Sequence(_) | Kind::Mapping(_) => {
                        reader.error(item, "unexpected-value", "expected the name of an event".to_owned());
                    }
                }
            }
        }
        Kind::Mapping(entries) => {
            let mut seen = HashSet::new();
            for (key, value) in entries {
                let name = key.to_text().unwrap_or_default();
                if !seen.insert(expr::folded(&name)) {
                    reader.error(key, "duplicate-key", format!("`{}` is already defined", shortened(&name)));
                    continue;
                }
                reader.event(key, &name, Some(value));
            }
        }
    }
    reader.triggers
}

struct Reader<'s, 'f> {
    sink: &'s mut Sink<'f>,
    triggers: Triggers,
}

impl Reader<'_, '_> {
    fn error(&mut self, node: &Node, code: &str, message: String) {
        self.sink.error(node.at, node.length, code, message);
    }

    fn word(&mut self, node: &Node) {
        let name = node.to_text().unwrap_or_default();
        self.event(node, &name, None);
    }

    fn event(&mut self, key: &Node, name: &str, value: Option<&Node>) {
        let Some(keys) = EVENTS.iter().find(|keys| keys.name == name) else {
            let mut diagnostic =
                self.sink.make(key.at, key.length, "unknown-event", format!("unknown event `{}`", shortened(name)));
            diagnostic.help = self
                .sink
                .nearest(name, EVENTS.iter().map(|keys| keys.name))
                .map(|near| format!("did you mean `{near}`?"));
            return self.sink.push(diagnostic);
        };
        match name {
            "schedule" => return self.schedule(value),
            "workflow_dispatch" => {
                self.triggers.workflow_dispatch = Some(inputs::dispatch(value, self.sink));
                return;
            }
            "workflow_call" => {
                self.triggers.workflow_call =
                    Some(value.map_or_else(WorkflowCall::default, |value| inputs::call(value, self.sink)));
                return;
            }
            _ => {}
        }
        let mut found = self.keys(keys, value);
        let mut filters = |name: &str| found.shift_remove(name);
        let ref_filters = RefFilters {
            branches: filters("branches"),
            branches_ignore: filters("branches-ignore"),
            tags: filters("tags"),
            tags_ignore: filters("tags-ignore"),
            paths: filters("paths"),
            paths_ignore: filters("paths-ignore"),
        };
        let types = filters("types");
        self.warn_of_both(key, &ref_filters);
        match name {
            "push" => self.triggers.push = Some(ref_filters),
            "merge_group" => self.triggers.merge_group = Some(ref_filters),
            "pull_request" => {
                self.triggers.pull_request = Some(PullRequestTrigger { types, filters: ref_filters });
            }
            "repository_dispatch" => self.triggers.repository_dispatch = Some(types.unwrap_or_default()),
            _ => {
                let message = format!("Assay does not receive the event `{name}`; it never starts this workflow");
                self.sink.warn(key.at, key.length, "event-not-received", message);
                self.triggers.others.push(Located { value: name.to_owned(), at: key.at });
            }
        }
    }

    /// What the event's mapping says: key → texts.
    fn keys(&mut self, keys: &EventKeys, value: Option<&Node>) -> IndexMap<&'static str, Vec<String>> {
        let mut found = IndexMap::new();
        let Some(value) = value.filter(|value| !value.is_null()) else { return found };
        let allowed = || keys.keys.iter().copied().chain(keys.types.map(|_| "types"));
        let Kind::Mapping(entries) = &value.kind else {
            self.error(value, "unexpected-value", format!("expected a mapping under `{}`", keys.name));
            return found;
        };
        if allowed().next().is_none() {
            self.error(value, "unexpected-mapping", format!("`{}` has no settings", keys.name));
            return found;
        }
        for (key, value) in entries {
            let name = key.to_text().unwrap_or_default();
            let Some(known) = allowed().find(|known| *known == name) else {
                let message = format!("unknown key `{}` under `{}`", shortened(&name), keys.name);
                let mut diagnostic = self.sink.make(key.at, key.length, "unknown-key", message);
                diagnostic.help = Some(match self.sink.nearest(&name, allowed()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here are: {}", allowed().collect::<Vec<_>>().join(", ")),
                });
                self.sink.push(diagnostic);
                continue;
            };
            if found.contains_key(known) {
                self.error(key, "duplicate-key", format!("`{known}` is already defined"));
                continue;
            }
            let words = if known == "types" { keys.types.unwrap_or(&[]) } else { &[] };
            let list_only = known == "types" && keys.name == "repository_dispatch";
            found.insert(known, self.texts(value, words, list_only));
        }
        found
    }

    /// A text or a list of texts, each one of `words` where there are any.
    fn texts(&mut self, node: &Node, words: &[&str], list_only: bool) -> Vec<String> {
        match &node.kind {
            Kind::Sequence(items) => items.iter().filter_map(|item| self.text(item, words)).collect(),
            Kind::Scalar { .. } if !list_only => self.text(node, words).into_iter().collect(),
            Kind::Scalar { .. } | Kind::Mapping(_) => {
                self.error(node, "unexpected-value", "expected a list of texts".to_owned());
                Vec::new()
            }
        }
    }

    fn text(&mut self, node: &Node, words: &[&str]) -> Option<String> {
        let text = node.to_text().filter(|text| !text.is_empty());
        let Some(text) = text else {
            self.error(node, "unexpected-value", "expected a text that is not empty".to_owned());
            return None;
        };
        if crate::expr::has_expression(&text) {
            self.error(node, "expression-not-allowed", "expressions are not allowed here".to_owned());
            return None;
        }
        if !words.is_empty() && !words.contains(&text.as_str()) {
            let message = format!("`{}` is not an activity type of this event", shortened(&text));
            let mut diagnostic = self.sink.make(node.at, node.length, "unexpected-value", message);
            diagnostic.help = Some(match self.sink.nearest(&text, words.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are: {}", words.join(", ")),
            });
            self.sink.push(diagnostic);
            return None;
        }
        Some(text)
    }

    fn warn_of_both(&mut self, key: &Node, filters: &RefFilters) {
        let pairs = [
            ("branches", filters.branches.is_some() && filters.branches_ignore.is_some()),
            ("tags", filters.tags.is_some() && filters.tags_ignore.is_some()),
            ("paths", filters.paths.is_some() && filters.paths_ignore.is_some()),
        ];
        for (name, both) in pairs {
            if both {
                let mut diagnostic = self.sink.make(
                    key.at,
                    key.length,
                    "filter-conflict",
                    format!("`{name}` and `{name}-ignore` are both given; `{name}-ignore` is not looked at"),
                );
                diagnostic.severity = Severity::Warning;
                diagnostic.help = Some(format!("exclude with `!` patterns under `{name}`"));
                self.sink.push(diagnostic);
            }
        }
    }

    fn schedule(&mut self, value: Option<&Node>) {
        let Some(Node { kind: Kind::Sequence(items), .. }) = value else {
            if let Some(value) = value {
                self.error(value, "unexpected-value", "expected a list of `cron:` entries".to_owned());
            }
            return;
        };
        for item in items {
            let Kind::Mapping(entries) = &item.kind else {
                self.error(item, "unexpected-value", "expected `cron: '…'`".to_owned());
                continue;
            };
            let mut found = false;
            for (key, value) in entries {
                match key.text().as_deref() {
                    Some("cron") => {
                        found = true;
                        let Some(text) = self.text(value, &[]) else { continue };
                        match text.parse::<Cron>() {
                            Ok(_) => self.triggers.schedule.push(Located { value: text, at: value.at }),
                            Err(message) => self.error(value, "cron", message),
                        }
                    }
                    Some("timezone") => {
                        if self.text(value, &[]).is_some_and(|zone| !zone.eq_ignore_ascii_case("utc")) {
                            let message = "Assay's schedules are in UTC; `timezone` is not looked at";
                            self.sink.warn(key.at, key.length, "not-applicable", message);
                        }
                    }
                    Some(_) | None => {
                        inputs::unknown(key, &["cron", "timezone"], self.sink);
                    }
                }
            }
            if !found {
                self.error(item, "missing-key", "`cron` is required here and missing".to_owned());
            }
        }
    }
}
