//! Our client against a GitHub that forgets nothing: what we ask is what GitHub's official description
//! allows, and whatever breaks on the way, there is one check run, with each annotation once.

use std::time::Duration;

use jiff::Timestamp;
use server::{
    forge::{CheckRun, CheckState, Fact},
    github::{GithubError, Permission, Retry},
};
use tests::{
    github::{FakeGithub, faults::Fault},
    repo::BareRepo,
};
use workflows::{
    event::EventKind,
    ids::Sha,
    protocol::{Annotation, AnnotationLevel},
    run::Conclusion,
};

const REPO: &str = "acme/digits";
const CREATE: &str = "/repos/{owner}/{repo}/check-runs";
const UPDATE: &str = "/repos/{owner}/{repo}/check-runs/{check_run_id}";

/// A GitHub with one repository that has one commit.
fn world() -> (FakeGithub, BareRepo, u64, Sha) {
    let github = FakeGithub::start();
    let (repo, installation) = github.create_repo(REPO);
    let head = repo.commit("main", None, "First", &[("README.md", b"digits")]);
    (github, repo, installation, head)
}

fn check(head: &Sha, state: CheckState) -> CheckRun {
    CheckRun {
        repo: REPO.parse().unwrap(),
        head: head.clone(),
        name: "assay/gate".to_owned(),
        external_id: "gate-7-1".to_owned(),
        details_url: "https://assay.example/acme/digits/runs/7".to_owned(),
        state,
        title: "accuracy".to_owned(),
        summary: "as it should be".to_owned(),
        text: None,
        annotations: Vec::new(),
        actions: vec![],
    }
}

fn done(conclusion: Conclusion) -> CheckState {
    let started_at: Timestamp = "2026-11-24T16:00:00Z".parse().unwrap();
    CheckState::Completed { started_at, completed_at: started_at + jiff::SignedDuration::from_secs(5), conclusion }
}

fn annotations(n: u32) -> Vec<Annotation> {
    let one = |line| Annotation {
        path: ".assay/workflows/ci.yml".to_owned(),
        line,
        column: Some(3),
        level: AnnotationLevel::Failure,
        title: None,
        message: format!("mistake {line}"),
    };
    (1..=n).map(one).collect()
}

