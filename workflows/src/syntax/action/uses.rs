//! Steps that use actions of the repository: what they give must be what the action takes.

use indexmap::IndexMap;

use super::Action;
use crate::{
    expr::has_expression,
    syntax::{ActionRef, Diagnostic, Place, Step, StepAction, Template, diagnostic::Sink},
};

/// Actions of a repository that were read, with what is wrong with each, by folder (see [`action_folder`]). No action
/// where the file could not be understood.
pub type Actions = IndexMap<String, (Option<Action>, Vec<Diagnostic>)>;

/// The folder in the repository that `uses: ./path` names, without `./` and `/` around it; none where it leaves the
/// repository.
pub fn action_folder(uses: &str) -> Option<String> {
    let parts: Vec<&str> = uses.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    (uses.starts_with("./") && !parts.contains(&"..")).then(|| parts.join("/"))
}

/// The folders of the actions that steps use.
pub fn local_actions<'s>(steps: impl IntoIterator<Item = &'s Step>) -> impl Iterator<Item = String> {
    steps.into_iter().filter_map(|step| match &step.action {
        StepAction::Uses { uses: ActionRef::Local(path), .. } => action_folder(path),
        StepAction::Uses { .. } | StepAction::Run { .. } => None,
    })
}

/// Checks the steps of a file that use actions of the repository, and these actions. One that is not there is
/// warned about: a step before may make it.
pub fn check_actions<'s>(file: &str, steps: impl IntoIterator<Item = &'s Step>, actions: &Actions) -> Vec<Diagnostic> {
    let mut checker = Checker { actions, looked_at: Vec::new(), found: Vec::new() };
    checker.steps(file, steps.into_iter(), &[]);
    checker.found
}

struct Checker<'a> {
    actions: &'a Actions,
    looked_at: Vec<&'a str>,
    found: Vec<Diagnostic>,
}

impl<'a> Checker<'a> {
    /// `chain` are the folders of the actions around these steps.
    fn steps<'s>(&mut self, file: &str, steps: impl Iterator<Item = &'s Step>, chain: &[&'a str]) {
        let mut sink = Sink::new(file);
        let mut inner = Vec::new();
        for step in steps {
            let StepAction::Uses { uses: ActionRef::Local(path), at, with, .. } = &step.action else { continue };
            let known = action_folder(path).and_then(|folder| self.actions.get_key_value(&folder));
            match known {
                None => sink.warn(*at, length(path), "unknown-action", format!("there is no `action.yml` in `{path}`")),
                Some((folder, _)) if chain.contains(&folder.as_str()) => {
                    sink.error(*at, length(path), "action-cycle", format!("`{path}` is used from within itself"));
                }
                Some((folder, (action, _))) => {
                    if let Some(action) = action {
                        inputs(path, *at, with, action, &mut sink);
                    }
                    inner.push(folder.as_str());
                }
            }
        }
        self.found.extend(sink.finish());
        for folder in inner {
            self.action(folder, chain);
        }
    }

    fn action(&mut self, folder: &'a str, chain: &[&'a str]) {
        if self.looked_at.contains(&folder) {
            return;
        }
        self.looked_at.push(folder);
        let (action, diagnostics) = &self.actions[folder];
        self.found.extend(diagnostics.iter().cloned());
        if let Some(action) = action {
            let chain: Vec<&str> = chain.iter().copied().chain([folder]).collect();
            self.steps(&action.file, action.steps.iter(), &chain);
        }
    }
}

fn length(text: &str) -> u32 {
    text.chars().count().clamp(1, 200) as u32
}

fn inputs(path: &str, at: Place, with: &IndexMap<String, Template>, action: &Action, sink: &mut Sink<'_>) {
    // What a key that is an expression gives is known when it is evaluated.
    let computed = with.keys().any(|name| has_expression(name));
    for (name, given) in with
        .iter()
        .filter(|(name, _)| !has_expression(name) && !action.inputs.keys().any(|each| each.eq_ignore_ascii_case(name)))
    {
        let first_line = given.value.lines().next().unwrap_or_default();
        let mut diagnostic =
            sink.make(given.at, length(first_line), "unknown-input", format!("`{path}` takes no input `{name}`"));
        diagnostic.help = Some(match sink.nearest(name, action.inputs.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if action.inputs.is_empty() => "it takes none".to_owned(),
            None => format!("it takes: {}", action.inputs.keys().map(String::as_str).collect::<Vec<_>>().join(", ")),
        });
        sink.push(diagnostic);
    }
    for (name, input) in &action.inputs {
        let given = with.keys().any(|each| each.eq_ignore_ascii_case(name));
        if input.required && input.default.is_none() && !given && !computed {
            sink.error(at, length(path), "missing-input", format!("`{path}` requires the input `{name}`"));
        }
    }
}
