use indexmap::IndexMap;
use serde_json::Value;

use super::{get, pairs, scalar_value, step, template};
use crate::syntax::{
    Action, ActionInput,
    diagnostic::Sink,
    yaml::{Kind, Node},
};

/// None where there is no mapping at all.
pub(in crate::syntax) fn action(file: &str, root: &Node, sink: &mut Sink<'_>) -> Option<Action> {
    if !matches!(root.kind, Kind::Mapping(_)) {
        return None;
    }
    let input = |node: &Node| ActionInput {
        required: get(node, "required").is_some_and(|required| scalar_value(required) == Value::Bool(true)),
        default: template(node, "default"),
    };
    let outputs = pairs(root, "outputs").into_iter().filter_map(|(name, node)| Some((name, template(node, "value")?)));
    let mut action = Action {
        file: file.to_owned(),
        inputs: pairs(root, "inputs").into_iter().map(|(name, node)| (name, input(node))).collect(),
        outputs: outputs.collect::<IndexMap<_, _>>(),
        using: String::new(),
        steps: Vec::new(),
    };
    if let Some(runs) = runs(root) {
        action.using = get(runs, "using").and_then(Node::to_text).unwrap_or_default();
        action.steps = get(runs, "steps").map(|steps| step::list(steps, sink)).unwrap_or_default();
    }
    Some(action)
}

/// `runs:`, whose keys depend on the kind of action.
pub(in crate::syntax) fn runs<'n>(root: &'n Node<'n>) -> Option<&'n Node<'n>> {
    get(root, "runs")
}
