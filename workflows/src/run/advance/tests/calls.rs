use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{run::JobEvent, syntax};

/// A run that is played to its end: each job that is offered ends at once, as `play` says.
struct Play {
    workflow: Workflow,
    called: Called,
    contexts: IndexMap<String, Value>,
    groups: IndexMap<JobKey, Group>,
    jobs: Vec<(PlannedJob, JobLife, IndexMap<String, String>)>,
    /// What was offered, in order; `!` before what was stopped and `-` before what was skipped.
    told: Vec<String>,
}

fn read(file: &str, text: &str) -> Workflow {
    let (workflow, diagnostics) = syntax::parse(file, text);
    assert!(!diagnostics.iter().any(Diagnostic::is_error), "{diagnostics:?}");
    workflow.unwrap()
}

impl Play {
    fn new(text: &str, files: &[(&str, &str)]) -> Self {
        let workflow = read("w.yml", text);
        let called = files.iter().map(|(path, text)| ((*path).to_owned(), Arc::new(read(path, text)))).collect();
        let groups = workflow.jobs.keys().map(|id| (JobKey::new(id, None), Group::Waiting)).collect();
        let contexts = IndexMap::from([("github".to_owned(), json!({"ref": "r"}))]);
        Self { workflow, called, contexts, groups, jobs: vec![], told: vec![] }
    }

