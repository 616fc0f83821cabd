//! What a step is called in `github.action`, and where an action comes from.

use std::collections::HashSet;

use super::{Step, StepAction};

/// GitHub's limit.
const LONGEST: usize = 100;

/// The names of a job's steps, one each: a step's id, else after what it does, as `__run`, `__run_2`,
/// `__actions_checkout` or `__self`, an action of the repository's own.
pub fn step_names(steps: &[Step]) -> Vec<String> {
    // No id begins with `__`.
    let mut taken = HashSet::new();
    let mut name = |step: &Step| match &step.id {
        Some(id) => id.clone(),
        None => {
            let plain = after(&step.action);
            let numbered = |number: usize| {
                let suffix = if number == 1 { String::new() } else { format!("_{number}") };
                format!("{}{suffix}", &plain[..plain.len().min(LONGEST - suffix.len())])
            };
            (1..).map(numbered).find(|name| taken.insert(name.to_ascii_lowercase())).unwrap_or_default()
        }
    };
    steps.iter().map(&mut name).collect()
}

/// ASCII alone.
fn after(action: &StepAction) -> String {
    let name = match action {
        StepAction::Run { .. } => "run".to_owned(),
        StepAction::Uses { written, .. } => match (action.repository(), written.strip_prefix("docker://")) {
            (Some((repository, _)), _) => repository,
            (None, Some(image)) if !image.is_empty() => image.to_owned(),
            (None, _) if written.starts_with("./") || written.starts_with(".\\") => "self".to_owned(),
            (None, _) => "run".to_owned(),
        },
    };
    let legal = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("__{}", name.chars().map(legal).collect::<String>())
}

impl StepAction {
    /// `owner/repository` and the version of an action that comes from another repository.
    pub fn repository(&self) -> Option<(String, &str)> {
        let StepAction::Uses { written, .. } = self else { return None };
        let (path, version) = written.split_once('@').filter(|_| !written.starts_with("docker://"))?;
        let mut names = path.split(['/', '\\']).filter(|name| !name.is_empty());
        match (names.next(), names.next()) {
            (Some(owner), Some(name)) if owner != "." => Some((format!("{owner}/{name}"), version)),
            (Some(_) | None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse;

    #[test]
    fn a_step_is_called_by_its_id_or_after_what_it_does() {
        let long = "x".repeat(120);
        let steps = [
            "run: a",
            "run: b",
            "{ id: build, run: d }",
            "uses: actions/checkout@v4",
            "uses: actions/Checkout/sub/path@v4",
            "uses: ./tools/greet",
            "uses: ./tools/other",
            "uses: docker://alpine:3.20",
            "uses: a.b/c_d-e@main",
            "run: e",
            &format!("uses: o/{long}@v1"),
            &format!("uses: o/{long}@v2"),
        ]
        .map(|step| format!("      - {step}\n"))
        .join("");
        let file = format!("on: push\njobs:\n  j:\n    runs-on: linux\n    steps:\n{steps}");
        let (workflow, _) = parse("w.yml", &file);
        let names = step_names(workflow.unwrap().jobs[0].steps());
        let cut = |to: usize, suffix: &str| format!("{}{suffix}", &format!("__o_{long}")[..to]);
        assert_eq!(
            names,
            [
                "__run",
                "__run_2",
                "build",
                "__actions_checkout",
                "__actions_Checkout_2",
                "__self",
                "__self_2",
                "__alpine_3_20",
                "__a_b_c_d-e",
                "__run_3",
                &cut(100, ""),
                &cut(98, "_2"),
            ]
        );
    }
}
