//! `action.yml`: an action of the repository's own, read like a workflow.

mod uses;

use indexmap::IndexMap;

use super::{
    Diagnostic, Step, Template, build, check,
    diagnostic::Sink,
    schema::{self, Shape},
    scope::Scope,
    yaml,
};

pub use uses::{Actions, action_folder, check_actions, local_actions};

/// What an action takes, does and hands back.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Path of its `action.yml` in the repository.
    pub file: String,
    pub inputs: IndexMap<String, ActionInput>,
    pub outputs: IndexMap<String, Template>,
    /// `runs.using`: Assay runs [`COMPOSITE`] ones.
    pub using: String,
    /// Of a composite action.
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ActionInput {
    pub required: bool,
    pub default: Option<Template>,
}

/// The kind of action that consists of steps.
pub const COMPOSITE: &str = "composite";

/// Names that an action's file may have; the first that is there is read, as on GitHub.
pub const ACTION_FILES: [&str; 2] = ["action.yml", "action.yaml"];

/// Reads one `action.yml`. The action is there whenever enough of it could be understood to say more; it may be
/// run only if no diagnostic is an error. `file` is the path as diagnostics name it.
pub fn parse_action(file: &str, text: &str) -> (Option<Action>, Vec<Diagnostic>) {
    let mut sink = Sink::new(file);
    let Some(root) = yaml::read(text, &mut sink) else { return (None, sink.finish()) };
    check::value(&root, &schema::ACTION, Scope::NONE, &mut sink);
    let action = build::action(file, &root, &mut sink);
    if let Some(runs) = build::action_runs(&root) {
        match &action {
            Some(action) if is_foreign(&action.using) => {
                let message =
                    format!("Assay runs composite actions; a step that uses this `{}` one fails", action.using);
                sink.warn(runs.at, runs.length, "action-kind", message);
            }
            Some(_) | None => check::value(runs, RUNS, Scope::NONE, &mut sink),
        }
    }
    (action, sink.finish())
}

const RUNS: &Shape = &schema::RUNS;

