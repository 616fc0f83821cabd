use std::{collections::BTreeMap, fmt::Write, future::Future};

use runner::agent::IsolationChoice;
use serde_json::Value;
use server::Clock;
use tempfile::TempDir;
use tests::{
    github::{FakeGithub, state::CheckRun},
    repo::BareRepo,
    stack::Stack,
    wait::until_async,
};
use workflows::ids::Sha;

pub(super) const REPO: &str = "acme/digits";
pub(super) const GATE: &str = "assay/gate";
pub(super) const FILE: &str = ".assay/workflows/ci.yml";

/// Two jobs: one complains about a line, one measures by the file `outcomes.jsonl`.
pub(super) const WORKFLOW: &str = "
name: CI
on: [push, pull_request, merge_group]
jobs:
  build:
    runs-on: self-hosted
    steps:
      - run: echo '::warning file=train.py,line=3,col=2,title=Slow::this is slow'
  eval:
    needs: build
    runs-on: self-hosted
    steps:
      - uses: assay/checkout@v1
      - run: cat outcomes.jsonl >> \"$ASSAY_METRICS\"
        id: eval
gate:
  accuracy: { max-drop: 0.5pp }
";

/// Outcomes of a model that is wrong on the first examples of 400.
pub(super) fn outcomes(wrong: usize) -> Vec<u8> {
    let mut text = String::new();
    for id in 0..400 {
        let right = u8::from(id >= wrong);
        let _ = writeln!(
            text,
            r#"{{"id":"{id}","target":"7","prediction":"{}","values":{{"accuracy":{right}}}}}"#,
            if right == 1 { "7" } else { "1" }
        );
    }
    text.into_bytes()
}

/// A GitHub with a repository, and where our server keeps its data.
pub(super) struct World {
    pub(super) github: FakeGithub,
    pub(super) repo: BareRepo,
    pub(super) home: TempDir,
    /// How often a server looks for deliveries that did not arrive.
    pub(super) recovery_interval_s: u32,
}

impl World {
    pub(super) fn new() -> Self {
        let github = FakeGithub::start();
        let (repo, _) = github.create_repo(REPO);
        Self { github, repo, home: tempfile::tempdir().unwrap(), recovery_interval_s: 1 }
    }

    /// The first commit of `main`: a workflow, and a model that is wrong on 8 of 400.
    pub(super) fn first(&self, workflow: &str) -> Sha {
        let files: [(&str, &[u8]); 2] = [(FILE, workflow.as_bytes()), ("outcomes.jsonl", &outcomes(8))];
        self.repo.commit("main", None, "First", &files)
    }

    /// [`Self::first`], pushed and judged.
    pub(super) async fn main(&self, workflow: &str) -> Sha {
        let main = self.first(workflow);
        accepted(self.github.push(REPO, "main", None, &main)).await;
        self.concluded(&main).await;
        main
    }

    /// A pull request of a branch of ours, opened and judged.
    pub(super) async fn pull(&self, branch: &str, head: &Sha, title: &str) -> (u64, BTreeMap<String, CheckRun>) {
        let number = self.github.open_pull(REPO, REPO, branch, head, title);
        accepted(self.github.pull_opened(REPO, number)).await;
        (number, self.concluded(head).await)
    }

    /// A server without a runner, at this GitHub.
    pub(super) fn server(&self) -> Stack {
        self.server_at(Clock::System)
    }

    /// The same, whose time is the clock's.
    pub(super) fn server_at(&self, clock: Clock) -> Stack {
        let mut github = self.github.server_config(self.home.path());
        github.recovery_interval_s = self.recovery_interval_s;
        let stack = Stack::server_at(&self.home.path().join("data"), clock, |config| config.github = Some(github));
        self.github.send_webhooks_to(&stack.url);
        stack
    }

    pub(super) fn server_and_runner(&self) -> Stack {
        self.server().with_runner(2, IsolationChoice::None)
    }

    /// The check runs of a commit by name, as soon as `all` says so of them.
    pub(super) async fn checks(&self, head: &Sha, what: &str, all: impl Fn(&[CheckRun]) -> bool) -> Vec<CheckRun> {
        until_async(what, async || {
            let runs = self.check_runs(head);
            match all(&runs) {
                true => Ok(runs),
                false => Err(runs
                    .into_iter()
                    .map(|run| format!("{} {:?} {}: {}", run.name, run.history, run.title, run.summary))
                    .collect::<Vec<_>>()),
            }
        })
        .await
    }

    pub(super) fn check_runs(&self, head: &Sha) -> Vec<CheckRun> {
        self.github.state().repo(REPO).check_runs.iter().filter(|run| run.head == *head).cloned().collect()
    }

    /// All check runs of a commit, once the gate and everything else is concluded. Each name is there once.
    pub(super) async fn concluded(&self, head: &Sha) -> BTreeMap<String, CheckRun> {
        let ended = |runs: &[CheckRun]| {
            runs.iter().any(|run| run.name == GATE) && runs.iter().all(|run| run.conclusion.is_some())
        };
        let runs = self.checks(head, "every check run to conclude", ended).await;
        let n = runs.len();
        let by_name: BTreeMap<String, CheckRun> = runs.into_iter().map(|run| (run.name.clone(), run)).collect();
        assert_eq!(by_name.len(), n, "a check run is there twice: {by_name:#?}");
        by_name
    }

    pub(super) async fn get(&self, stack: &Stack, path: &str) -> Value {
        let url = format!("{}/api/v1/repos/{REPO}/{path}", stack.url);
        let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url} answered {text:?}: {error}"))
    }

    pub(super) async fn runs(&self, stack: &Stack) -> Vec<Value> {
        self.get(stack, "runs").await["runs"].as_array().cloned().unwrap()
    }
}

/// Each delivery must have been accepted.
pub(super) async fn accepted(delivery: impl Future<Output = u16>) {
    let status = delivery.await;
    assert!((200..300).contains(&status), "the delivery was answered {status}");
}

pub(super) fn conclusion<'a>(checks: &'a BTreeMap<String, CheckRun>, name: &str) -> &'a str {
    let check = checks.get(name).unwrap_or_else(|| panic!("no check run {name:?} among {:?}", checks.keys()));
    check.conclusion.as_deref().expect("it is concluded")
}