#[track_caller]
fn the_one_check_run(github: &FakeGithub) -> tests::github::state::CheckRun {
    let state = github.state();
    let runs = &state.repo(REPO).check_runs;
    assert_eq!(runs.len(), 1, "{runs:#?}");
    runs[0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_run_is_created_updated_and_concluded() {
    let (github, _repo, installation, head) = world();
    let forge = github.client();
    let id = forge.put_check_run(installation, &check(&head, CheckState::Queued), None).await.unwrap();
    let running = CheckState::InProgress { started_at: "2026-11-24T16:00:00Z".parse().unwrap() };
    assert_eq!(forge.put_check_run(installation, &check(&head, running), Some(id)).await.unwrap(), id);
    let last = check(&head, done(Conclusion::Failure));
    assert_eq!(forge.put_check_run(installation, &last, Some(id)).await.unwrap(), id);

    let run = the_one_check_run(&github);
    assert_eq!(run.history, ["queued", "in_progress", "completed/failure"]);
    assert_eq!((run.external_id.as_str(), run.completed_at.as_deref()), ("gate-7-1", Some("2026-11-24T16:00:05Z")));
    assert!(!github.state().repo(REPO).passes(&head, "assay/gate"));
    assert_eq!(github.state().count("POST", "access_tokens"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_lost_after_the_write_does_not_make_a_second_check_run() {
    for fault in [Fault::BadGatewayAfter, Fault::DropAfter] {
        let (github, _repo, installation, head) = world();
        github.fail_next("POST", CREATE, fault);
        let mut wanted = check(&head, CheckState::Queued);
        wanted.annotations = annotations(60);
        let lost = github.client().put_check_run(installation, &wanted, None).await.unwrap_err();
        assert_eq!(lost.retry(), Some(Retry::Backoff), "{fault:?}: {lost}");
        assert_eq!(github.state().count("POST", "check-runs"), 1, "the client repeats by itself after {fault:?}");

        // After the crash: a new process, which knows no id.
        let id = github.client().put_check_run(installation, &wanted, None).await.unwrap();
        let run = the_one_check_run(&github);
        assert_eq!((run.id, run.annotations.len()), (id, 60));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_annotations_go_in_batches_each_once_however_often_it_breaks() {
    let (github, _repo, installation, head) = world();
    let forge = github.client();
    let mut wanted = check(&head, done(Conclusion::Failure));
    wanted.annotations = annotations(120);
    github.fail_next("PATCH", UPDATE, Fault::BadGatewayAfter);
    assert!(forge.put_check_run(installation, &wanted, None).await.is_err());
    let id = forge.put_check_run(installation, &wanted, None).await.unwrap();
    forge.put_check_run(installation, &wanted, Some(id)).await.unwrap();

    let run = the_one_check_run(&github);
    let lines: Vec<u64> = run.annotations.iter().map(|annotation| annotation["start_line"].as_u64().unwrap()).collect();
    assert_eq!(lines, (1..=120).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversized_report_is_cut_instead_of_refused() {
    let (github, _repo, installation, head) = world();
    let mut wanted = check(&head, done(Conclusion::Success));
    wanted.summary = "é".repeat(60_000);
    wanted.text = Some("🦀".repeat(30_000));
    wanted.title = "t".repeat(400);
    github.client().put_check_run(installation, &wanted, None).await.unwrap();
    let run = the_one_check_run(&github);
    assert!(run.summary.len() <= 65_535 && run.summary.starts_with("éé") && run.title.chars().count() == 255);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_attempt_is_another_check_run_and_the_newest_counts() {
    let (github, _repo, installation, head) = world();
    let forge = github.client();
    forge.put_check_run(installation, &check(&head, done(Conclusion::Failure)), None).await.unwrap();
    let again = CheckRun { external_id: "gate-7-2".to_owned(), ..check(&head, done(Conclusion::Success)) };
    forge.put_check_run(installation, &again, None).await.unwrap();
    assert_eq!(github.state().repo(REPO).check_runs.len(), 2);
    assert!(github.state().repo(REPO).passes(&head, "assay/gate"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_is_a_value_and_silences_the_installation() {
    let (github, _repo, installation, head) = world();
    let forge = github.client();
    github.fail_next(
        "GET",
        "/repos/{owner}/{repo}/commits/{ref}/check-runs",
        Fault::SecondaryLimit { retry_after: Some(60) },
    );
    let wanted = check(&head, CheckState::Queued);
    let limited = forge.put_check_run(installation, &wanted, None).await.unwrap_err();
    assert_eq!(limited.retry(), Some(Retry::After(Duration::from_secs(60))));
    let asked = github.state().requests.len();
    let quiet = forge.put_check_run(installation, &wanted, None).await.unwrap_err();
    assert!(matches!(quiet.retry(), Some(Retry::After(left)) if left <= Duration::from_secs(60)), "{quiet}");
    assert_eq!(github.state().requests.len(), asked, "it asked in spite of the limit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_without_a_retry_after_are_understood() {
    let limits =
        [(Fault::SecondaryLimit { retry_after: None }, 60..=60), (Fault::PrimaryLimit { reset_in: 1800 }, 1790..=1805)];
    for (fault, seconds) in limits {
        let (github, _repo, installation, head) = world();
        github.fail_next("GET", "/repos/{owner}/{repo}/contents/{path}", fault);
        let error = github.client().workflow_files(installation, &REPO.parse().unwrap(), &head).await.unwrap_err();
        let wait = error.retry().unwrap_or_else(|| panic!("{fault:?} was taken as final: {error}")).delay(1);
        assert!(seconds.contains(&wait.as_secs()), "{fault:?}: {wait:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_revoked_is_fetched_anew() {
    let (github, _repo, installation, head) = world();
    let forge = github.client();
    let id = forge.put_check_run(installation, &check(&head, CheckState::Queued), None).await.unwrap();
    github.state().tokens.clear();
    forge.put_check_run(installation, &check(&head, done(Conclusion::Success)), Some(id)).await.unwrap();
    assert_eq!(the_one_check_run(&github).history, ["queued", "completed/success"]);
    assert_eq!(github.state().count("POST", "access_tokens"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_fetch_one_token_and_make_one_check_run() {
    let (github, _repo, installation, head) = world();
    let forge = github.client();
    let puts = (0..8).map(|_| {
        let (forge, wanted) = (forge.clone(), check(&head, CheckState::Queued));
        tokio::spawn(async move { forge.put_check_run(installation, &wanted, None).await })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap().unwrap();
    }
    the_one_check_run(&github);
    assert_eq!(github.state().count("POST", "access_tokens"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_said_and_not_repeated() {
    let (github, _repo, installation, head) = world();
    let mut config = github.config();
    config.private_key = tests::github::auth::Keys::generate().private_pem;
    let forge = server::github::GithubForge::new(config).unwrap();
    let error = forge.put_check_run(installation, &check(&head, CheckState::Queued), None).await.unwrap_err();
    assert!(matches!(error, GithubError::Permanent { status: Some(401), .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workflow_files_are_read_at_the_commit() {
    let (github, repo, installation, first) = world();
    let forge = github.client();
    let name = REPO.parse().unwrap();
    let long = format!("# {}\non: push\n", "é".repeat(400));
    let files: [(&str, &[u8]); 4] = [
        (".assay/workflows/eval it.yaml", b"on: pull_request\n"),
        (".assay/workflows/ci.yml", long.as_bytes()),
        (".assay/workflows/notes.md", b"no workflow"),
        (".assay/workflows/deeper/x.yml", b"no workflow either"),
    ];
    let second = repo.commit("main", None, "Workflows", &files);
    assert_eq!(forge.workflow_files(installation, &name, &first).await.unwrap(), []);
    let read = forge.workflow_files(installation, &name, &second).await.unwrap();
    let expected =
        [(".assay/workflows/ci.yml", long.as_str()), (".assay/workflows/eval it.yaml", "on: pull_request\n")];
    assert_eq!(read, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));

    let gone = "6dcb09b5b57875f334f61aebed695e2e4193db5e".parse().unwrap();
    let error = forge.workflow_files(installation, &name, &gone).await.unwrap_err();
    assert!(matches!(error, GithubError::Permanent { status: Some(404), .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comparison_is_of_the_whole_pull_request() {
    let (github, repo, installation, base) = world();
    let forge = github.client();
    let name = REPO.parse().unwrap();
    let text = b"a text that is long enough to be known again when it moves\n";
    repo.commit("topic", Some(&base), "One", &[("model.onnx", b"1")]);
    let head = repo.commit("topic", None, "Two", &[("train.py", text)]);
    let main = repo.commit("main", None, "Meanwhile", &[("elsewhere.txt", b"2")]);
    let paths = forge.changed_paths(installation, &name, &main, &head).await.unwrap();
    assert_eq!(paths, Some(vec!["model.onnx".to_owned(), "train.py".to_owned()]));
    assert_eq!(forge.merge_base(installation, &name, &main, &head).await.unwrap(), Some(base.clone()));

    let many: Vec<(String, Vec<u8>)> = (0..301).map(|n| (format!("data/{n}"), vec![b'x'; n])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let huge = repo.commit("huge", Some(&base), "Many", &many);
    assert_eq!(forge.changed_paths(installation, &name, &base, &huge).await.unwrap(), None);

    let gone = "6dcb09b5b57875f334f61aebed695e2e4193db5e".parse().unwrap();
    assert_eq!(forge.merge_base(installation, &name, &gone, &head).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_token_reads_its_repository_and_nothing_else() {
    let (github, repo, installation, base) = world();
    let other = github.create_repo_elsewhere("acme/secret", None);
    other.commit("main", None, "Secret", &[("key", b"1")]);
    github.state().installations[0].repos.push("acme/secret".parse().unwrap());
    let head = repo.commit("topic", Some(&base), "Topic", &[("model.onnx", b"1")]);
    let pull = github.open_pull(REPO, REPO, "topic", &head, "Topic");
    let url = github.state().clone_url(&REPO.parse().unwrap());
    let spec =
        github.client().checkout_spec(installation, &REPO.parse().unwrap(), &url, &head, Some(pull)).await.unwrap();
    assert_eq!(spec.git_ref, Some(format!("refs/pull/{pull}/head")));

    // As the runner fetches.
    let fetch = |url: String, what: String, token: String| {
        tokio::task::spawn_blocking(move || {
            let directory = tempfile::tempdir().unwrap();
            let git = git2::Repository::init_bare(directory.path()).unwrap();
            let mut asked = 0;
            let mut callbacks = git2::RemoteCallbacks::new();
            callbacks.credentials(move |_, _, _| {
                asked += 1;
                if asked > 1 {
                    return Err(git2::Error::from_str("refused"));
                }
                git2::Cred::userpass_plaintext("x-access-token", &token)
            });
            let mut options = git2::FetchOptions::new();
            options.remote_callbacks(callbacks);
            git.remote_anonymous(&url)
                .unwrap()
                .fetch(&[what], Some(&mut options), None)
                .map(|()| git.find_reference("FETCH_HEAD").unwrap().target().unwrap().to_string())
        })
    };
    let token = spec.token.unwrap();
    let fetched = fetch(spec.url, spec.git_ref.unwrap(), token.clone()).await.unwrap().unwrap();
    assert_eq!(fetched, head.as_str());
    let secret = github.state().clone_url(&"acme/secret".parse().unwrap());
    assert!(fetch(secret, "refs/heads/main".to_owned(), token).await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_do_what_and_where_we_are_installed() {
    let (github, _repo, installation, _head) = world();
    github.create_repo_elsewhere("other/place", None);
    let forge = github.client();
    let name = REPO.parse().unwrap();
    github.state().repo_mut(REPO).collaborators.insert("mona".to_owned(), "maintain");
    assert_eq!(forge.permission(installation, &name, "mona").await.unwrap(), Permission::Maintain);
    assert_eq!(forge.permission(installation, &name, "stranger").await.unwrap(), Permission::None);
    assert_eq!(forge.installation_of(&name).await.unwrap(), installation);
    assert!(forge.installation_of(&"other/place".parse().unwrap()).await.unwrap_err().retry().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missed_deliveries_are_found_across_pages() {
    let (github, _repo, _installation, head) = world();
    let since = Timestamp::now() - jiff::SignedDuration::from_hours(1);
    // Nobody listens: each is lost.
    for _ in 0..150 {
        assert_eq!(github.push(REPO, "main", None, &head).await, 0);
    }
    github.state().deliveries[3].status_code = 202;
    let forge = github.client();
    let missed = forge.failed_deliveries(since, Timestamp::now()).await.unwrap();
    assert_eq!(missed.len(), 149);
    assert_eq!(github.state().count("GET", "/app/hook/deliveries"), 2);
    assert_eq!(
        (missed[0].event.as_str(), missed[0].guid.as_str()),
        ("push", github.state().deliveries[0].guid.as_str())
    );
    forge.redeliver(&missed[0]).await.unwrap();
}

/// What the fake sends is what GitHub's description says, and what we read in it is what happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_github_sends_means_what_happened() {
    let (github, repo, installation, base) = world();
    let last = || {
        let state = github.state();
        let delivery = state.deliveries.last().unwrap();
        server::github::parse_webhook(&delivery.event, &delivery.body).unwrap()
    };
    github.push(REPO, "main", None, &base).await;
    match last() {
        Fact::Event { event, installation: Some(id), clone } => {
            assert_eq!((id, event.title(), clone), (installation, "First", format!("{}/{REPO}.git", github.url())));
        }
        other => panic!("{other:?}"),
    }
    github.create_repo_elsewhere("stranger/digits", Some(REPO));
    let head = repo.commit("topic", Some(&base), "Topic", &[("model.onnx", b"1")]);
    let number = github.open_pull(REPO, "stranger/digits", "topic", &head, "Better");
    github.pull_opened(REPO, number).await;
    match last() {
        Fact::Event { event, .. } => {
            let EventKind::PullRequest { from_fork, base: tip, .. } = &event.kind else { panic!("{event:?}") };
            assert_eq!((*from_fork, tip, event.branch()), (true, &base, "topic"));
        }
        other => panic!("{other:?}"),
    }
    let newer = repo.commit("topic", None, "Again", &[("model.onnx", b"2")]);
    github.pull_synchronized(REPO, number, &newer).await;
    assert!(matches!(last(), Fact::Event { event, .. } if *event.kind.head() == newer));
    github.merge_group(REPO, number, &newer).await;
    assert!(
        matches!(last(), Fact::Event { event, .. } if event.branch() == "main" && event.kind.name() == "merge_group")
    );

    let id = github.client().put_check_run(installation, &check(&head, done(Conclusion::Failure)), None).await.unwrap();
    github.rerequest(REPO, id).await;
    assert!(matches!(last(), Fact::Rerequested { external_id, .. } if external_id == "gate-7-1"));
    github.press(REPO, id, "accept").await;
    assert!(
        matches!(last(), Fact::RequestedAction { identifier, actor, .. } if identifier == "accept" && actor == "mona")
    );
    github.rerequest_all(REPO, &head).await;
    assert!(matches!(last(), Fact::RerequestedAll { head: of, .. } if of == head));
}
