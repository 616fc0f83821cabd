//! One job on this machine, and what came of it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use runner::{
    job::{
        self, JobEnvironment,
        container::Engine,
        local::{LocalHost, Source},
    },
    process::sandbox::Sandbox,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use workflows::{
    ids::JobKey,
    protocol::{CheckoutSpec, JobResult, JobSpec, StepReport, StepState},
    run::Conclusion,
    syntax::{self, Severity},
};

/// A directory with everything that a job needs.
pub struct Bench {
    pub directory: tempfile::TempDir,
    pub sandbox: Sandbox,
    pub engine: Option<Engine>,
    pub assay: PathBuf,
    pub source: Option<Source>,
    pub secrets: Vec<(&'static str, &'static str)>,
    pub trusted: bool,
    pub cancel: CancellationToken,
    log: Arc<Mutex<Vec<u8>>>,
    steps: Arc<Mutex<Vec<StepReport>>>,
    runs: usize,
}

/// What came of a job.
pub struct Done {
    pub result: JobResult,
    pub log: String,
    pub steps: Vec<StepReport>,
}

impl Bench {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            assay: directory.path().join("assay"),
            directory,
            sandbox: Sandbox::None,
            engine: None,
            source: None,
            secrets: Vec::new(),
            trusted: true,
            cancel: CancellationToken::new(),
            log: Arc::default(),
            steps: Arc::default(),
            runs: 0,
        }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Puts a program in the place of `assay`.
    pub fn fake_assay(&self, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(&self.assay, script).unwrap();
        std::fs::set_permissions(&self.assay, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the only job of a workflow whose `jobs.j` is given, indented by four.
    pub async fn run(&mut self, job: &str) -> Done {
        let spec = self.spec(job);
        self.run_spec(&spec).await
    }

    /// Runs a job, and cancels it once its log has the line `ready`; then [`Bench::told_of_cancel`] is there.
    pub async fn cancelled_when_ready(&mut self, spec: &JobSpec) -> Done {
        let (log, cancel, told) = (self.log(), self.cancel.clone(), self.told_of_cancel());
        let (done, ()) = tokio::join!(self.run_spec(spec), async {
            until("the step is ready", || String::from_utf8_lossy(&log.lock().unwrap()).contains("\nready\n")).await;
            cancel.cancel();
            std::fs::write(told, "").unwrap();
        });
        done
    }

    /// A file that a step can wait for.
    pub fn told_of_cancel(&self) -> PathBuf {
        self.path().join("cancelled")
    }

    pub fn spec(&self, job: &str) -> JobSpec {
        let mut spec = spec(job);
        spec.secrets = self.secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        spec.trusted = self.trusted;
        spec
    }

    pub async fn run_spec(&mut self, spec: &JobSpec) -> Done {
        self.runs += 1;
        self.log.lock().unwrap().clear();
        let environment = JobEnvironment {
            directory: self.path().join(format!("job{}", self.runs)),
            cache: self.path().join("cache"),
            sandbox: self.sandbox.clone(),
            engine: self.engine.clone(),
            slot: 0,
            gpus: Vec::new(),
            monitor: None,
            assay: self.assay.clone(),
            onnxruntime: None,
            runner_name: "bench".to_owned(),
        };
        let (log, steps) = (self.log.clone(), self.steps.clone());
        let source = self.source.clone().unwrap_or(Source::WorkingTree(self.path().join("nowhere")));
        let host = LocalHost::new(
            source,
            self.path().join("host"),
            self.path().join("cache"),
            Box::new(move |bytes| log.lock().unwrap().extend_from_slice(bytes)),
            Box::new(move |all| *steps.lock().unwrap() = all.to_vec()),
        );
        let result = job::execute(spec, &host, &environment, self.cancel.clone()).await;
        let log = String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned();
        Done { result, log, steps: self.steps.lock().unwrap().clone() }
    }

    /// What the log holds now, to be read while the job runs.
    pub fn log(&self) -> Arc<Mutex<Vec<u8>>> {
        self.log.clone()
    }
}

impl Done {
    #[track_caller]
    pub fn concluded(&self, expected: Conclusion) -> &Self {
        assert_eq!(self.result.conclusion, expected, "{:?}\n{}", self.result, self.log);
        self
    }

    #[track_caller]
    pub fn logged(&self, text: &str) -> &Self {
        assert!(self.log.contains(text), "{text:?} is not in the log:\n{}", self.log);
        self
    }

    #[track_caller]
    pub fn not_logged(&self, text: &str) -> &Self {
        assert!(!self.log.contains(text), "{text:?} is in the log:\n{}", self.log);
        self
    }

    /// Conclusions of the steps.
    pub fn conclusions(&self) -> Vec<&'static str> {
        self.steps
            .iter()
            .map(|step| match &step.state {
                StepState::Pending => "pending",
                StepState::Running { .. } => "running",
                StepState::Finished { conclusion, .. } => conclusion.as_str(),
            })
            .collect()
    }
}

/// A job's spec from its YAML, indented by four.
pub fn spec(job: &str) -> JobSpec {
    let text = format!("on: push\njobs:\n  j:\n    runs-on: linux\n{job}");
    let (workflow, diagnostics) = syntax::parse("w.yml", &text);
    let errors: Vec<_> = diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}\n{text}");
    let workflow = workflow.unwrap();
    let (workflow_env, workflow_defaults) = JobSpec::workflow_layers(&workflow, &workflow.jobs[0]);
    let (id, job) = workflow.jobs.into_iter().next().unwrap();
    let sha = "0123456789abcdef0123456789abcdef01234567";
    JobSpec {
        repo: "acme/digits".parse().unwrap(),
        run_number: 1,
        attempt: 1,
        key: JobKey::new(&id, None),
        name: "j".to_owned(),
        checkout: CheckoutSpec { url: "/nowhere".to_owned(), sha: sha.parse().unwrap(), git_ref: None, token: None },
        job,
        workflow_env,
        workflow_defaults,
        contexts: IndexMap::from([
            ("github".to_owned(), json!({ "sha": sha, "ref": "refs/heads/main", "actor": "ada", "event": {} })),
            ("matrix".to_owned(), json!({ "model": "small" })),
        ]),
        secrets: Default::default(),
        timeout_minutes: 10.0,
        workflow_file: ".assay/workflows/w.yml".to_owned(),
        trusted: true,
        baseline: None,
    }
}

/// A repository with one commit; where it is, and the commit.
pub fn repository(bench: &Bench, files: &[(&str, &str)]) -> (Source, String) {
    let path = bench.path().join("repository");
    std::fs::create_dir(&path).unwrap();
    for (name, text) in files {
        std::fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
        std::fs::write(path.join(name), text).unwrap();
    }
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        let output =
            std::process::Command::new("git").current_dir(&path).args(identity).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "c"]);
    let sha = git(&["rev-parse", "HEAD"]);
    (Source::Repository(path), sha)
}

/// Waits until a condition holds; panics with `what` when it does not within 30 seconds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process exists and is not a zombie.
pub fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}
