mod calls;

use super::*;
use crate::{
    ids::JobId,
    run::JobEvent,
    syntax::{Job, JobBody, Located, Place, Queue, RunsOn, Triggers},
};

fn id(text: &str) -> JobId {
    text.parse().unwrap()
}

fn key(text: &str) -> JobKey {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(100).unwrap()
}

/// A workflow of jobs and their needs; conditions and matrices are the language's own tests' matter.
fn workflow(jobs: &[(&str, &[&str])]) -> Workflow {
    let job = |needs: &[&str]| Job {
        at: Place::default(),
        name: None,
        needs: needs.iter().map(|need| Located { value: id(need), at: Place::default() }).collect(),
        condition: None,
        permissions: None,
        runs_on: RunsOn::default(),
        strategy: None,
        outputs: IndexMap::new(),
        env: IndexMap::new(),
        defaults: None,
        timeout_minutes: None,
        continue_on_error: None,
        concurrency: None,
        container: None,
        body: JobBody::Steps(vec![]),
    };
    Workflow {
        file: ".assay/workflows/ci.yml".into(),
        name: None,
        run_name: None,
        on: Triggers::default(),
        permissions: None,
        env: IndexMap::new(),
        defaults: crate::syntax::Defaults::default(),
        concurrency: None,
        jobs: jobs.iter().map(|(name, needs)| (id(name), job(needs))).collect(),
        gate: None,
    }
}

fn row(job: &str, row: Option<usize>, strategy: Value) -> PlannedJob {
    PlannedJob {
        key: JobKey::new(&id(job), row),
        id: id(job),
        name: row.map_or(job.to_owned(), |row| format!("{job} ({row})")),
        needs: vec![],
        matrix: IndexMap::new(),
        strategy: serde_json::from_value(strategy).unwrap(),
        runs_on: vec![],
        gpus: 0,
        gpu_memory_bytes: None,
        gpu_name: None,
        timeout_minutes: 1.0,
        concurrency: None,
        continue_on_error: false,
        outlives_cancel: false,
    }
}

struct World {
    workflow: Workflow,
    groups: IndexMap<JobKey, Group>,
    jobs: Vec<(PlannedJob, JobLife)>,
    cancel: Option<String>,
}

impl World {
    fn expanded(jobs: Vec<PlannedJob>) -> Self {
        let first = jobs[0].id.clone();
        let groups = IndexMap::from([(JobKey::new(&first, None), Group::Expanded { rows: jobs.len() as u32 })]);
        let jobs = jobs.into_iter().map(|job| (job, JobLife::new(false))).collect();
        Self { workflow: workflow(&[(first.as_str(), &[])]), groups, jobs, cancel: None }
    }

    fn advance(&self) -> Vec<Decision> {
        let outputs = IndexMap::new();
        let jobs: Vec<_> =
            self.jobs.iter().map(|(planned, life)| JobView { planned, life, outputs: &outputs }).collect();
        advance(&Snapshot {
            workflow: &self.workflow,
            called: &IndexMap::new(),
            contexts: &IndexMap::new(),
            groups: &self.groups,
            jobs: &jobs,
            cancel: self.cancel.as_deref(),
        })
    }

    fn apply(&mut self, index: usize, event: JobEvent) {
        let life = self.jobs[index].1.clone();
        self.jobs[index].1 = life.apply(event, now()).unwrap();
    }

    fn claim(&mut self, index: usize) {
        self.apply(index, JobEvent::Offered);
        self.apply(index, JobEvent::Claimed { runner: "r".into() });
    }
}

fn three(strategy: Value) -> Vec<PlannedJob> {
    (0..3).map(|index| row("test", Some(index), strategy.clone())).collect()
}

#[test]
fn max_parallel_bounds_what_is_under_way() {
    let mut world = World::expanded(three(serde_json::json!({"max-parallel": 2})));
    assert_eq!(world.advance(), [Decision::Offer(world_key(0)), Decision::Offer(world_key(1))]);
    world.claim(0);
    world.claim(1);
    assert_eq!(world.advance(), []);
    world.apply(0, JobEvent::Concluded(Conclusion::Success));
    assert_eq!(world.advance(), [Decision::Offer(world_key(2))]);
}

