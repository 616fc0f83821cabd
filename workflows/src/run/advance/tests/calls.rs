use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{
    run::{JobEvent, call_life, tell_call},
    syntax,
};

/// A run that is played to its end: each job that is offered ends at once, as `play` says.
struct Play {
    workflow: Workflow,
    called: Called,
    contexts: IndexMap<String, Value>,
    groups: IndexMap<JobKey, Group>,
    jobs: Vec<(PlannedJob, JobLife, IndexMap<String, String>)>,
    /// What was offered, in order; `!` before what was stopped and `-` before what was skipped.
    told: Vec<String>,
    /// Why the run was cancelled.
    cancel: Option<String>,
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
        Self { workflow, called, contexts, groups, jobs: vec![], told: vec![], cancel: None }
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
            cancel: self.cancel.as_deref(),
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
                Decision::Expand { job, rows, after_cancel } => {
                    self.groups.insert(job, Group::Expanded { rows: rows.len() as u32 });
                    self.jobs.extend(rows.into_iter().map(|row| (row, JobLife::new(after_cancel), IndexMap::new())));
                }
                Decision::Call { job, called, inside } => {
                    self.groups.insert(job, called);
                    self.groups.extend(inside.into_iter().map(|group| (group, Group::Waiting)));
                }
                Decision::TellCall { call, event } => {
                    self.told.push(format!("{call}: {event:?}"));
                    tell_call(&mut self.groups, &call, event, now()).unwrap();
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
    let dropped = "call.2: Dropped(\"fail-fast: call (2) failed\")";
    assert_eq!(play.told, ["call (1) / a", "call (1) / b", "call (2) / a", "-call (2) / b", dropped]);
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

/// A call in the group `x`, of a workflow in the group `y`.
const GROUPED: &str = "on: push
jobs:
  call:
    strategy: { matrix: { v: [1, 2] } }
    uses: ./in.yml
    with: { n: '${{ matrix.v }}' }
    concurrency: { group: 'x-${{ matrix.v }}', cancel-in-progress: true }
  after: { runs-on: x, needs: call, if: always() }
";

const GROUPED_INNER: &str = "on: { workflow_call: { inputs: { n: { type: number } } } }
concurrency: 'y-${{ inputs.n }}'
jobs:
  a: { runs-on: x }
  b: { runs-on: x, needs: a, if: always() }
";

impl Play {
    fn tell(&mut self, call: &str, event: CallEvent) {
        tell_call(&mut self.groups, &key(call), event, now()).unwrap();
    }

    fn groups_of(&self, call: &str) -> Vec<(&str, bool)> {
        let groups = &call_life(&self.groups, &key(call)).unwrap().groups;
        groups.iter().map(|own| (own.group.as_str(), own.cancel_in_progress)).collect()
    }
}

fn passes(_: &str) -> Option<(Conclusion, Value)> {
    Some((Conclusion::Success, json!({})))
}

#[test]
fn a_call_asks_for_its_places_one_after_the_other_before_anything_in_it_starts() {
    let mut play = Play::new(GROUPED, &[("./in.yml", GROUPED_INNER)]);
    assert_eq!(play.play(passes), None);
    assert_eq!(play.told, ["call.0: PlaceAsked", "call.1: PlaceAsked"]);
    assert_eq!(play.groups_of("call.1"), [("x-2", true), ("y-2", false)]);
    play.tell("call.1", CallEvent::PlaceGiven);
    assert_eq!(play.play(passes), None);
    play.tell("call.1", CallEvent::PlaceGiven);
    assert_eq!(play.play(passes), None);
    let asked = ["call.1: PlaceAsked", "call (2) / a", "call (2) / b", "call.1: Ended"];
    assert_eq!(play.told[2..], asked);
    play.tell("call.0", CallEvent::PlaceGiven);
    play.play(passes);
    play.tell("call.0", CallEvent::PlaceGiven);
    assert_eq!(play.play(passes), Some(Conclusion::Success));
    let rest = ["call.0: PlaceAsked", "call (1) / a", "call (1) / b", "call.0: Ended", "after"];
    assert_eq!(play.told[6..], rest);
}

#[test]
fn a_call_that_ends_while_it_waits_is_cancelled_and_nothing_in_it_starts() {
    let mut play = Play::new(GROUPED, &[("./in.yml", GROUPED_INNER)]);
    play.play(passes);
    for _ in 0..2 {
        play.tell("call.0", CallEvent::PlaceGiven);
        play.play(passes);
    }
    play.told.clear();
    play.tell("call.1", CallEvent::PlaceGiven);
    play.tell("call.1", CallEvent::CancelAsked("newer".into()));
    assert_eq!(play.play(passes), Some(Conclusion::Cancelled));
    assert_eq!(play.told, ["call.1: Dropped(\"newer\")", "after"]);
    assert_eq!(play.context("after", &[]).0["needs"]["call"]["result"], json!("cancelled"));
    assert_eq!(play.groups[&key("call.1/b")], Group::Cancelled { at: now() });
}

#[test]
fn a_call_that_is_cancelled_under_way_ends_as_a_cancelled_run_does_and_takes_nothing_else_along() {
    let mut play = Play::new(GROUPED, &[("./in.yml", GROUPED_INNER)]);
    play.play(passes);
    let runs_on = |key: &str| (key != "call.1/a" && key != "call.0/a").then(|| (Conclusion::Success, json!({})));
    for call in ["call.0", "call.1", "call.0", "call.1"] {
        play.tell(call, CallEvent::PlaceGiven);
        play.play(runs_on);
    }
    play.told.clear();
    play.tell("call.1", CallEvent::CancelAsked("newer".into()));
    assert_eq!(play.play(runs_on), None);
    // What says `always()` still runs, and its place is free only then.
    assert_eq!(play.told, ["!call (2) / a", "call (2) / b", "call.1: Ended"]);
}

#[test]
fn a_call_that_waits_has_its_room_under_max_parallel_and_a_cancelled_run_drops_it() {
    let text = GROUPED.replace("strategy: {", "strategy: { max-parallel: 1,");
    let mut play = Play::new(&text, &[("./in.yml", GROUPED_INNER)]);
    assert_eq!(play.play(passes), None);
    assert_eq!(play.told, ["call.0: PlaceAsked"]);
    play.cancel = Some("by hand".to_owned());
    assert_eq!(play.play(passes), Some(Conclusion::Cancelled));
    assert_eq!(play.told[1..], ["call.0: Dropped(\"by hand\")", "call.1: Dropped(\"by hand\")", "after"]);
}

#[test]
fn a_call_made_after_a_cancellation_asks_for_its_place_and_runs_what_wants_to() {
    let text = "on: push\njobs:\n  call: { uses: ./in.yml, if: cancelled(), concurrency: x }\n";
    let mut play = Play::new(text, &[("./in.yml", GROUPED_INNER)]);
    play.cancel = Some("by hand".to_owned());
    play.play(passes);
    for _ in 0..2 {
        play.tell("call", CallEvent::PlaceGiven);
        play.play(passes);
    }
    let told = ["call: PlaceAsked", "call: PlaceAsked", "-call / a", "call / b", "call: Ended"];
    assert_eq!(play.told, told);
}

#[test]
fn a_failed_row_drops_the_rows_of_a_call_that_wait_for_their_places() {
    let mut play = Play::new(GROUPED, &[("./in.yml", GROUPED_INNER)]);
    play.play(passes);
    for _ in 0..2 {
        play.tell("call.0", CallEvent::PlaceGiven);
        play.play(|_| Some((Conclusion::Failure, json!({}))));
    }
    assert!(play.told.contains(&"call.1: Dropped(\"fail-fast: call (1) failed\")".to_owned()), "{:?}", play.told);
}

#[test]
fn calls_within_a_call_that_waits_wait_too_and_names_are_of_bounded_length() {
    let outer = "on: { workflow_call: {} }\nconcurrency: g\njobs:\n  deep: { uses: ./in.yml, concurrency: G }\n";
    let files = [("./in.yml", GROUPED_INNER), ("./out.yml", outer)];
    let mut play = Play::new("on: push\njobs: { top: { uses: ./out.yml } }", &files);
    assert_eq!(play.play(passes), None);
    play.tell("top", CallEvent::PlaceGiven);
    assert_eq!(play.play(passes), None);
    assert_eq!(play.told, ["top: PlaceAsked", "top/deep: PlaceAsked"]);

    // Written out, so long a name is refused when the file is read.
    let long = "g".repeat(401);
    let long = format!("on: push\njobs:\n  call: {{ uses: ./in.yml, concurrency: '{long}${{{{ github.ref }}}}' }}\n");
    let mut play = Play::new(&long, &[("./in.yml", GROUPED_INNER)]);
    assert_eq!(play.play(passes), Some(Conclusion::Failure));
    assert_eq!(play.told, ["job `call`: the name of a concurrency group has at most 400 characters"]);

    let name = "é".repeat(390);
    let rows: Vec<usize> = (0..22).collect();
    let strategy = format!("strategy: {{ matrix: {{ v: {rows:?} }} }}");
    let many = format!("on: push\njobs:\n  call: {{ uses: ./in.yml, {strategy}, concurrency: {name} }}\n");
    let mut play = Play::new(&many, &[("./in.yml", GROUPED_INNER)]);
    assert_eq!(play.play(passes), Some(Conclusion::Failure));
    assert_eq!(play.told, ["the concurrency groups of a run's calls may have names of 16 KB together"]);
}

#[test]
fn a_call_that_names_the_group_of_its_workflow_waits_for_itself() {
    let text = "on: push\njobs:\n  call: { uses: ./in.yml, with: { n: 1 }, concurrency: Y-1 }\n";
    let mut play = Play::new(text, &[("./in.yml", GROUPED_INNER)]);
    play.play(passes);
    assert_eq!(call_life(&play.groups, &key("call")).unwrap().deadlock_with_itself(), None);
    play.tell("call", CallEvent::PlaceGiven);
    play.play(passes);
    assert!(call_life(&play.groups, &key("call")).unwrap().deadlock_with_itself().is_some());
}
