//! A server in this process, a bare repository, and a scripted runner.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use hmac::{Hmac, Mac};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use server::{Clock, ManualClock, ServerConfig};
use sha2::Sha256;
use tokio::{sync::oneshot, task::JoinHandle};
use workflows::{
    ids::Sha,
    protocol::{Claim, ClaimRequest, Finished, Isolation, JobResult, Report, RunnerFacts, TOKEN_HEADER, VERSION},
    run::Conclusion,
};

/// Longest wait for anything: for a test that hangs, nothing depends on it.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const REPO: &str = "acme/digits";

/// One job without a gate.
pub(crate) const ONE_JOB: &str =
    "on: [push, pull_request]\njobs:\n  test:\n    runs-on: linux\n    steps:\n      - run: echo hello\n";

pub(crate) struct World {
    pub(crate) data: PathBuf,
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) git: Git,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<anyhow::Result<()>>>,
    config: fn(&mut ServerConfig),
    clock: Clock,
    _home: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(config: fn(&mut ServerConfig)) -> Self {
        Self::build(config, Clock::System).await
    }

    /// A world whose time is the clock's.
    pub(crate) async fn at(clock: Arc<ManualClock>) -> Self {
        Self::build(|_| {}, Clock::Manual(clock)).await
    }

    async fn build(config: fn(&mut ServerConfig), clock: Clock) -> Self {
        let home = tempfile::tempdir().unwrap();
        let git = Git::init(&home.path().join("digits.git"));
        let data = home.path().join("data");
        let mut world = Self {
            data,
            url: String::new(),
            client: Client::new(),
            git,
            stop: None,
            server: None,
            config,
            clock,
            _home: home,
        };
        world.start().await;
        world
    }

    pub(crate) async fn start(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.url = format!("http://{}", listener.local_addr().unwrap());
        let mut config = ServerConfig::for_data_dir(&self.data);
        config.http_workers = 1;
        (self.config)(&mut config);
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        self.server = Some(tokio::spawn(server::serve(config, listener, self.clock.clone(), shutdown)));
        self.stop = Some(stop);
        let ready = format!("{}/readyz", self.url);
        until("the server is ready", async || match self.client.get(&ready).send().await {
            Ok(reply) if reply.status().is_success() => Ok(()),
            other => Err(format!("{other:?}, server ended: {}", self.server.as_ref().unwrap().is_finished())),
        })
        .await;
    }

    pub(crate) async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.server.take().unwrap().await.unwrap().unwrap();
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    /// Tells the server that a branch moved, as the repository's hook does.
    pub(crate) async fn push(&self, branch: &str, before: Option<&Sha>, after: &Sha) -> StatusCode {
        let body = self.push_body(branch, before, after);
        self.deliver("local", "push", &format!("{branch}-{after}"), &body).await.0
    }

    pub(crate) fn push_body(&self, branch: &str, before: Option<&Sha>, after: &Sha) -> Vec<u8> {
        let zero = "0".repeat(40);
        json!({
            "ref": format!("refs/heads/{branch}"),
            "before": before.map_or(zero.as_str(), Sha::as_str),
            "after": after,
            "actor": "ada",
            "repository": { "full_name": REPO, "path": self.git.path, "default_branch": "main" },
        })
        .to_string()
        .into_bytes()
    }

    pub(crate) async fn deliver(&self, forge: &str, event: &str, guid: &str, body: &[u8]) -> (StatusCode, Value) {
        let secret = server::secrets::local_webhook(&self.data).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        self.deliver_signed(forge, event, guid, &signature, body).await
    }

    pub(crate) async fn deliver_signed(
        &self,
        forge: &str,
        event: &str,
        guid: &str,
        signature: &str,
        body: &[u8],
    ) -> (StatusCode, Value) {
        let request = self.client.post(format!("{}/webhooks/{forge}", self.url));
        let request = request.header("x-github-event", event).header("x-github-delivery", guid);
        let reply = request.header("x-hub-signature-256", signature).body(body.to_vec()).send().await.unwrap();
        (reply.status(), reply.json().await.unwrap_or(Value::Null))
    }

    /// Commits the workflow (and a file that makes the commit its own) and pushes it to main.
    pub(crate) async fn push_main(&self, workflow: &str) -> Sha {
        let before = self.git.tip("main");
        let sha = self.git.commit("main", &[(".assay/workflows/ci.yml", workflow), ("README.md", "one")]);
        assert_eq!(self.push("main", before.as_ref(), &sha).await, StatusCode::ACCEPTED);
        sha
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let reply = self.client.get(format!("{}/api/v1/repos/{REPO}/{path}", self.url)).send().await.unwrap();
        assert!(reply.status().is_success(), "{path}: {}", reply.status());
        reply.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str) -> StatusCode {
        let token = server::secrets::api_token(&self.data).unwrap();
        let request = self.client.post(format!("{}/api/v1/repos/{REPO}/{path}", self.url));
        request.bearer_auth(token).send().await.unwrap().status()
    }

    pub(crate) async fn run_concluded(&self, number: u64) -> Value {
        until(&format!("run {number} is concluded"), async || {
            let run = self.get(&format!("runs/{number}")).await;
            if run["status"] == "completed" { Ok(run) } else { Err(run) }
        })
        .await
    }

    /// Waits until a run is there, which the planning of a delivery takes a moment for.
    pub(crate) async fn run_exists(&self, number: u64) -> Value {
        until(&format!("run {number} exists"), async || {
            let runs = self.get("runs?limit=100").await;
            let found = runs["runs"].as_array().unwrap().iter().find(|run| run["number"] == number).cloned();
            found.ok_or(runs)
        })
        .await
    }

    pub(crate) async fn gate_concluded(&self, sha: &Sha) -> Value {
        until(&format!("the gate of {sha} is concluded"), async || {
            let gate = self.get(&format!("commits/{sha}/gate")).await;
            if gate["state"] == "concluded" { Ok(gate) } else { Err(gate) }
        })
        .await
    }

    pub(crate) fn runner(&self) -> Runner {
        Runner {
            client: self.client.clone(),
            url: format!("{}/api/runner/v1", self.url),
            token: server::secrets::runner_token(&self.data).unwrap(),
        }
    }
}

