//! What one model changes of another.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Graph, ModelFile, Signature};

/// From base to head. Empty parts are equal.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Difference {
    /// The same bytes: everything below is empty.
    pub identical: bool,
    /// Inputs and outputs, a sentence for each that changed. Whoever calls the model must change too.
    pub signature: Vec<String>,
    /// Domain → versions.
    pub opset: BTreeMap<String, Change>,
    /// Operator → numbers of nodes.
    pub operators: BTreeMap<String, Change>,
    pub parameters: Change,
    pub bytes: Change,
    pub weights: Weights,
    /// Nodes with other attributes: another stride, another tree.
    pub nodes: Names,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    pub base: u64,
    pub head: u64,
}

/// Initialisers, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Weights {
    pub added: Names,
    pub removed: Names,
    /// Another type or shape.
    pub reshaped: Names,
    /// Other numbers.
    pub changed: Names,
    pub unchanged: u64,
}

/// How many, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    pub count: u64,
    pub names: Vec<String>,
}

/// Names that are told of a longer list.
const MOST_NAMES: usize = 100;

impl Names {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < MOST_NAMES {
            self.names.push(name.to_owned());
        }
    }
}

/// Compares two models that were read with their weights.
pub fn difference(base: &ModelFile, head: &ModelFile) -> Difference {
    let (from, to) = (base.graph(), head.graph());
    Difference {
        identical: base.facts().digest == head.facts().digest,
        signature: signature("input", &from.inputs, &to.inputs)
            .into_iter()
            .chain(signature("output", &from.outputs, &to.outputs))
            .collect(),
        opset: changes(&from.opset, &to.opset),
        operators: changes(&from.operators, &to.operators),
        parameters: Change { base: from.parameters, head: to.parameters },
        bytes: Change { base: base.facts().bytes, head: head.facts().bytes },
        weights: weights(from, to),
        nodes: nodes(from, to),
    }
}

fn changes(base: &BTreeMap<String, u64>, head: &BTreeMap<String, u64>) -> BTreeMap<String, Change> {
    let names: BTreeSet<&String> = base.keys().chain(head.keys()).collect();
    let count = |of: &BTreeMap<String, u64>, name: &String| of.get(name).copied().unwrap_or(0);
    names
        .into_iter()
        .map(|name| (name.clone(), Change { base: count(base, name), head: count(head, name) }))
        .filter(|(_, change)| change.base != change.head)
        .collect()
}

fn signature(what: &str, base: &[Signature], head: &[Signature]) -> Vec<String> {
    let find = |ports: &[Signature], name: &str| ports.iter().find(|port| port.name == name).cloned();
    let mut changes = Vec::new();
    for port in base {
        match find(head, &port.name) {
            None => changes.push(format!("the {what} `{port}` is gone")),
            Some(now) if now != *port => changes.push(format!("the {what} `{port}` is now `{now}`")),
            Some(_) => {}
        }
    }
    let added = head.iter().filter(|port| find(base, &port.name).is_none());
    changes.extend(added.map(|port| format!("the {what} `{port}` is new")));
    // Inputs may be fed by position.
    if changes.is_empty() && base != head {
        changes.push(format!("the {what}s are in another order"));
    }
    changes
}

fn weights(base: &Graph, head: &Graph) -> Weights {
    let mut weights = Weights::default();
    for (name, before) in &base.weights {
        match head.weights.get(name) {
            None => weights.removed.add(name),
            Some(after) if (&before.dtype, &before.shape) != (&after.dtype, &after.shape) => weights.reshaped.add(name),
            Some(after) if before.digest != after.digest => weights.changed.add(name),
            Some(_) => weights.unchanged += 1,
        }
    }
    for name in head.weights.keys().filter(|name| !base.weights.contains_key(*name)) {
        weights.added.add(name);
    }
    weights
}

/// Only nodes that both have: more and fewer nodes show in the operators.
fn nodes(base: &Graph, head: &Graph) -> Names {
    let mut nodes = Names::default();
    for (name, before) in &base.attributes {
        if head.attributes.get(name).is_some_and(|after| after != before) {
            nodes.add(name);
        }
    }
    nodes
}
