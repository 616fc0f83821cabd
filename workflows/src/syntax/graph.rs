//! What `needs` must satisfy: every name is a job, and no job waits for itself.

use std::collections::HashMap;

use super::{Located, Workflow, diagnostic::Sink};
use crate::ids::JobId;

type Need = Located<JobId>;

pub(super) fn check(workflow: &Workflow, sink: &mut Sink<'_>) {
    // Names are compared without case, as on GitHub.
    let index: HashMap<String, usize> =
        workflow.jobs.keys().enumerate().map(|(index, id)| (id.as_str().to_ascii_lowercase(), index)).collect();
    let mut edges: Vec<Vec<(usize, &Need)>> = Vec::with_capacity(workflow.jobs.len());
    for (id, job) in &workflow.jobs {
        let mut needed = Vec::new();
        for need in &job.needs {
            match index.get(&need.value.as_str().to_ascii_lowercase()) {
                Some(other) => needed.push((*other, need)),
                None => {
                    let length = need.value.as_str().len() as u32;
                    let message = format!("job `{id}` needs `{}`, which is no job of this workflow", need.value);
                    let mut diagnostic = sink.make(need.at, length, "unknown-need", message);
                    diagnostic.help = sink
                        .nearest(need.value.as_str(), workflow.jobs.keys().map(|id| id.as_str()))
                        .map(|near| format!("did you mean `{near}`?"));
                    sink.push(diagnostic);
                }
            }
        }
        edges.push(needed);
    }
    match workflow.jobs.values().next() {
        // Then there is a cycle too, or an unknown need; GitHub names the lack of a first job alone.
        Some(first) if workflow.jobs.values().all(|job| !job.needs.is_empty()) => {
            sink.error(first.at, 1, "no-first-job", "no job can be the first: every one needs another");
        }
        Some(_) | None => report_cycles(workflow, &edges, sink),
    }
}

/// Every `needs` that is part of a cycle is named.
fn report_cycles(workflow: &Workflow, edges: &[Vec<(usize, &Need)>], sink: &mut Sink<'_>) {
    let component = components(edges);
    for (from, id) in workflow.jobs.keys().enumerate() {
        for (to, need) in &edges[from] {
            if component[from] == component[*to] {
                let message = format!("job `{id}` needs `{}`, which needs `{id}` in turn: a cycle", need.value);
                sink.error(need.at, need.value.as_str().len() as u32, "needs-cycle", message);
            }
        }
    }
}

/// Strongly connected components (Kosaraju), without recursion; an id per job.
fn components(edges: &[Vec<(usize, &Need)>]) -> Vec<usize> {
    let count = edges.len();
    let mut backwards = vec![Vec::new(); count];
    for (from, targets) in edges.iter().enumerate() {
        for (to, _) in targets {
            backwards[*to].push(from);
        }
    }
    let mut order = Vec::with_capacity(count);
    let mut seen = vec![false; count];
    for start in 0..count {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut stack = vec![(start, 0)];
        while let Some((node, next)) = stack.pop() {
            match edges[node].get(next) {
                Some(&(to, _)) => {
                    stack.push((node, next + 1));
                    if !std::mem::replace(&mut seen[to], true) {
                        stack.push((to, 0));
                    }
                }
                None => order.push(node),
            }
        }
    }
    let mut component = vec![usize::MAX; count];
    for (name, start) in order.into_iter().rev().enumerate() {
        let mut stack = vec![start];
        while let Some(node) = stack.pop() {
            if component[node] == usize::MAX {
                component[node] = name;
                stack.extend(&backwards[node]);
            }
        }
    }
    component
}