/// Speaks the runner protocol, and does no work.
pub(crate) struct Runner {
    client: Client,
    pub(crate) url: String,
    token: String,
}

impl Runner {
    pub(crate) fn request(wait_s: u32) -> ClaimRequest {
        let runner = RunnerFacts {
            name: "scripted".into(),
            labels: vec!["self-hosted".into(), "linux".into(), "x64".into()],
            slots: 4,
            gpus: vec![],
            cpu: "a CPU".into(),
            memory_bytes: 1 << 30,
            isolation: Isolation::None,
            version: "0".into(),
            onnxruntime: None,
        };
        ClaimRequest { version: VERSION, runner, free_slots: 4, free_gpus: vec![], wait_s }
    }

    /// The next job; none where there is none within the time.
    pub(crate) async fn try_claim(&self, wait_s: u32) -> Option<Claim> {
        let request = self.client.post(format!("{}/claim", self.url)).bearer_auth(&self.token);
        let reply = request.json(&Self::request(wait_s)).send().await.unwrap();
        match reply.status() {
            StatusCode::NO_CONTENT => None,
            StatusCode::OK => Some(reply.json().await.unwrap()),
            status => panic!("claim: {status}"),
        }
    }

    pub(crate) async fn claim(&self) -> Claim {
        until("a job is offered", async || self.try_claim(5).await.ok_or("none")).await
    }

    pub(crate) fn post(&self, claim: &Claim, path: &str) -> RequestBuilder {
        self.with_lease(self.client.post(format!("{}/leases/{}/{path}", self.url, claim.lease.id)), claim)
    }

    pub(crate) fn put(&self, claim: &Claim, path: &str) -> RequestBuilder {
        self.with_lease(self.client.put(format!("{}/leases/{}/{path}", self.url, claim.lease.id)), claim)
    }

    pub(crate) fn get(&self, claim: &Claim, path: &str) -> RequestBuilder {
        self.with_lease(self.client.get(format!("{}/leases/{}/{path}", self.url, claim.lease.id)), claim)
    }

    fn with_lease(&self, request: RequestBuilder, claim: &Claim) -> RequestBuilder {
        request.bearer_auth(&self.token).header(TOKEN_HEADER, claim.lease.token)
    }

    pub(crate) async fn report(&self, claim: &Claim, finished: Option<Finished>) -> StatusCode {
        let report = Report { steps: vec![], telemetry: vec![], finished };
        self.post(claim, "report").json(&report).send().await.unwrap().status()
    }

    pub(crate) async fn finish(&self, claim: &Claim, result: JobResult) {
        let status = self.report(claim, Some(Finished::Concluded(Box::new(result)))).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }

    /// Claims the next job and ends it.
    pub(crate) async fn run_one(&self, conclusion: Conclusion) -> Claim {
        let claim = self.claim().await;
        self.finish(&claim, result(conclusion)).await;
        claim
    }
}

pub(crate) fn result(conclusion: Conclusion) -> JobResult {
    JobResult {
        conclusion,
        summary: None,
        outputs: indexmap::IndexMap::new(),
        evaluations: vec![],
        annotations: vec![],
        isolation: Isolation::None,
    }
}

/// A bare repository, written to directly.
pub(crate) struct Git {
    pub(crate) path: PathBuf,
    repo: git2::Repository,
}

impl Git {
    fn init(path: &Path) -> Self {
        let repo = git2::Repository::init_bare(path).unwrap();
        Self { path: path.canonicalize().unwrap(), repo }
    }

    pub(crate) fn tip(&self, branch: &str) -> Option<Sha> {
        let id = self.repo.refname_to_id(&format!("refs/heads/{branch}")).ok()?;
        Some(id.to_string().parse().unwrap())
    }

    /// Commits files on top of a branch; a new branch begins at main.
    pub(crate) fn commit(&self, branch: &str, files: &[(&str, &str)]) -> Sha {
        let tip = self.tip(branch).or_else(|| self.tip("main"));
        let parent = tip.map(|sha| self.repo.find_commit(git2::Oid::from_str(sha.as_str()).unwrap()).unwrap());
        let mut update = git2::build::TreeUpdateBuilder::new();
        for (path, text) in files {
            update.upsert(*path, self.repo.blob(text.as_bytes()).unwrap(), git2::FileMode::Blob);
        }
        let empty = self.repo.find_tree(self.repo.treebuilder(None).unwrap().write().unwrap()).unwrap();
        let base = parent.as_ref().map_or(empty, |parent| parent.tree().unwrap());
        let tree = self.repo.find_tree(update.create_updated(&self.repo, &base).unwrap()).unwrap();
        let who = git2::Signature::new("Ada", "ada@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let parents: Vec<_> = parent.iter().collect();
        let git_ref = format!("refs/heads/{branch}");
        let id = self.repo.commit(Some(&git_ref), &who, &who, &format!("change {branch}"), &tree, &parents).unwrap();
        id.to_string().parse().unwrap()
    }
}

/// Asks again until the answer is `Ok`; fails with what was seen last.
pub(crate) async fn until<T, E: std::fmt::Debug>(what: &str, mut look: impl AsyncFnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if Instant::now() > deadline => panic!("waited in vain until {what}; last seen: {seen:#?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