    fn with_snapshot<T>(&self, ask: impl FnOnce(&Snapshot<'_>) -> T) -> T {
        let views: Vec<_> =
            self.jobs.iter().map(|(planned, life, outputs)| JobView { planned, life, outputs }).collect();
        ask(&Snapshot {
            workflow: &self.workflow,
            called: &self.called,
            contexts: &self.contexts,
            groups: &self.groups,
            jobs: &views,
            cancel: None,
        })
    }

    /// Plays on; `end` says how an offered job ends, or none where it goes on running.
    fn play(&mut self, end: impl Fn(&str) -> Option<(Conclusion, Value)>) -> Option<Conclusion> {
        loop {
            let decision = self.with_snapshot(advance).into_iter().next()?;
            match decision {
                Decision::Skip { job, name } => {
                    self.told.push(format!("-{name}"));
                    self.groups.insert(job, Group::Skipped { name, at: now() });
                }
                Decision::Invalid { job, diagnostic } => {
                    self.told.push(diagnostic.message.clone());
                    self.groups.insert(job, Group::Invalid { diagnostic, at: now() });
                }
                Decision::Expand { job, rows } => {
                    self.groups.insert(job, Group::Expanded { rows: rows.len() as u32 });
                    self.jobs.extend(rows.into_iter().map(|row| (row, JobLife::new(false), IndexMap::new())));
                }
                Decision::Call { job, rows, inside } => {
                    self.groups.insert(job, Group::Called { rows });
                    self.groups.extend(inside.into_iter().map(|group| (group, Group::Waiting)));
                }
                Decision::AskPlace(key) => {
                    let job = self.jobs.iter_mut().find(|job| job.0.key == key).unwrap();
                    let asked = job.1.clone().apply(JobEvent::PlaceAsked, now()).unwrap();
                    job.1 = asked.apply(JobEvent::PlaceGiven, now()).unwrap();
                }
                Decision::Offer(key) => {
                    let job = self.jobs.iter_mut().find(|job| job.0.key == key).unwrap();
                    self.told.push(job.0.name.clone());
                    let claimed = JobEvent::Claimed { runner: "r".into() };
                    job.1 = job.1.clone().apply(JobEvent::Offered, now()).unwrap().apply(claimed, now()).unwrap();
                    if let Some((conclusion, outputs)) = end(key.as_str()) {
                        job.1 = job.1.clone().apply(JobEvent::Concluded(conclusion), now()).unwrap();
                        job.2 = serde_json::from_value(outputs).unwrap();
                    }
                }
                Decision::Cancel { key, .. } => {
                    let job = self.jobs.iter_mut().find(|job| job.0.key == key).unwrap();
                    self.told.push(format!("!{}", job.0.name));
                    job.1 = job.1.clone().apply(JobEvent::CancelAsked("x".into()), now()).unwrap();
                    if job.1.conclusion().is_none() {
                        job.1 = job.1.clone().apply(JobEvent::Concluded(Conclusion::Cancelled), now()).unwrap();
                    }
                }
                Decision::Conclude(conclusion) => return Some(conclusion),
            }
        }
    }

    fn context(&self, key: &str, secrets: &[(&str, &str)]) -> (Value, BTreeMap<String, String>) {
        let secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let planned = &self.jobs.iter().find(|job| job.0.key.as_str() == key).unwrap().0;
        self.with_snapshot(|snapshot| {
            let context = job_context(snapshot, planned, &secrets).unwrap();
            (serde_json::to_value(&context.contexts).unwrap(), context.secrets)
        })
    }
}

const INNER: &str = "on:
  workflow_call:
    inputs: { n: { type: number, default: 3 }, who: { type: string } }
    outputs: { digest: { value: '${{ jobs.b.outputs.d }}-${{ jobs.a.result }}' } }
    secrets: { token: {} }
jobs:
  a: { runs-on: x }
  b: { runs-on: x, needs: a, outputs: { d: y } }
";

#[test]
fn a_call_runs_the_called_jobs_and_hands_back_their_outputs() {
    let mut play = Play::new(
        "on: push
jobs:
  call:
    uses: ./in.yml
    with: { who: '${{ github.ref }}' }
    secrets: { token: 'x${{ secrets.ALL }}' }
  after: { runs-on: x, needs: call }
",
        &[("./in.yml", INNER)],
    );
    let end = |key: &str| Some((Conclusion::Success, if key == "call/b" { json!({"d": "42"}) } else { json!({}) }));
    assert_eq!(play.play(end), Some(Conclusion::Success));
    assert_eq!(play.told, ["call / a", "call / b", "after"]);
    let (after, _) = play.context("after", &[]);
    assert_eq!(after["needs"], json!({"call": {"result": "success", "outputs": {"digest": "42-success"}}}));
    let (inner, secrets) = play.context("call/b", &[("ALL", "s3"), ("other", "no")]);
    assert_eq!(inner["inputs"], json!({"n": 3, "who": "r"}));
    assert_eq!(inner["needs"]["a"]["result"], json!("success"));
    assert_eq!(secrets, BTreeMap::from([("token".to_owned(), "xs3".to_owned())]));
    assert_eq!(play.context("after", &[("ALL", "s3")]).1.len(), 1);
}

#[test]
fn a_failure_within_a_call_fails_the_call_and_skips_what_needs_it() {
    let mut play = Play::new(
        "on: push
jobs:
  call: { uses: ./in.yml }
  after: { runs-on: x, needs: call }
  last: { runs-on: x, needs: after, if: failure() }
",
        &[("./in.yml", INNER)],
    );
    assert_eq!(play.play(|_| Some((Conclusion::Failure, json!({})))), Some(Conclusion::Failure));
    assert_eq!(play.told, ["call / a", "-call / b", "-after", "last"]);
}

#[test]
fn rows_of_a_call_keep_to_max_parallel_and_fail_fast() {
    let text = "on: push
jobs:
  call:
    strategy: { max-parallel: 1, matrix: { v: [1, 2, 3] } }
    uses: ./in.yml
    with: { n: '${{ matrix.v }}' }
";
    let mut play = Play::new(text, &[("./in.yml", INNER)]);
    assert_eq!(play.play(|key| (key != "call.0/b").then(|| (Conclusion::Success, json!({})))), None);
    assert_eq!(play.told, ["call (1) / a", "call (1) / b"]);

    let mut play = Play::new(text, &[("./in.yml", INNER)]);
    let end = |key: &str| {
        let conclusion = if key == "call.1/a" { Conclusion::Failure } else { Conclusion::Success };
        Some((conclusion, json!({})))
    };
    assert_eq!(play.play(end), Some(Conclusion::Failure));
    let told = ["call (1) / a", "call (1) / b", "call (2) / a", "-call (2) / b", "-call (3) / a", "-call (3) / b"];
    assert_eq!(play.told, told);
    assert_eq!(play.context("call.1/a", &[]).0["inputs"]["n"], json!(2));
}

#[test]
fn calls_nest_and_bad_inputs_are_the_callers_mistake() {
    let outer = "on: { workflow_call: {} }
jobs:
  deep: { uses: ./in.yml, with: { n: 7 } }
";
    let mut play =
        Play::new("on: push\njobs: { top: { uses: ./out.yml } }", &[("./in.yml", INNER), ("./out.yml", outer)]);
    assert_eq!(play.play(|_| Some((Conclusion::Success, json!({})))), Some(Conclusion::Success));
    assert_eq!(play.told, ["top / deep / a", "top / deep / b"]);
    assert_eq!(play.context("top/deep/a", &[]).0["inputs"]["n"], json!(7));

    let text = "on: push\njobs: { call: { uses: ./in.yml, with: { n: \"${{ github.ref }}\" } } }";
    let mut play = Play::new(text, &[("./in.yml", INNER)]);
    assert_eq!(play.play(|_| None), Some(Conclusion::Failure));
    assert_eq!(play.told, ["the input `n` is a number"]);
}
