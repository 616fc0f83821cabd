//! The jobs of a workflow in the order in which they can run.

use std::collections::HashMap;

use crate::{ids::JobId, syntax::Workflow};

/// A job of [`in_order`].
pub(super) struct Ordered<'w> {
    pub(super) id: &'w JobId,
    /// The jobs that it needs directly, under the names that they have themselves.
    pub(super) needs: Vec<&'w JobId>,
}

/// Jobs with every need before its dependants, else as the file has them; those that need one of a cycle, or a job that
/// is not there, are left out. In time linear in jobs and needs.
pub(super) fn in_order(workflow: &Workflow) -> Vec<Ordered<'_>> {
    // Names are compared without case, as on GitHub.
    let lower = |id: &JobId| id.as_str().to_ascii_lowercase();
    let known: HashMap<String, usize> = workflow.jobs.keys().enumerate().map(|(at, id)| (lower(id), at)).collect();
    let find = |need: &JobId| known.get(&lower(need)).copied();
    // A need that is not there is never met: its job waits for one more than will come.
    let mut unmet: Vec<usize> = workflow.jobs.values().map(|job| job.needs.len()).collect();
    let mut dependants = vec![Vec::new(); unmet.len()];
    for (at, job) in workflow.jobs.values().enumerate() {
        for need in job.needs.iter().filter_map(|need| find(&need.value)) {
            dependants[need].push(at);
        }
    }
    // The file is read from its top again and again, and each time all are taken whose needs were taken before: a job
    // is taken in its last need's reading if it stands below, else in the next.
    let mut reading = vec![0_usize; unmet.len()];
    let mut ready: Vec<usize> = (0..unmet.len()).filter(|at| unmet[*at] == 0).collect();
    let mut next = 0;
    while let Some(&done) = ready.get(next) {
        next += 1;
        for &dependant in &dependants[done] {
            reading[dependant] = reading[dependant].max(reading[done] + usize::from(dependant < done));
            unmet[dependant] -= 1;
            if unmet[dependant] == 0 {
                ready.push(dependant);
            }
        }
    }
    ready.sort_unstable_by_key(|at| (reading[*at], *at));
    let ordered = |at: usize| {
        let (id, job) = workflow.jobs.get_index(at)?;
        let needs = job.needs.iter().filter_map(|need| Some(workflow.jobs.get_index(find(&need.value)?)?.0));
        Some(Ordered { id, needs: needs.collect() })
    };
    ready.into_iter().filter_map(ordered).collect()
}

#[cfg(test)]
mod tests {
    use super::in_order;
    use crate::syntax::parse;

    fn order(jobs: &[(&str, &str)]) -> Vec<String> {
        let jobs = jobs.iter().map(|(id, needs)| format!("  {id}: {{ runs-on: x, needs: [{needs}] }}\n"));
        let text = format!("on: push\njobs:\n{}", jobs.collect::<String>());
        let (workflow, _) = parse("w.yml", &text);
        in_order(&workflow.unwrap()).into_iter().map(|job| job.id.to_string()).collect()
    }

    #[test]
    fn needs_come_first_and_the_file_decides_among_the_others() {
        assert_eq!(order(&[("a", ""), ("b", ""), ("c", "a")]), ["a", "b", "c"]);
        assert_eq!(order(&[("d", "c"), ("c", "A, b"), ("a", ""), ("b", "")]), ["a", "b", "c", "d"]);
        // `z` stands below its need and is taken with it, before `y`, which stands above.
        assert_eq!(order(&[("y", "x"), ("x", ""), ("z", "x")]), ["x", "z", "y"]);
        assert_eq!(order(&[("a", "b, b"), ("b", "")]), ["b", "a"]);
    }

    #[test]
    fn what_can_never_run_is_left_out() {
        assert_eq!(order(&[("a", "b"), ("b", "a"), ("c", "b"), ("d", "")]), ["d"]);
        assert_eq!(order(&[("a", "gone"), ("b", "a"), ("c", "c"), ("d", "")]), ["d"]);
    }
}