#[test]
fn a_job_of_a_group_asks_for_its_place_before_it_is_offered() {
    let mut rows = three(serde_json::json!({"max-parallel": 2}));
    let concurrency = JobConcurrency { group: "gpu".to_owned(), cancel_in_progress: false, queue: Queue::Single };
    rows.iter_mut().for_each(|row| row.concurrency = Some(concurrency.clone()));
    let mut world = World::expanded(rows);
    assert_eq!(world.advance(), [Decision::AskPlace(world_key(0)), Decision::AskPlace(world_key(1))]);
    world.apply(0, JobEvent::PlaceAsked);
    world.apply(1, JobEvent::PlaceAsked);
    // Those that ask have their room under `max-parallel`.
    assert_eq!(world.advance(), []);
    world.apply(0, JobEvent::PlaceGiven);
    assert_eq!(world.advance(), [Decision::Offer(world_key(0))]);
    world.claim(0);
    assert_eq!(world.advance(), []);
    world.apply(0, JobEvent::Concluded(Conclusion::Success));
    assert_eq!(world.advance(), [Decision::AskPlace(world_key(2))]);
    world.cancel = Some("by hand".into());
    let stop = |index| Decision::Cancel { key: world_key(index), reason: "by hand".into() };
    assert_eq!(world.advance(), [stop(1), stop(2)]);
}

fn world_key(index: usize) -> JobKey {
    JobKey::new(&id("test"), Some(index))
}

#[test]
fn fail_fast_stops_the_other_rows_once_and_the_run_fails() {
    let mut world = World::expanded(three(serde_json::json!({"fail-fast": true})));
    (0..3).for_each(|index| world.claim(index));
    world.apply(1, JobEvent::Concluded(Conclusion::Failure));
    let stop = |index| Decision::Cancel { key: world_key(index), reason: "fail-fast: test (1) failed".into() };
    assert_eq!(world.advance(), [stop(0), stop(2)]);
    world.apply(0, JobEvent::CancelAsked("x".into()));
    world.apply(2, JobEvent::CancelAsked("x".into()));
    assert_eq!(world.advance(), []);
    world.apply(0, JobEvent::Concluded(Conclusion::Cancelled));
    world.apply(2, JobEvent::Concluded(Conclusion::Cancelled));
    assert_eq!(world.advance(), [Decision::Conclude(Conclusion::Failure)]);
}

#[test]
fn without_fail_fast_the_other_rows_go_on() {
    let mut world = World::expanded(three(serde_json::json!({"fail-fast": false})));
    (0..3).for_each(|index| world.claim(index));
    world.apply(1, JobEvent::Concluded(Conclusion::Failure));
    assert_eq!(world.advance(), []);
}

#[test]
fn a_cancelled_run_stops_what_was_planned_before_and_not_what_came_after() {
    let mut world = World::expanded(three(serde_json::json!({"fail-fast": false})));
    world.claim(0);
    world.jobs[2].1.after_cancel = true;
    world.cancel = Some("by hand".into());
    let stop = |index| Decision::Cancel { key: world_key(index), reason: "by hand".into() };
    assert_eq!(world.advance(), [stop(0), stop(1), Decision::Offer(world_key(2))]);
}

#[test]
fn a_job_hears_of_every_ancestor_and_waits_for_each() {
    let mut world = World::expanded(vec![row("a", None, serde_json::json!({}))]);
    world.workflow = workflow(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]);
    world.groups.insert(key("b"), Group::Skipped { name: "b".into(), at: now() });
    world.groups.insert(key("c"), Group::Waiting);
    let outputs = IndexMap::new();
    let results = |world: &World| {
        let (planned, life) = &world.jobs[0];
        let jobs = [JobView { planned, life, outputs: &outputs }];
        let (contexts, called) = (IndexMap::new(), IndexMap::new());
        let snapshot = Snapshot {
            workflow: &world.workflow,
            called: &called,
            contexts: &contexts,
            groups: &world.groups,
            jobs: &jobs,
            cancel: None,
        };
        Scopes::new(&snapshot).need_results(&key("c"))
    };
    assert_eq!(results(&world), None);
    world.claim(0);
    world.apply(0, JobEvent::Concluded(Conclusion::Failure));
    let ended = results(&world).unwrap();
    assert_eq!(ended[&id("a")].result, Conclusion::Failure);
    assert_eq!(ended[&id("b")].result, Conclusion::Skipped);
}