/// A kind that GitHub has and Assay has not.
fn is_foreign(using: &str) -> bool {
    using == "docker" || using.strip_prefix("node").is_some_and(|version| version.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{StepAction, parse};

    /// `line:column code` of each error and warning.
    fn remarks(text: &str) -> Vec<String> {
        let (_, diagnostics) = parse_action("greet/action.yml", text);
        diagnostics.iter().map(|each| format!("{}:{} {}", each.line, each.column, each.code)).collect()
    }

    const GREET: &str = "name: greet
inputs:
  whom: { required: true, description: a name }
  count: { default: 1.0 }
outputs: { said: { value: '${{ steps.say.outputs.text }}' } }
runs:
  using: composite
  steps:
    - { id: say, shell: bash, run: 'echo \"${{ inputs.whom }}\"', if: \"inputs.count != '0' && success()\" }
    - { uses: actions/checkout@v4, with: { path: x } }
";

    #[test]
    fn a_whole_action_is_read() {
        let (action, diagnostics) = parse_action("greet/action.yml", GREET);
        assert_eq!(diagnostics, []);
        let action = action.unwrap();
        assert_eq!((action.using.as_str(), action.steps.len()), (COMPOSITE, 2));
        assert!(action.inputs["whom"].required && !action.inputs["count"].required);
        assert_eq!(action.inputs["count"].default.as_ref().unwrap().value, "1");
        assert_eq!(action.outputs["said"].value, "${{ steps.say.outputs.text }}");
        assert!(matches!(action.steps[1].action, StepAction::Uses { .. }));
    }

    #[test]
    fn every_mistake_is_reported_at_its_place() {
        assert_eq!(remarks("nmae: x\nruns: { using: composite, steps: [] }\n"), ["1:1 unknown-key"]);
        assert_eq!(remarks("name: x\n"), ["1:1 missing-key"]);
        assert_eq!(remarks("runs:\n  steps: []\n"), ["2:3 missing-key"]);
        assert_eq!(
            remarks("runs:\n  using: compsite\n  step: []\n"),
            ["2:3 missing-key", "2:10 unexpected-value", "3:3 unknown-key"]
        );
        assert_eq!(remarks("runs:\n  using: composite\n"), ["2:3 missing-key"]);
        assert_eq!(remarks("runs: composite\n"), ["1:7 unexpected-value"]);
        assert_eq!(remarks("runs: { using: node20, main: index.js }\n"), ["1:7 action-kind"]);
        assert_eq!(
            remarks("inputs: { a: { defualt: x } }\nruns: { using: composite, steps: [] }\n"),
            ["1:16 unknown-key"]
        );
        assert_eq!(remarks("- a\n"), ["1:1 unexpected-sequence"]);
    }

    #[test]
    fn steps_have_their_own_shape_and_contexts() {
        let step = |step: &str| remarks(&format!("runs:\n  using: composite\n  steps:\n    - {step}\n"));
        assert_eq!(step("run: echo"), ["4:7 missing-key"]);
        assert_eq!(step("{ run: echo, shell: bash, timeout-minutes: 5 }"), ["4:33 unknown-key"]);
        assert_eq!(step("{ run: echo, shell: bash, uses: ./x }"), ["4:33 unknown-key"]);
        assert_eq!(step("{ name: x }"), ["4:7 missing-key"]);
        assert_eq!(step("{ uses: ./x, wiht: { a: b } }"), ["4:20 unknown-key"]);
        assert_eq!(step("{ shell: bash, run: 'x ${{ secrets.TOKEN }}' }"), ["4:27 expression"]);
        assert_eq!(step("{ shell: bash, run: x, if: \"needs.a.result == ''\" }"), ["4:34 expression"]);
        assert_eq!(step("{ shell: bash, run: x, env: { A: '${{ 1 + }}' } }"), ["4:40 expression"]);
        assert_eq!(step("{ shell: bash, run: x, id: a-b, if: always() }"), [""; 0]);
        assert_eq!(step("{ shell: bash, run: x, id: 1a }"), ["4:34 step-id"]);
        assert_eq!(step("{ shell: bash, run: 'echo ${{ github.head_ref }}' }"), ["4:27 script-injection"]);
    }

    fn of_workflow(with: &str, actions: &[(&str, &str)]) -> Vec<String> {
        let text = format!("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: ./greet\n{with}");
        let (workflow, diagnostics) = parse("w.yml", &text);
        assert_eq!(diagnostics, []);
        let parsed = |(path, text): &(&str, &str)| {
            let folder = action_folder(path).unwrap();
            (folder.clone(), parse_action(&format!("{folder}/action.yml"), text))
        };
        let actions: Actions = actions.iter().map(parsed).collect();
        let workflow = workflow.unwrap();
        let found = check_actions(&workflow.file, workflow.steps(), &actions);
        found.iter().map(|each| format!("{}:{}:{} {}", each.file, each.line, each.column, each.code)).collect()
    }

    #[test]
    fn a_step_gives_an_action_what_it_takes() {
        let greet = [("./greet", GREET)];
        assert_eq!(of_workflow("        with: { whom: you }\n", &greet), [""; 0]);
        assert_eq!(of_workflow("        with: { WHOM: you }\n", &greet), [""; 0]);
        assert_eq!(of_workflow("", &greet), ["w.yml:6:15 missing-input"]);
        let wrong = of_workflow("        with: { whmo: you }\n", &greet);
        assert_eq!(wrong, ["w.yml:6:15 missing-input", "w.yml:7:23 unknown-input"]);
        assert_eq!(of_workflow("", &[]), ["w.yml:6:15 unknown-action"]);
    }

    #[test]
    fn actions_that_actions_use_are_looked_at_too() {
        let uses = |path: &str| format!("runs:\n  using: composite\n  steps:\n    - uses: {path}\n");
        let (outer, inner) = (uses("./inner"), "runs: { using: composite, steps: [{ run: x }] }\n");
        let found = of_workflow("", &[("./greet", &outer), ("./inner", inner)]);
        assert_eq!(found, ["inner/action.yml:1:35 missing-key"]);
        let found = of_workflow("", &[("./greet", &outer), ("./inner/", &uses("./greet/"))]);
        assert_eq!(found, ["inner/action.yml:4:13 action-cycle"]);
        // What cannot be read at all is complained about once.
        assert_eq!(of_workflow("", &[("./greet", "a: [")]), ["greet/action.yml:2:1 yaml"]);
    }
}
